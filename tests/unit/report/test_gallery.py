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
from PIL import Image, ImageChops, ImageDraw

from heap.categories.edit import reject, reject_objects
from heap.images.failures import Failure
from heap.masks.palette import REGIONS, rgb
from heap.masks.scaling import thumbnail
from heap.report.cards import make_card
from heap.report.gallery import Page as Content
from heap.report.gallery import write_gallery, write_page
from heap.store.editing import Editor
from heap.store.records import Finished
from heap.store.store import RunStore

from .conftest import HEIGHT, WIDTH, Make

Attributes = dict[str, str | None]


VOID = {"meta", "img", "input", "link", "br"}


class Page(HTMLParser):
    """The elements of a page in order, and the text right inside each."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes, list[str]]] = []
        self._open: list[list[str]] = []
        self.source = path.read_text("utf-8")
        self.feed(self.source)
        self.close()
        assert not self._open, "an element was not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self._open.append(self.elements[-1][2])

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1].append(data)

    def all(self, tag: str, of_class: str | None = None) -> list[tuple[Attributes, str]]:
        return [
            (attributes, "".join(text))
            for name, attributes, text in self.elements
            if name == tag and of_class in (None, attributes.get("class"))
        ]


@pytest.fixture
def page(tmp_path: Path, make: Make) -> Page:
    photo = thumbnail(np.full((HEIGHT, WIDTH, 3), 90, dtype=np.uint8))
    records = [
        Finished(make("trips/ring & disc.jpg"), photo, note="first of 3 frames"),
        Finished(make("nothing.jpg", objects=0), photo),
        Finished(make("unsure.jpg", objects=1, scores=(0.24,))),
    ]
    failures = [Failure("torn.jpg", "decode", "ends too early")]
    path = tmp_path / "gallery.html"
    summary = {"Images": "4", "Objects": "3"}
    write_page(Content("Trips", summary, map(make_card, records), failures), path)
    return Page(path)


def test_every_image_is_shown_with_what_was_found(page: Page) -> None:
    cards = [attributes for attributes, _ in page.all("article")]
    assert [(card["data-name"], card["data-objects"], card["data-kind"]) for card in cards] == [
        ("trips/ring & disc.jpg", "2", "sure"),
        ("nothing.jpg", "0", "none"),
        ("unsure.jpg", "1", "low"),
    ]
    assert [float(str(card["data-score"])) for card in cards] == pytest.approx([0.9, 0, 0.24])
    facts = [text for _, text in page.all("p", "facts")]
    assert facts == ["80 × 60 · 2 objects · first of 3 frames", "80 × 60 · no objects",
                     "80 × 60 · 1 object"]  # fmt: skip
    scores = [text for _, text in page.all("span")]
    assert scores[-6:] == ["0.90", "5 13 40 48", "0.50", "46 16 75 45", "0.24", "5 13 40 48"]
    assert [text for _, text in page.all("td")] == ["", "decode", "ends too early"]
    assert [text for _, text in page.all("bdi")][-1] == "torn.jpg"
    assert [text for _, text in page.all("dd")][:2] == ["4", "3"]
    assert [text for _, text in page.all("h1")] == ["Trips"]


def drawings(page: Page) -> list[dict[str, Any]]:
    """What the script makes pictures of, for each image."""
    return [json.loads(text) for a, text in page.all("script") if a.get("type")]


def test_boxes_and_tiles_are_given_on_the_canvas(page: Page) -> None:
    found = drawings(page)
    assert [each["canvas"] for each in found] == [[960, 720]] * 3
    shapes = [shape for each in found for shape in each["shapes"]]
    assert [shape["frame"] for shape in shapes] == [
        [60, 156, 420, 420], [552, 192, 348, 348], [60, 156, 420, 420]
    ]  # fmt: skip
    # The margin of the first reaches over the left edge, by 2 of its 42.
    assert shapes[0]["square"] == pytest.approx([18, 114, 504], abs=0.1)
    assert [shape["index"] for shape in shapes] == [0, 1, 0]


def test_outlines_cover_what_the_masks_cover(make: Make) -> None:
    result = make()
    for shape, mask in zip(make_card(Finished(result)).shapes, result.objects.masks, strict=True):
        dense = mask.decode()
        # The canvas is 12 times as large; cells are compared at their centres.
        drawn = rasterised(shape.path, (WIDTH * 12, HEIGHT * 12))[6::12, 6::12]
        assert (drawn & dense).sum() / (drawn | dense).sum() > 0.97


def rasterised(path: str, size: tuple[int, int]) -> np.ndarray:
    """An SVG path of `M x y l dx dy ... z` pieces, filled by the even-odd rule."""
    canvas = Image.new("1", size)
    for start, steps in re.findall(r"M([^l]+)l([^z]+)z", path):
        moves = np.array([start.split(), *np.array(steps.split()).reshape(-1, 2)], dtype=int)
        ring = Image.new("1", size)
        ImageDraw.Draw(ring).polygon([tuple(point) for point in moves.cumsum(axis=0)], fill=1)
        canvas = ImageChops.logical_xor(canvas, ring)
    return np.asarray(canvas)


def test_pictures_are_in_the_page_as_text_and_once(page: Page) -> None:
    first = drawings(page)[0]
    with Image.open(BytesIO(b64decode(first["regions"]))) as image:
        assert image.size == (80, 60)
        colours = image.convert("RGB")
    assert colours.getpixel((10, 30)) == rgb(REGIONS[0])
    assert colours.getpixel((70, 30)) == rgb(REGIONS[1])
    with Image.open(BytesIO(b64decode(first["photo"]))) as image:
        assert image.format == "JPEG"
        assert image.size == (80, 60)
    assert page.source.count(first["photo"]) == 2  # of two images with the same photo
    assert drawings(page)[2]["photo"] == "", "it came without a thumbnail"
    assert not page.all("img"), "pictures are made where they come into view"


def test_the_page_loads_nothing_and_allows_only_its_own_script(page: Page) -> None:
    for tag, attributes, _ in page.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name != "style", tag
            assert name not in {"src", "href", "srcset", "action"}, (tag, value)
    (policy,) = [a["content"] for a, _ in page.all("meta") if a.get("http-equiv")]
    for tag in ("script", "style"):
        # Blocks of data are no scripts.
        (text,) = (text for attributes, text in page.all(tag) if not attributes.get("type"))
        digest = b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in str(policy)
        assert "url(" not in text
    assert "default-src 'none'" in str(policy)
    assert "img-src blob:;" in str(policy)
    addresses = set(re.findall(r"\w+://[^\"' ]*", page.source))
    assert addresses == {"http://www.w3.org/2000/svg"}, "a name, which nothing is loaded from"


def test_controls_are_there_and_named(page: Page) -> None:
    values = [control["value"] for control, _ in page.all("input") if control["type"] == "radio"]
    assert values == ["all", "none", "low", "failed"]
    layers = [control["name"] for control, _ in page.all("input") if control["type"] == "checkbox"]
    assert layers == ["masks", "boxes", "regions"]
    orders = [option["value"] for option, _ in page.all("option")]
    assert orders == ["system", "light", "dark", "name", "score", "-score", "objects", "-objects"]
    for button, text in page.all("button"):
        assert button.get("aria-label") or text


def test_a_page_without_images_can_be_made(tmp_path: Path) -> None:
    write_page(Content("Nothing", {}, [], []), tmp_path / "gallery.html")
    assert not Page(tmp_path / "gallery.html").all("article")


@pytest.fixture
def run(tmp_path: Path, make: Make) -> Path:
    """Three images with two objects each."""
    folder = tmp_path / "animals"
    with RunStore.create_or_open(folder, {}) as store:
        names = ("a.jpg", "b.jpg", "c.jpg")
        store.add([Finished(make(name)) for name in names])
        store.add([Failure("torn.jpg", "decode", "ends too early")])
    return folder


def gallery(run: Path) -> Page:
    write_gallery(RunStore.open(run), run / "gallery.html")
    return Page(run / "gallery.html")


def facts_of(page: Page) -> list[tuple[str | None, ...]]:
    """Of each object: its place in its image, its strip and its similarity."""
    items = [a for tag, a, _ in page.elements if tag == "li"]
    return [tuple(a.get(f"data-{name}") for name in ("index", "strip", "similarity"))
            for a in items]  # fmt: skip


def test_the_gallery_of_a_run_that_was_never_sorted_has_no_strips(run: Path) -> None:
    page = gallery(run)
    assert [text for _, text in page.all("h1")] == ["animals"]
    assert [text for _, text in page.all("dd")][:4] == ["4", "6", "0", "1"]
    assert not page.all("section")
    assert facts_of(page) == [("0", None, None), ("1", None, None)] * 3
    assert [text for _, text in page.all("td")][1:] == ["decode", "ends too early"]


def sort_by_hand(run: Path) -> None:
    members = {"a.jpg#0": 1, "b.jpg#0": 1, "c.jpg#0": 1, "a.jpg#1": 2, "b.jpg#1": 0}
    with Editor(run) as editor:
        names = {1: "ring & disc", 2: ""}
        rows = [
            {"id": at, "name": name, "rejected": False, "prototype": [1.0, 0.0],
             "least": 0.0, "made_with": '{"last": 2}'}
            for at, name in names.items()
        ]  # fmt: skip
        editor.write_categories(rows)
        for name, category in members.items():
            similarity = 0.5 + 0.1 * "cba".index(name[0])
            values = {"category": category, "similarity": similarity}
            editor.update_objects(f"id = '{name}'", values)


def test_objects_say_what_strip_they_are_in(run: Path) -> None:
    sort_by_hand(run)
    page = gallery(run)
    strips = [(a["data-id"], a["aria-label"]) for a, _ in page.all("section")]
    assert strips == [
        ("1", "ring & disc"), ("2", "category-2"), ("0", "in no category"), ("-1", "not sorted yet")
    ]  # fmt: skip
    # Of no category is no similarity told, and of what was not sorted either.
    assert facts_of(page) == [
        ("0", "1", "0.7"), ("1", "2", "0.7"), ("0", "1", "0.6"), ("1", "0", None),
        ("0", "1", "0.5"), ("1", "-1", None),
    ]  # fmt: skip
    coherence = [text for _, text in page.all("p", "facts") if "coherence" in text]
    assert coherence == [" · coherence 0.60", " · coherence 0.70"]
    assert [text for _, text in page.all("bdi", "category")] == [
        "ring & disc", "category-2", "ring & disc", "ring & disc"
    ]  # fmt: skip


def test_what_was_rejected_is_left_out(run: Path) -> None:
    sort_by_hand(run)
    with Editor(run) as editor:
        reject(editor, [2])
        reject_objects(editor, ["b.jpg#0", "b.jpg#1"])
    page = gallery(run)
    assert [a["data-id"] for a, _ in page.all("section")] == ["1", "-1"]
    assert facts_of(page) == [("0", "1", "0.7"), ("0", "1", "0.5"), ("1", "-1", None)]
    kinds = [(a["data-kind"], a["data-score"]) for a, _ in page.all("article")]
    assert kinds == [("sure", "0.9"), ("none", "0.0"), ("sure", "0.9")]
    assert [[s["index"] for s in each["shapes"]] for each in drawings(page)] == [[0], [], [0, 1]]
    named = dict(zip([t for _, t in page.all("dt")], [t for _, t in page.all("dd")], strict=False))
    assert (named["objects"], named["rejected"], named["categories"]) == ("3", "3", "1")
