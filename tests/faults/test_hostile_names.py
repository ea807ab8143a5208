from html.parser import HTMLParser
from pathlib import Path

import pytest
from store_writer import record

from heap.categories.standing import Place, Standing, Strip
from heap.images.failures import Failure
from heap.report.cards import make_card
from heap.report.gallery import Page, write_page
from heap.store.records import Finished

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
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))
        self.values += [value for _, value in attrs if value]


def elements(path: Path) -> Elements:
    parser = Elements()
    parser.feed(path.read_text("utf-8"))
    parser.close()
    return parser


@pytest.mark.fault("F46")
@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_the_gallery_is_nothing_but_text(tmp_path: Path, name: str) -> None:
    finished = record(4)
    assert isinstance(finished, Finished)
    pages: dict[str, Elements] = {}
    for text in ("harmless", name):
        result = finished.result
        # A listing spells out what is not UTF-8, messages may still quote it.
        key = text.encode("utf-8", "backslashreplace").decode()
        image = Finished(type(result)(**{**vars(result), "key": key}), note=text)
        path = tmp_path / f"{len(pages)}.html"
        strip = Strip(1, key, 0.5)
        places = {f"{key}#{index}": Place(strip, 0.5) for index in range(len(result.objects))}
        cards = [make_card(image, Standing((strip,), places))]
        write_page(Page(text, {"Name": key}, cards, [Failure(key, text, text)], (strip,)), path)
        pages[text] = elements(path)
    assert pages[name].found == pages["harmless"].found
    assert name.encode("utf-8", "backslashreplace").decode() in pages[name].values
