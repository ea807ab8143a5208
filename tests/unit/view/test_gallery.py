import hashlib
import json
import re
from base64 import b64decode, b64encode
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from runs import make_run, result_of, ring, sort_into
from vectors import rasterised

from heap.categories.edit import reject, reject_objects
from heap.images.failures import Failure
from heap.masks.palette import OBJECTS, REGIONS, rgb
from heap.masks.scaling import thumbnail
from heap.results import ImageResult
from heap.store.editing import Editor
from heap.store.records import Finished
from heap.store.store import RunStore
from heap.view import gallery
from heap.view.contents import Outlines, trace_outlines
from heap.view.gallery import PAGE, write_gallery

SIZE = (60, 80)
LEFT, RIGHT = [4, 12, 41, 49], [45, 15, 76, 46]
MASKS = [ring(SIZE, (30, 22), 18, 8), ring(SIZE, (30, 60), 15, -1)]


class Page(HTMLParser):
    """The elements of a gallery in order, and the blocks of data in it."""

    def __init__(self, run: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        write_gallery(RunStore.open(run), run / "gallery.html")
        self.source = (run / "gallery.html").read_text("utf-8")
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.elements.append((f"/{tag}", {}))
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.texts[-1] += data

    def text_of(self, tag: str, **attributes: str) -> str:
        (text,) = [
            text
            for (name, has), text in zip(self.elements, self.texts, strict=True)
            if name == tag and attributes.items() <= has.items()
        ]
        return text

    def data(self, name: str) -> Any:
        return json.loads(self.text_of("script", id=name))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Four images with two, none, one and two objects, one of them without a thumbnail, and a
    failed one between them."""
    folder = tmp_path / "animals & <b>more"
    photo = thumbnail(np.full((*SIZE, 3), 90, dtype=np.uint8))
    with RunStore.create_or_open(folder, {}) as store:
        store.add(
            [
                Finished(result_of("a.jpg", MASKS, SIZE), photo, note="first of 3 frames"),
                Finished(result_of("b.jpg", [], SIZE), photo),
                Finished(result_of("d.jpg", MASKS[:1], SIZE)),
                Finished(result_of("e.jpg", MASKS, SIZE), photo),
            ]
        )
        store.add([Failure("c.jpg", "decode", "ends </script> too early")])
    return folder


def test_all_of_the_run_is_in_the_page(run: Path) -> None:
    data = Page(run).data("contents")
    assert len(set(data["images"].pop("version"))) == 4
    assert data["images"] == {
        "key": ["a.jpg", "b.jpg", "d.jpg", "e.jpg"],
        "width": [80] * 4,
        "height": [60] * 4,
        "note": ["first of 3 frames", "", "", ""],
    }
    assert data["objects"] == {
        "image": [0, 0, 2, 3, 3],
        "box": [LEFT, RIGHT, LEFT, LEFT, RIGHT],
        "score": [0.9, 0.8, 0.9, 0.9, 0.8],
        "category": [-1] * 5,
        "similarity": [None] * 5,
        "rejected": [],
        "reviewed": [],
        "drawn": [],
    }  # fmt: skip
    assert data["failures"] == [
        {"key": "c.jpg", "stage": "decode", "reason": "ends </script> too early"}
    ]
    assert data["categories"] == []
    about = data["run"]
    assert (about["name"], about["images"], about["empty"]) == ("animals & <b>more", 4, 1)
    assert (about["failed"], about["objects"], about["rejected"]) == (1, 5, 0)
    assert about["read_only"]
    assert not about["searchable"]


def test_pictures_are_in_the_page_as_text(run: Path) -> None:
    page = Page(run)
    drawings = [page.data(f"drawing-{row}") for row in range(4)]
    assert [drawing["canvas"] for drawing in drawings] == [[960, 720]] * 4
    assert [len(drawing["paths"]) for drawing in drawings] == [2, 0, 1, 2]
    with Image.open(BytesIO(b64decode(drawings[0]["thumbnail"]))) as image:
        assert (image.format, image.size) == ("JPEG", (80, 60))
    assert drawings[2]["thumbnail"] == "", "it came without one"
    with Image.open(BytesIO(b64decode(drawings[0]["regions"]))) as image:
        assert image.convert("RGB").getpixel((40, 30)) == rgb(REGIONS[0])


def test_outlines_cover_what_the_masks_cover(run: Path) -> None:
    for path, mask in zip(Page(run).data("drawing-0")["paths"], MASKS, strict=True):
        # The canvas is 12 times as large; cells are compared at their centres.
        drawn = rasterised(path, (SIZE[1] * 12, SIZE[0] * 12))[6::12, 6::12]
        assert (drawn & mask).sum() / (drawn | mask).sum() > 0.97


def test_the_page_loads_nothing_and_allows_only_its_own_script(run: Path) -> None:
    page = Page(run)
    for tag, attributes in page.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name != "style", tag
            assert name not in {"src", "srcset", "action"}, (tag, value)
            assert name != "href" or str(value).startswith("#"), (tag, value)
    (policy,) = [a["content"] for _, a in page.elements if a.get("http-equiv")]
    script = page.text_of("script", type="module")
    for kind, text in (("script", script), ("style", page.text_of("style"))):
        digest = b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in str(policy)
        assert not re.search(r"url\((?!#)", text), "only what is in the page itself"
    assert "default-src 'none'" in str(policy)
    assert "img-src blob:;" in str(policy)
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)
    addresses = set(re.findall(r"\w+://[^\"' ]*", page.source))
    assert addresses == {"http://www.w3.org/2000/svg"}, "a name, which nothing is loaded from"


def test_every_script_is_in_the_page_once(run: Path) -> None:
    script = Page(run).text_of("script", type="module")
    # Those of the page of several runs are in the application only.
    modules = [path for path in PAGE.glob("*.js") if path.stem not in ("start", "difference")]
    assert len(modules) > 1
    for module in modules:
        *_, last = module.read_text("utf-8").strip().splitlines()
        first = module.read_text("utf-8").splitlines()[0]
        assert script.count(f"{first}\n") == 1, module
        assert last.removeprefix("export ") in script, module


def test_a_run_without_objects_can_be_shown(tmp_path: Path) -> None:
    with RunStore.create_or_open(tmp_path / "run", {}) as store:
        store.add([Finished(result_of("a.jpg", [], SIZE))])
    assert Page(tmp_path / "run").data("contents")["objects"]["image"] == []


def test_objects_say_what_category_they_are_in(run: Path) -> None:
    sort_into(run, {1: "ring & disc", 2: ""}, {"a.jpg#0": 1, "a.jpg#1": 2, "d.jpg#0": 0})
    data = Page(run).data("contents")
    assert data["categories"] == [
        {"id": 1, "name": "ring & disc", "title": "ring & disc", "rejected": False, "group": 1},
        {"id": 2, "name": "", "title": "category-2", "rejected": False, "group": 1},
    ]
    assert data["objects"]["category"] == [1, 2, 0, -1, -1]


def test_what_was_rejected_is_left_out(run: Path) -> None:
    sort_into(run, {1: "things", 2: "dust"}, {"a.jpg#0": 1, "a.jpg#1": 2, "d.jpg#0": 2})
    with Editor(run) as editor:
        reject(editor, [2])
        reject_objects(editor, ["e.jpg#0"])
    page = Page(run)
    data = page.data("contents")
    assert [category["title"] for category in data["categories"]] == ["things"]
    assert data["objects"]["rejected"] == [1, 2, 3]
    assert data["objects"]["category"] == [1, 0, 0, 0, -1]
    about = data["run"]
    assert (about["objects"], about["rejected"], about["empty"]) == (2, 3, 2)
    assert "dust" not in page.source


def test_drawings_that_are_right_are_copied(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Page(run).source
    drawn: list[str] = []

    def draw(result: ImageResult) -> Outlines:
        drawn.append(result.key)
        return trace_outlines(result)

    monkeypatch.setattr("heap.view.gallery.trace_outlines", draw)
    sort_into(run, {1: "things"}, {"a.jpg#0": 1})
    after = Page(run)
    assert not drawn
    assert after.data("contents")["objects"]["category"] == [1, -1, -1, -1, -1]
    assert after.source.split("<!--end")[0] == before.split("<!--end")[0]
    with RunStore.create_or_open(run, {}) as store:
        store.add([Finished(result_of("b.jpg", MASKS, SIZE))])
    assert len(Page(run).data("drawing-1")["paths"]) == 2, "an image has changed"
    assert drawn == ["b.jpg"], "the others have not"
    with RunStore.create_or_open(run, {}) as store:
        store.add([Finished(result_of("aa.jpg", MASKS, SIZE))])
    page = Page(run)
    assert drawn == ["b.jpg", "aa.jpg"]
    assert [len(page.data(f"drawing-{row}")["paths"]) for row in range(5)] == [2, 2, 2, 1, 2]
    (run / "gallery.html").write_bytes(b"")
    assert Page(run).source.startswith("<!doctype html>")


def test_damaged_images_are_left_out(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"a.png": MASKS, "b.png": MASKS})
    with Editor(run) as editor:
        editor.update_objects("id = 'a.png#0'", {"score": 0.1})
    page = Page(run)
    assert "drawing-0" not in page.source, "the checksum does not fit"
    assert len(page.data("drawing-1")["paths"]) == 2


def test_the_page_names_no_other_machine() -> None:
    for file in PAGE.iterdir():
        text = file.read_text("utf-8").replace("http://www.w3.org/", "")
        assert not re.search(r"https?://|//[a-z]+\.[a-z]", text), file


def test_objects_have_the_same_colours_as_everywhere() -> None:
    style = (PAGE / "view.css").read_text("utf-8")
    assert re.findall(r"\.c\d \{ --c: (#\w+); \}", style) == list(OBJECTS)


def test_two_can_write_the_gallery_at_the_same_time(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"a.png": MASKS})
    store, path = RunStore.open(run), run / "gallery.html"
    begun: list[str] = []

    def write_another(stage: str, done: int, total: int | None) -> None:
        if not begun:
            begun.append(stage)
            write_gallery(store, path)

    write_gallery(store, path, write_another)
    assert begun
    assert path.read_text("utf-8").endswith("</html>\n")
    assert not list(run.glob("*.partial"))


def test_of_very_many_images_a_sample_is_shown_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path, {f"{number}.png": MASKS for number in range(7)}, SIZE)
    with RunStore.create_or_open(run, {}) as store:
        store.add([Failure("8.png", "decode", "damaged")])
    whole = Page(run)
    monkeypatch.setattr(gallery, "_MOST", 3)

    page = Page(run)

    contents = json.loads(page.text_of("script", id="contents"))
    assert contents["images"]["key"] == ["0.png", "3.png"]
    assert [failure["key"] for failure in contents["failures"]] == ["8.png"]
    assert contents["objects"]["image"] == [0, 0, 1, 1]
    assert (contents["run"]["images"], contents["run"]["sample_of"]) == (2, 8)
    assert json.loads(whole.text_of("script", id="contents"))["run"]["sample_of"] is None
    assert page.source.count('id="drawing-') == 2
