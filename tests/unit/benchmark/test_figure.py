"""What is foreground keeps the brightness of its colour; what is not is dimmed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from heap.base.errors import InputError
from heap.benchmark.metrics.masks import mask_iou
from heap.benchmark.tables.figure import figure_rows
from heap.features.describe import PatchFeatures
from heap.images import Picture, Source, decode
from heap.masks.palette import OBJECTS, rgb
from heap.methods.finding import Finding, GridObject, Observed
from heap.report.comparison import Panel, draw_figure

DEMO = Path(__file__).parents[3] / "demo"
GREY = 120
ROWS, COLS = 6, 8


def picture(key: str = "a.jpg", width: int = 80, height: int = 60) -> Picture:
    pixels = np.full((height, width, 3), GREY, dtype=np.uint8)
    return Picture(key, pixels, width, height, "", None)


def features() -> PatchFeatures:
    return PatchFeatures(torch.ones(ROWS * COLS, 2), torch.ones(1, ROWS * COLS), None, (ROWS, COLS))


def two_objects(image: Observed) -> Finding:
    """Left and right, with background between."""
    left, right = (np.zeros(image.features.grid, dtype=bool) for _ in range(2))
    left[1:5, 1:3], right[1:5, 5:7] = True, True
    saliency = (left | right).astype(np.float32)
    label_map = left + 2 * right.astype(np.int64)
    return Finding(saliency, (GridObject(left, 1.0), GridObject(right, 0.9)), label_map)


def nothing(image: Observed) -> Finding:
    return Finding.of_mask(np.zeros(image.features.grid, dtype=bool))


def colour_at(panel: Panel, x: float, y: float) -> np.ndarray:
    """The colour at a place that is given as a fraction of the sides."""
    assert panel.pixels is not None
    height, width, _ = panel.pixels.shape
    return np.asarray(panel.pixels[int(y * height), int(x * width)], dtype=float)


def tinted(number: int) -> np.ndarray:
    return 0.55 * GREY + 0.45 * np.array(rgb(OBJECTS[number]))


def test_a_row_shows_the_photo_the_truth_and_every_method() -> None:
    masks = np.zeros((1, 60, 80), dtype=bool)
    masks[0, :30] = True
    (row,) = figure_rows([picture()], [masks], [features()], {"A": two_objects, "B": nothing})
    photo, truth, found, regions, empty = row.panels
    assert [panel.title for panel in row.panels] == [
        "Image", "Ground truth", "A", "A: regions", "B",
    ]  # fmt: skip
    assert photo.pixels is not None
    assert photo.pixels.shape == (480, 640, 3)
    assert (photo.pixels == GREY).all()
    assert colour_at(truth, 0.5, 0.25) == pytest.approx(tinted(0), abs=2)
    assert (colour_at(truth, 0.5, 0.75) < GREY / 2).all()
    assert colour_at(found, 2 / 8, 0.5) == pytest.approx(tinted(0), abs=2)
    assert colour_at(found, 6 / 8, 0.5) == pytest.approx(tinted(1), abs=2)
    assert (colour_at(found, 4 / 8, 0.5) < GREY / 2).all()
    assert empty.pixels is not None
    assert (empty.pixels < GREY / 2).all()
    shown = [tuple(colour_at(regions, x, 0.5)) for x in (2 / 8, 4 / 8, 6 / 8)]
    assert len(set(shown)) == 3


def test_objects_follow_the_edges_of_the_photo() -> None:
    """A disc of which the grid knows cells of 20 pixels: its mask is the disc."""
    down, across = np.mgrid[:480, :640]
    disc = np.hypot(down - 240, across - 320) < 130
    pixels = np.where(disc[..., None], np.uint8(220), np.uint8(40)).repeat(3, axis=-1)
    cells = disc.reshape(24, 20, 32, 20).mean(axis=(1, 3)) > 0.5
    (row,) = figure_rows(
        [Picture("a", pixels, 640, 480, "", None)],
        None,
        [features()],
        {"A": lambda _: Finding.of_mask(cells)},
    )
    drawn = row.panels[1].pixels
    assert drawn is not None
    kept = drawn.max(axis=-1) > 100
    stepped = np.kron(cells, np.ones((20, 20), dtype=bool))
    assert mask_iou(kept, disc) > max(0.97, mask_iou(stepped, disc))


def test_without_truth_there_is_no_column_and_for_some_an_empty_place() -> None:
    pictures, seen = [picture("a"), picture("b", 30, 90)], [features(), features()]
    without = figure_rows(pictures, None, seen, {"B": nothing})
    assert [[panel.title for panel in row.panels] for row in without] == [["Image", "B"]] * 2
    first, second = figure_rows(pictures, [None, np.zeros((0, 90, 30), bool)], seen, {})
    assert first.panels[1] == Panel("Ground truth", None)
    assert second.panels[1].pixels is not None
    assert (second.panels[1].pixels < GREY / 2).all()


def test_regions_have_a_place_in_every_row_if_in_one() -> None:
    def sometimes(image: Observed) -> Finding:
        return two_objects(image) if image.pixels.shape[0] == 60 else nothing(image)

    rows = figure_rows(
        [picture("a", 60, 40), picture("b")], None, [features(), features()], {"A": sometimes}
    )
    assert [row.panels[2].title for row in rows] == ["A: regions"] * 2
    assert rows[0].panels[2].pixels is None
    assert rows[1].panels[2].pixels is not None


def test_masks_are_those_of_the_original_even_where_it_was_decoded_smaller() -> None:
    reduced = Picture("a", np.full((60, 80, 3), GREY, dtype=np.uint8), 160, 120, "", None)
    masks = np.zeros((1, 120, 160), dtype=bool)
    masks[0, :, :80] = True
    (row,) = figure_rows([reduced], [masks], [features()], {})
    assert colour_at(row.panels[1], 0.45, 0.5) == pytest.approx(tinted(0), abs=2)
    assert (colour_at(row.panels[1], 0.55, 0.5) < GREY / 2).all()


def test_masks_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match=r"masks of a\.jpg have 60 x 80 .* 80 x 60"):
        figure_rows([picture()], [np.zeros((1, 80, 60), bool)], [features()], {})


def test_the_demo_photos_with_their_outlines(tmp_path: Path) -> None:
    """Where the outline says object, the drawing is brighter than the dimmed rest."""
    names = ("parrot", "rocket")
    pictures = [decode(Source(name, str(DEMO / "photos" / f"{name}.jpg"))) for name in names]
    masks = []
    for name in names:
        with Image.open(DEMO / "masks" / f"{name}.png") as drawn:
            masks.append(np.asarray(drawn)[None] == 1)
    rows = figure_rows(pictures, masks, [features()] * 2, {"A": two_objects, "B": nothing})
    for row, mask in zip(rows, masks, strict=True):
        photo, truth = row.panels[0].pixels, row.panels[1].pixels
        assert photo is not None
        assert truth is not None
        size = truth.shape[1], truth.shape[0]
        inside = np.asarray(Image.fromarray(mask[0]).resize(size))
        change = truth.astype(float).mean(axis=-1) / photo.mean(axis=-1).clip(1)
        assert np.median(change[inside]) > 0.8
        assert np.median(change[~inside]) == pytest.approx(0.35, abs=0.02)
    draw_figure(rows, tmp_path / "figure.jpg")
    with Image.open(tmp_path / "figure.jpg") as figure:
        assert figure.size == (20 + 5 * 330 - 10 + 20, 80 + 248 + 10 + 320)
