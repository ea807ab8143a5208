"""Where the background crops of the abstention benchmark come from."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.empty_images import (
    LEAST_AREA,
    LEAST_SIDE,
    RATIO,
    REAL,
    background_box,
    build,
    contact_sheet,
    not_background,
)
from benchmarks.textures import textures
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from miniatures import voc_xml
from PIL import Image
from properties import examples

from heap.benchmark.datasets import open_dataset
from heap.benchmark.truth import Truth
from heap.fitting.empty import Span, largest_rectangle

Mask = np.ndarray
SMALL = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=6))


def by_force(free: Mask, ratio: float) -> int:
    """The area of the largest rectangle, of all that there are."""
    rows, cols = free.shape
    areas = [
        (bottom - top) * (right - left)
        for top in range(rows)
        for bottom in range(top + 1, rows + 1)
        for left in range(cols)
        for right in range(left + 1, cols + 1)
        if free[top:bottom, left:right].all()
        and max(bottom - top, right - left) <= ratio * min(bottom - top, right - left)
    ]
    return max(areas, default=0)


class TestRectangle:
    @settings(deadline=None)
    @given(free=SMALL, ratio=st.sampled_from([1.0, 1.5, 2.0, 3.0]))
    def test_none_is_larger(self, free: Mask, ratio: float) -> None:
        span = largest_rectangle(free, ratio)
        if span is None:
            assert not free.any()
            return
        top, left, bottom, right = span
        sides = bottom - top, right - left
        assert free[top:bottom, left:right].all()
        assert max(sides) <= ratio * min(sides)
        assert sides[0] * sides[1] == by_force(free, ratio)

    def test_the_middle_is_kept_of_what_is_too_long(self) -> None:
        free = np.zeros((3, 9), dtype=bool)
        free[1, 1:8] = True
        assert largest_rectangle(free, 3.0) == (1, 3, 2, 6)
        assert largest_rectangle(free.T, 3.0) == (1, 1, 4, 2)


class TestBox:
    def test_beside_an_object(self) -> None:
        blocked = np.zeros((200, 300), dtype=bool)
        blocked[60:140, 100:200] = True
        # Cells of 3 pixels; 200 is no multiple of 3. Left and right of it are alike.
        assert background_box(blocked) == (0, 0, 198, 99)

    @pytest.mark.parametrize(
        ("size", "free"),
        [((200, 300), (200, 63)), ((1000, 1000), (280, 280)), ((60, 90), (60, 90))],
    )
    def test_too_small_to_be_used(self, size: tuple[int, int], free: tuple[int, int]) -> None:
        blocked = np.ones(size, dtype=bool)
        blocked[: free[0], : free[1]] = False
        assert background_box(blocked) is None

    @settings(deadline=None, max_examples=examples(30))
    @given(
        size=st.tuples(st.integers(80, 320), st.integers(80, 320)),
        seed=st.integers(0, 1000),
    )
    def test_what_is_found_is_as_promised(self, size: tuple[int, int], seed: int) -> None:
        draw = np.random.default_rng(seed)
        blocked = np.zeros(size, dtype=bool)
        y, x = draw.integers(0, size)
        blocked[y : y + draw.integers(1, 200), x : x + draw.integers(1, 200)] = True
        span = background_box(blocked)
        if span is not None:
            check_crop(span, blocked)


def check_crop(span: Span, blocked: Mask) -> None:
    top, left, bottom, right = span
    sides = bottom - top, right - left
    assert not blocked[top:bottom, left:right].any()
    assert min(sides) >= LEAST_SIDE
    assert max(sides) <= RATIO * min(sides)
    assert sides[0] * sides[1] >= LEAST_AREA * blocked.size
    assert bottom <= blocked.shape[0]
    assert right <= blocked.shape[1]


class TestBackground:
    def test_objects_void_and_boxes_and_what_is_near(self) -> None:
        foreground, void = np.zeros((2, 100, 200), dtype=bool)
        foreground[50, 20] = void[50, 100] = True
        truth = Truth(np.array([[149.5, -1.0, 152.5, 3.5]]), np.array([False]), foreground, void)
        without = np.zeros((100, 200), dtype=bool)
        without[46:55, 16:25] = without[46:55, 96:105] = True  # 2 % of 200 pixels all around
        assert np.array_equal(not_background(truth, boxes=False), without)
        without[:8, 145:157] = True
        assert np.array_equal(not_background(truth, boxes=True), without)


class TestTextures:
    def test_the_same_seed_draws_the_same_and_none_twice(self) -> None:
        once, again, other = textures(10, 3), textures(10, 3), textures(10, 4)
        assert [name for name, _ in once] == [name for name, _ in again]
        assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(once, again, strict=True))
        digests = {pixels.tobytes() for _, pixels in (*once, *other)}
        assert len(digests) == 20
        kinds = {name.partition("-")[0] for name, _ in once}
        assert kinds == {"plain", "gradient", "noise", "waves", "cloud"}


def disc(number: int) -> Mask:
    """Foreground of image `number`, somewhere else in each."""
    rows, cols = np.mgrid[:120, :160]
    inside: Mask = np.hypot(rows - 40 - 9 * (number % 4), cols - 40 - 15 * (number % 5)) < 12
    return inside


def save(array: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red objects on grey noise, in the three layouts that are cut from."""
    root = tmp_path_factory.mktemp("data")
    voc = root / "voc12-animals" / "VOC2012"
    (voc / "Annotations").mkdir(parents=True)
    (voc / "ImageSets" / "Segmentation").mkdir(parents=True)
    for number in range(12):
        grey = np.random.default_rng(number).integers(60, 200, (120, 160, 1), dtype=np.uint8)
        pixels = grey.repeat(3, axis=2)
        pixels[disc(number)] = (255, 0, 0)
        name, mask = f"{number:04d}", 255 * disc(number).astype(np.uint8)
        for folder in ("duts-tr/tune", "ecssd500"):
            save(pixels, root / folder / "images" / f"{name}.png")
            save(mask, root / folder / "masks" / f"{name}.png")
        save(pixels, voc / "JPEGImages" / f"{name}.jpg")
        save(mask // 255 * 12, voc / "SegmentationClass" / f"{name}.png")
        # A box that the class map has nothing of: what is in it is no background either.
        text = voc_xml(name, [(1, 1, 160, 20)], size=(160, 120))
        (voc / "Annotations" / f"{name}.xml").write_text(text)
    (root / "duts-tr/tune/masks/0007.png").unlink()
    save(np.full((120, 160), 255, np.uint8), root / "duts-tr/tune/masks/0007.png")
    for split, numbers in {"train": range(6), "val": range(6, 12)}.items():
        names = "".join(f"{number:04d}\n" for number in numbers)
        (voc / "ImageSets" / "Segmentation" / f"{split}.txt").write_text(names)
    return root


class TestBuild:
    def test_crops_are_where_the_list_says_and_have_nothing_in_them(
        self, data: Path, tmp_path: Path
    ) -> None:
        made = build(data, tmp_path)
        assert len({each["image"] for each in made}) == len(made)
        sources = {"tune": "duts-tr/tune/images", "ecssd": "ecssd500/images",
                   "voc": "voc12-animals/VOC2012/JPEGImages"}  # fmt: skip
        for each in made:
            kind = each["image"].split("/")[1]
            crop = np.asarray(Image.open(tmp_path / each["image"]))
            if kind == "synthetic":
                continue
            whole = np.asarray(Image.open(data / sources[kind] / each["source"]))
            x1, y1, x2, y2 = each["box"]
            assert np.array_equal(crop, whole[y1:y2, x1:x2])
            number = int(Path(each["source"]).stem)
            assert not disc(number)[y1:y2, x1:x2].any()
            check_crop((y1, x1, y2, x2), disc(number))
            if kind == "voc":
                assert y1 >= 20

    def test_no_image_is_in_both_folders(self, data: Path, tmp_path: Path) -> None:
        made = build(data, tmp_path)
        by_folder = {
            folder: {each["source"] for each in made if each["image"].startswith(f"{folder}/")}
            for folder in ("choose/tune", "report/tune")
        }
        assert by_folder["choose/tune"] == {f"{number:04d}.png" for number in range(0, 12, 2)}
        # Number 7 is foreground all over.
        assert by_folder["report/tune"] == {f"{number:04d}.png" for number in (1, 3, 5, 9, 11)}

    def test_it_is_a_data_set_with_few_synthetic_pictures(self, data: Path, tmp_path: Path) -> None:
        build(data, tmp_path)
        splits = [each.split for each in open_dataset(f"empty:{tmp_path / 'report'}").examples]
        crops = len(splits) - splits.count("synthetic")
        assert set(splits) == {"tune", "ecssd", "voc", "synthetic"}
        assert splits.count("synthetic") == crops // REAL
        assert splits.count("synthetic") <= len(splits) / 10
        assert {each.split for each in open_dataset(f"empty:{tmp_path / 'choose'}").examples} == {
            "tune"
        }

    def test_twice_is_the_same_and_once_is_enough(self, data: Path, tmp_path: Path) -> None:
        first, second = build(data, tmp_path / "a"), build(data, tmp_path / "b")
        assert first == second
        for each in first:
            name = each["image"]
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        (tmp_path / "a" / first[0]["image"]).unlink()
        assert build(data, tmp_path / "a") == first
        assert not (tmp_path / "a" / first[0]["image"]).exists(), "it is not made again"

    def test_a_contact_sheet(self, tmp_path: Path) -> None:
        for number, (name, pixels) in enumerate(textures(15, 0)):
            save(pixels, tmp_path / f"{number:02d}-{name}.png")
        contact_sheet(sorted(tmp_path.glob("*.png")), tmp_path / "sheets" / "all.png")
        with Image.open(tmp_path / "sheets" / "all.png") as page:
            assert page.size == (14 * 120, 2 * 120)
