"""Composed pictures, of photos with one flat ellipse each: what was pasted where can be seen."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from benchmarks.composed import SHARES, Placed, compose, layouts, overlap, parts_of, paste, place
from benchmarks.cutouts import Cutout, cut_out, ground
from PIL import Image
from scipy.ndimage import binary_erosion

from heap.base.errors import InputError
from heap.benchmark.datasets import open_dataset
from heap.benchmark.metrics.boxes import mask_boxes
from heap.benchmark.truth import Dataset, Truth

HEIGHT, WIDTH = 210, 300
PHOTOS = 8


def colour(number: int) -> tuple[int, int, int]:
    return 255 * (number % 2), 255 * (number // 2 % 2), 80 * (number // 4)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for folder in ("images", "masks"):
        (root / "duts-tr" / "tune" / folder).mkdir(parents=True)
    rows, cols = np.mgrid[:HEIGHT, :WIDTH]
    for number in range(PHOTOS):
        mask = np.hypot((rows - 60) / 50, (cols - 60) / (30 + 2 * number)) < 1
        pixels = np.random.default_rng(number).integers(100, 140, (HEIGHT, WIDTH, 3), np.uint8)
        pixels[mask] = colour(number)
        tune = root / "duts-tr" / "tune"
        Image.fromarray(pixels).save(tune / "images" / f"{number}.png")
        Image.fromarray(mask).save(tune / "masks" / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def composed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "composed"
    compose(data=data, out=out, pictures=6)
    return out


def opened(root: Path) -> Dataset:
    return open_dataset(f"coco:{root}")


def truth_of(mask: np.ndarray) -> Truth:
    boxes = mask_boxes(mask)
    return Truth(boxes, np.zeros(len(boxes), dtype=bool), mask)


def flat(mask: np.ndarray, value: int = 200, **borders: bool) -> Cutout:
    touched = {side: borders.get(side, False) for side in ("left", "top", "right", "bottom")}
    return Cutout("flat", np.full((*mask.shape, 3), value, dtype=np.uint8), mask, **touched)


def test_every_picture_has_different_objects_of_the_sizes_that_were_asked_for(
    composed: Path,
) -> None:
    examples = opened(composed).examples
    assert len(examples) == 6
    counts = set()
    for example in examples:
        truth = example.truth(example.picture())
        assert truth.instances is not None
        assert truth.box_classes is not None
        assert truth.classes is not None
        counts.add(len(truth.boxes))
        assert len(set(truth.box_classes)) == len(truth.boxes)
        assert not truth.crowds.any()
        assert (truth.instances.sum(axis=0) <= 1).all()
        for mask, box in zip(truth.instances, truth.boxes, strict=True):
            assert SHARES[0] / 2 < mask.mean() < SHARES[1] * 1.02
            rows, cols = np.nonzero(mask)
            assert box.tolist() == [cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]
    assert counts == {2, 3}


def test_an_object_is_what_its_category_says_and_lies_where_its_mask_is(composed: Path) -> None:
    examples = opened(composed).examples
    assert len(examples) == 6
    for example in examples:
        picture = example.picture()
        truth = example.truth(picture)
        assert truth.instances is not None
        assert truth.box_classes is not None
        for mask, name in zip(truth.instances, truth.box_classes, strict=True):
            inside = binary_erosion(mask, iterations=5)
            expected = colour(int(name.removesuffix(".png")))
            assert np.abs(picture.pixels[inside].mean(axis=0) - expected).max() < 4
        clear = np.all(~truth.instances, axis=0)
        outside = picture.pixels[binary_erosion(clear, iterations=9, border_value=1)]
        assert 110 < outside.mean() < 130


def test_the_same_arguments_give_the_same_files(composed: Path, data: Path, tmp_path: Path) -> None:
    for name, seed in (("again", 0), ("other", 1)):
        compose(data=data, out=tmp_path / name, pictures=6, seed=seed)

    def files(root: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in root.rglob("*") if path.is_file()}

    assert len(files(composed)) == 7
    assert files(tmp_path / "again") == files(composed)
    assert files(tmp_path / "other")["instances.json"] != files(composed)["instances.json"]


def test_what_was_there_is_replaced(data: Path, tmp_path: Path) -> None:
    for pictures in (3, 2):
        compose(data=data, out=tmp_path / "out", pictures=pictures)
    assert len(list((tmp_path / "out" / "images").iterdir())) == 2


def test_twins_are_of_one_class(data: Path, tmp_path: Path) -> None:
    compose(data=data, out=tmp_path / "out", pictures=3, twins=True)
    examples = opened(tmp_path / "out").examples
    assert len(examples) == 3
    for example in examples:
        classes = example.truth(example.picture()).box_classes
        assert classes is not None
        assert (len(classes), len(set(classes))) == (2, 1)


def test_all_objects_come_up_before_one_comes_up_again(data: Path) -> None:
    photos = open_dataset(f"folder:{data / 'duts-tr' / 'tune'}")
    objects, grounds = parts_of(photos.examples)
    assert len(objects) == len(grounds) == PHOTOS
    dealt = layouts(objects, grounds, np.random.default_rng(3), twins=True)
    pairs = [placed for _, placed in islice(dealt, 30)]
    assert {pair[0].cutout.name for pair in pairs} == set(objects)
    assert all(overlap(pair) <= 0.2 for pair in pairs)


def test_too_few_photos_are_refused(data: Path) -> None:
    photos = open_dataset(f"folder:{data / 'duts-tr' / 'tune'}")
    for count in (0, 1, 2):
        objects, grounds = parts_of(photos.examples[:count])
        dealt = layouts(objects, grounds, np.random.default_rng(0), twins=False)
        with pytest.raises(InputError, match=f"{count} objects and {count} grounds are too few"):
            next(dealt)


class TestCutOut:
    def cut(self, *parts: tuple[slice, slice]) -> Cutout | None:
        mask = np.zeros((20, 40), dtype=bool)
        for part in parts:
            mask[part] = True
        return cut_out("a", np.arange(2400, dtype=np.uint8).reshape(20, 40, 3), truth_of(mask))

    def test_the_largest_part_is_taken(self) -> None:
        found = self.cut((slice(2, 6), slice(3, 20)), (slice(10, 12), slice(3, 20)))
        assert found is not None
        assert found.mask.shape == (4, 17)
        assert found.pixels[0, 0].tolist() == [(3 * (2 * 40 + 3) + c) % 256 for c in range(3)]
        assert (found.left, found.top, found.right, found.bottom) == (False,) * 4

    def test_borders_that_it_touches_are_told(self) -> None:
        found = self.cut((slice(12, 20), slice(0, 12)))
        assert found is not None
        assert (found.left, found.top, found.right, found.bottom) == (True, False, False, True)

    @pytest.mark.parametrize(
        "part",
        [
            (slice(2, 5), slice(2, 5)),  # 9 of 800 pixels
            (slice(2, 19), slice(2, 39)),
            (slice(5, 10), slice(0, 40)),
            (slice(0, 20), slice(5, 10)),
        ],
    )
    def test_too_small_too_large_or_from_border_to_border(self, part: tuple[slice, slice]) -> None:
        assert self.cut(part) is None

    def test_nothing(self) -> None:
        assert self.cut() is None


class TestGround:
    def test_keeps_clear_of_the_object_and_is_trimmed(self) -> None:
        mask = np.zeros((200, 600), dtype=bool)
        mask[:, :100] = True
        pixels = np.repeat((255 * mask).astype(np.uint8)[..., None], 3, axis=2)
        found = ground(pixels, truth_of(mask))
        assert found is not None
        assert not found.any()
        assert found.shape[1] == round(1.5 * found.shape[0])

    def test_is_none_where_little_is_left(self) -> None:
        mask = np.ones((200, 300), dtype=bool)
        mask[:100, :100] = False
        pixels = np.zeros((200, 300, 3), dtype=np.uint8)
        assert ground(pixels, truth_of(mask)) is None


class TestPlace:
    def test_what_a_border_cut_off_stays_at_it(self) -> None:
        mask = np.ones((40, 40), dtype=bool)
        for seed in range(5):
            random = np.random.default_rng(seed)
            low = place(flat(mask, bottom=True, right=True), (100, 120), random)
            high = place(flat(mask, top=True, left=True), (100, 120), random)
            assert low is not None
            assert high is not None
            assert (low.x + low.width, low.y + low.height) == (120, 100)
            assert (high.x, high.y) == (0, 0)

    def test_what_would_have_to_be_blown_up_does_not_fit(self) -> None:
        random = np.random.default_rng(0)
        assert place(flat(np.ones((4, 4), dtype=bool)), (100, 120), random) is None

    def test_what_is_too_long_does_not_fit(self) -> None:
        random = np.random.default_rng(0)
        assert place(flat(np.ones((4, 400), dtype=bool)), (100, 120), random) is None


class TestPaste:
    def test_the_later_one_covers_the_earlier_one(self) -> None:
        back = np.full((60, 80, 3), 50, dtype=np.uint8)
        square = np.ones((20, 20), dtype=bool)
        below = Placed(flat(square, 200), 10, 10, 20, 20)
        above = Placed(flat(square, 100), 26, 10, 20, 20)
        pixels, (first, second) = paste(back, [below, above])
        assert (first.sum(), second.sum()) == (20 * 16, 20 * 20)
        assert not (first & second).any()
        assert pixels[20, 20].tolist() == [200] * 3
        assert pixels[20, 36].tolist() == [100] * 3

    def test_edges_are_soft_inwards_and_nothing_changes_outside(self) -> None:
        back = np.full((60, 80, 3), 50, dtype=np.uint8)
        pixels, (mask,) = paste(back, [Placed(flat(np.ones((20, 20), bool)), 10, 10, 20, 20)])
        assert (pixels[~mask] == 50).all()
        across = pixels[20, 10:15, 0].astype(int)
        assert 50 < across[0] < 150
        assert (np.diff(across) >= 0).all()
        assert across[-1] == 200

    def test_at_the_border_of_the_picture_they_are_hard(self) -> None:
        back = np.full((60, 80, 3), 50, dtype=np.uint8)
        pixels, _ = paste(back, [Placed(flat(np.ones((20, 20), bool)), 0, 10, 20, 20)])
        assert pixels[20, 0].tolist() == [200] * 3

    def test_a_box_inside_another_overlaps_wholly(self) -> None:
        cut = flat(np.ones((20, 20), bool))
        assert overlap([Placed(cut, 0, 0, 40, 40), Placed(cut, 5, 5, 10, 10)]) == 1
        assert overlap([Placed(cut, 0, 0, 10, 10), Placed(cut, 8, 0, 10, 20)]) == 0.2
