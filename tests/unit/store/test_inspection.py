"""Copies, typical and odd objects of runs that are made up, and of pictures."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from heap.base.errors import InputError
from heap.categories.edit import gather_objects, reject, reject_objects
from heap.categories.inspection import ALIKE, inspect, likeness, signature
from heap.images.failures import Failure
from heap.store.editing import Editor
from heap.store.matching import is_gone
from heap.store.records import Finished
from heap.store.store import RunStore

from .runs import add, around
from .test_store import CONFIG, example


def picture(seed: int, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """Blurred noise, which differs in large parts, as photos do."""
    noise = np.random.default_rng(seed).normal(size=(size[1], size[0], 3))
    smooth = gaussian_filter(noise, (9, 9, 0))
    scaled = 255 * (smooth - smooth.min()) / np.ptp(smooth)
    return Image.fromarray(scaled.astype(np.uint8))


def encoded(image: Image.Image, kind: str = "JPEG", **options: int) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def write(run: Path, images: dict[str, tuple[bytes, str]]) -> RunStore:
    with RunStore.create_or_open(run, CONFIG) as store:
        store.add([Failure("0 torn.jpg", "decode", "torn")])
        for key, (thumbnail, digest) in images.items():
            store.add([Finished(example(key, 1), thumbnail, digest)])
    return RunStore.open(run)


def test_the_same_picture_in_other_files(tmp_path: Path) -> None:
    first, second = picture(1), picture(2)
    brighter = Image.fromarray((np.asarray(first) * 0.8 + 40).astype(np.uint8))
    store = write(
        tmp_path,
        {
            "a": (encoded(first, quality=95), "1"),
            "b": (encoded(first.resize((61, 44)), quality=40), "2"),
            "c": (encoded(brighter, quality=90), "3"),
            "d": (encoded(second), "4"),
            "e": (b"", "5"),
            "f": (b"", "5"),
            "g": (encoded(first.transpose(Image.Transpose.FLIP_LEFT_RIGHT)), "6"),
            "h": (encoded(Image.new("RGB", (50, 50), "red")), "7"),
            "i": (encoded(Image.new("RGB", (50, 50), "blue")), "8"),
        },
    )
    assert inspect(store).duplicates == (("a", "b", "c"), ("e", "f"))


def test_a_signature_by_hand() -> None:
    half = np.zeros((32, 32, 3), dtype=np.uint8)
    half[:, 16:] = 200
    found = signature(encoded(Image.fromarray(half), quality=100))
    np.testing.assert_allclose(np.unique(found.round(4)), [-1 / 16, 1 / 16], atol=1e-4)
    assert found @ found == pytest.approx(1, abs=1e-5)
    assert not signature(encoded(Image.new("RGB", (40, 30), "grey"))).any()
    other = signature(encoded(Image.fromarray(half.transpose(1, 0, 2)), quality=100))
    assert found @ other < ALIKE


@pytest.mark.parametrize("kind", ["torn", "of another format", "no picture"])
def test_what_is_no_thumbnail_is_like_nothing(kind: str, tmp_path: Path) -> None:
    """A store may be damaged, or come from somebody else."""
    whole = encoded(picture(1))
    bad = {
        "torn": whole[: len(whole) // 2],
        "of another format": encoded(picture(1), "PNG"),
        "no picture": b"no",
    }
    images = {"a": (whole, "1"), "b": (bad[kind], "2"), "c": (encoded(picture(1)), "3")}
    assert inspect(write(tmp_path, images)).duplicates == (("a", "c"),)


def test_groups_across_the_blocks_that_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heap.categories.inspection._PICTURES", 2)
    seeds = [1, 2, 1, 3, 2, 1, 4, 3, 1]
    images = {f"{at}": (encoded(picture(seed)), str(at)) for at, seed in enumerate(seeds)}
    groups = inspect(write(tmp_path, images)).duplicates
    assert groups == (("0", "2", "5", "8"), ("1", "4"), ("3", "7"))


def test_likeness_by_hand() -> None:
    vectors = np.array([[1, 0], [2, 0], [1, 1], [0, -3]], dtype=np.float32)
    half = 0.5**0.5
    expected = [
        (1 + half + 0) / 3,
        (1 + half + 0) / 3,
        (half + half - half) / 3,
        (0 + 0 - half) / 3,
    ]
    np.testing.assert_allclose(likeness(vectors), expected, atol=1e-6)
    assert np.isnan(likeness(vectors[:1])).all()
    assert likeness(vectors[:0]).shape == (0,)


def test_likeness_is_that_of_the_five_nearest() -> None:
    angles = np.deg2rad([0, 10, 20, 30, 40, 50, 60])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert likeness(vectors)[0] == pytest.approx(np.cos(angles[1:6]).mean(), abs=1e-6)
    assert likeness(vectors)[3] == pytest.approx(
        np.cos(np.deg2rad([10, 10, 20, 20, 30])).mean(), abs=1e-6
    )


class TestObjects:
    @pytest.fixture
    def run(self, tmp_path: Path) -> Path:
        many, odd = around((1, 0, 0), 9, 1), np.array([[-1, 0.2, 0]], dtype=np.float32)
        nothing = np.zeros((0, 3), dtype=np.float32)
        add(tmp_path, {"a": many, "b": odd, "c": nothing, "d": nothing})
        return tmp_path

    def test_the_odd_one_and_the_usual_ones(self, run: Path) -> None:
        found = inspect(RunStore.open(run), 3)
        assert found.unusual[0].id == "b#0"
        assert found.unusual[0].likeness < 0 < found.typical[0].likeness
        assert {each.id[0] for each in found.typical} == {"a"}
        assert (len(found.typical), len(found.unusual)) == (3, 3)
        assert found.empty == ("c", "d")
        assert found.duplicates == ()

    @pytest.mark.parametrize("count", [1, 5, 6, 20])
    def test_of_few_objects_none_is_both_typical_and_unusual(self, run: Path, count: int) -> None:
        found = inspect(RunStore.open(run), count)
        typical, unusual = ({each.id for each in kind} for kind in (found.typical, found.unusual))
        assert len(typical) == len(unusual) == min(count, 5)
        assert not typical & unusual

    @pytest.mark.parametrize("count", [0, -1])
    def test_a_number_that_shows_nothing_is_refused(self, run: Path, count: int) -> None:
        with pytest.raises(InputError, match=f"count is {count}"):
            inspect(RunStore.open(run), count)

    def test_rejected_objects_are_left_out(self, run: Path) -> None:
        with Editor(run) as editor:
            reject_objects(editor, ["b#0"])
        assert inspect(RunStore.open(run)).unusual[0].id.startswith("a#")

    def test_objects_of_rejected_categories_are_left_out(self, run: Path) -> None:
        with Editor(run) as editor:
            number = gather_objects(editor, ["b#0", "a#1"])
            reject(editor, [number])
        found = inspect(RunStore.open(run))
        shown = {each.id for each in (*found.typical, *found.unusual)}
        assert len(shown) == 8
        assert shown.isdisjoint({"b#0", "a#1"})


def test_a_run_without_objects(tmp_path: Path) -> None:
    with RunStore.create_or_open(tmp_path, CONFIG) as store:
        store.add([Finished(replace(example("a", 0), key="a"))])
    found = inspect(RunStore.open(tmp_path))
    assert (found.typical, found.unusual, found.empty) == ((), (), ("a",))


def test_what_cannot_be_looked_for_is_not_gone(tmp_path: Path) -> None:
    """Nobody can say of a name that this machine cannot ask for; `--prune` would drop the image."""
    assert is_gone(str(tmp_path / "a.jpg"))
    (tmp_path / "file").touch()
    assert is_gone(str(tmp_path / "file" / "a.jpg"))
    assert not is_gone(str(tmp_path / ("a" * 300)))
    assert not is_gone("originals/a.jpg")
