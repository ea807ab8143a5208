import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from runs import result_of, ring, sort_into

from heap.images.failures import Failure
from heap.store.records import Finished
from heap.store.store import RunStore
from heap.view.gallery import write_gallery

NAMES = [
    "<img src=x onerror=alert(1)>.jpg",
    "</script><script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "=cmd()|x",
    "--><!--",
    "\u202egpj.exe",
    "torn \udcff name",
    "javascript:alert(1)",
    "new\nline\ttab",
]


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def elements(path: Path) -> Elements:
    parser = Elements()
    parser.feed(path.read_text("utf-8"))
    parser.close()
    return parser


@pytest.mark.fault("F46")
@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_the_gallery_is_nothing_but_text(tmp_path: Path, name: str) -> None:
    mask = ring((60, 80), (30, 30), 20, 5)
    pages: list[Elements] = []
    # A listing spells out what is not UTF-8.
    key = name.encode("utf-8", "backslashreplace").decode()
    for number, text in enumerate(("harmless", key)):
        run = tmp_path / str(number)
        with RunStore.create_or_open(run, {}) as store:
            store.add([Finished(result_of(text, [mask], (60, 80)), note=text)])
            store.add([Failure(f"{text} torn", "decode", text)])
        quoted = text.replace("'", "''")
        sort_into(run, {1: text}, {f"{quoted}#0": 1})
        write_gallery(RunStore.open(run), run / "gallery.html")
        pages.append(elements(run / "gallery.html"))
    harmless, hostile = pages
    assert hostile.found == harmless.found
    (data,) = (json.loads(text) for text in hostile.texts if text.startswith('{"run"'))
    assert data["images"]["key"] == data["images"]["note"] == [key]
    assert data["categories"][0]["title"] == data["failures"][0]["reason"] == key
