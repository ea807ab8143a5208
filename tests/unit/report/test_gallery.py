import hashlib
import re
from base64 import b64decode, b64encode
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw

from heap.collection.records import Failure, Finished
from heap.report.gallery import make_card, write_gallery
from heap.report.palette import REGIONS, rgb
from heap.report.scaling import thumbnail

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
    write_gallery(records, failures, path, title="Trips", summary={"Images": "4", "Objects": "3"})
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
    assert [text for _, text in page.all("dd")] == ["4", "3"]
    assert [text for _, text in page.all("h1")] == ["Trips"]


def test_boxes_are_drawn_on_the_canvas(page: Page) -> None:
    assert page.all("svg", "objects")[0][0]["viewbox"] == "0 0 960 720"
    boxes = [
        [float(str(box[side])) for side in ("x", "y", "width", "height")]
        for box, _ in page.all("rect", "box")
    ]
    assert boxes == [[60, 156, 420, 420], [552, 192, 348, 348], [60, 156, 420, 420]]


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


def test_regions_are_pictures_in_their_colours(page: Page) -> None:
    uri = str(page.all("img", "regions")[0][0]["src"])
    with Image.open(BytesIO(b64decode(uri.partition(",")[2]))) as image:
        assert image.size == (80, 60)
        colours = image.convert("RGB")
    assert colours.getpixel((10, 30)) == rgb(REGIONS[0])
    assert colours.getpixel((70, 30)) == rgb(REGIONS[1])


def test_the_page_loads_nothing_and_allows_only_its_own_script(page: Page) -> None:
    for tag, attributes, _ in page.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name != "style", tag
            if name in {"src", "href"}:
                assert str(value).startswith("data:image/"), (tag, value)
    (policy,) = [a["content"] for a, _ in page.all("meta") if a.get("http-equiv")]
    for tag in ("script", "style"):
        ((_, text),) = page.all(tag)
        digest = b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in str(policy)
        assert "url(" not in text
    assert "default-src 'none'" in str(policy)
    assert "://" not in page.source


def test_photos_are_decoded_only_when_they_come_into_view(page: Page) -> None:
    photos = page.all("img", "photo")
    assert len(photos) == 2  # the third image came without a thumbnail
    assert {photo["loading"] for photo, _ in photos} == {"lazy"}
    assert (photos[0][0]["width"], photos[0][0]["height"]) == ("80", "60")


def test_controls_are_there_and_named(page: Page) -> None:
    values = [control["value"] for control, _ in page.all("input") if control["type"] == "radio"]
    assert values == ["all", "none", "low", "failed"]
    layers = [control["name"] for control, _ in page.all("input") if control["type"] == "checkbox"]
    assert layers == ["masks", "boxes", "regions"]
    orders = [option["value"] for option, _ in page.all("option")]
    assert orders == ["name", "score", "-score", "objects", "-objects"]
    for button, text in page.all("button"):
        assert button.get("aria-label") or text


def test_a_run_without_images_gives_a_page(tmp_path: Path) -> None:
    write_gallery([], [], tmp_path / "gallery.html", title="Nothing", summary={})
    assert not Page(tmp_path / "gallery.html").all("article")
