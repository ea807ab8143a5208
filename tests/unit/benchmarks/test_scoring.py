"""The scoring of the benchmarks by hand, and the data that they name."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.common import images_in
from benchmarks.report import about_data, digest
from benchmarks.scoring import (
    FIELDS,
    difference,
    largest_part_hits,
    means,
    pack,
    read,
    score_saliency,
    share,
)
from benchmarks.studies.pairs import majority_region
from miniatures import HEIGHT, WIDTH, pairs

from heap.base.errors import InputError
from heap.benchmark.datasets import open_dataset
from heap.images import Picture


class TestScoring:
    PICTURE = Picture("a.png", np.full((40, 80, 3), 90, np.uint8), 80, 40, "", None)

    def test_saliency_by_hand(self) -> None:
        # Cells of 20 x 20: upsampled, the left half of the picture is above one half.
        saliency = np.array([[1, 1, 0, 0], [1, 1, 0, 0]], dtype=np.float32)
        truth = np.zeros((40, 80), dtype=bool)
        truth[:, :20] = True
        scores = score_saliency(saliency, self.PICTURE, truth)
        assert scores["iou"] == pytest.approx(0.5)
        assert scores["accuracy"] == pytest.approx(0.75)
        assert scores["corloc"]
        assert 0 <= scores["iou_refined"] <= 1

    def test_an_empty_map_is_a_miss(self) -> None:
        truth = np.ones((40, 80), dtype=bool)
        scores = score_saliency(np.zeros((2, 4), dtype=np.float32), self.PICTURE, truth)
        assert scores == {"iou": 0, "accuracy": 0, "iou_refined": 0, "corloc": False}

    def test_the_threshold_is_exclusive(self) -> None:
        truth = np.zeros((40, 80), dtype=bool)
        truth[:, :20] = True
        half = np.full((2, 4), 0.5, dtype=np.float32)
        assert score_saliency(half, self.PICTURE, truth)["accuracy"] == 0.75
        found = score_saliency(half, self.PICTURE, truth, 0.4)
        assert (found["iou"], found["iou_refined"], found["corloc"]) == (0.25, 0.25, False)

    @pytest.mark.parametrize("scale", [0.51, 1.0])
    def test_soft_maps_are_interpolated(self, scale: float) -> None:
        # Between the centres of the second and third cell the map falls from `scale` to 0.
        saliency = np.array([[scale, scale, 0, 0]] * 2, dtype=np.float32)
        truth = np.arange(80)[None].repeat(40, axis=0) < 40
        edge = 30 + 20 * (1 - 0.5 / scale)
        found = score_saliency(saliency, self.PICTURE, truth)
        assert found["accuracy"] == pytest.approx(1 - abs(40 - edge) / 80, abs=1 / 80)

    def test_the_box_is_that_of_the_largest_part(self) -> None:
        truth = np.zeros((40, 40), dtype=bool)
        truth[20:, 20:] = True
        saliency = np.zeros((4, 4), dtype=np.float32)
        saliency[2:, 2:] = 0.9
        saliency[0, 0] = 1
        assert largest_part_hits(saliency, truth)
        saliency[:2, :3] = 1
        saliency[2, 2:] = 0
        assert not largest_part_hits(saliency, truth)

    def test_rows_keep_the_order_of_the_fields(self) -> None:
        row = pack("a.jpg", {"one": {"corloc": True, "iou": 0.5}})
        assert dict(zip(FIELDS, row["one"], strict=True)) == {
            "iou": 0.5,
            "accuracy": None,
            "iou_refined": None,
            "corloc": 1.0,
            "corloc_any": None,
            "iou_oracle": None,
        }

    def test_the_difference_pairs_the_images(self) -> None:
        # The images differ by far more than the methods do: paired, the difference is certain.
        rows = [
            pack(str(number), {"ours/0": {"iou": base + 0.25}, "theirs": {"iou": base}})
            for number, base in enumerate(np.linspace(0, 0.5, 5))
        ]
        found = difference(rows, "ours", "theirs", "iou")
        assert found["mean"] == pytest.approx(0.25)
        assert found["interval"] == pytest.approx([0.25, 0.25])
        assert means(rows)["ours"] == {"iou": pytest.approx(0.5)}

    def test_the_share_has_an_interval(self) -> None:
        found = share([{"ok": number < 8} for number in range(10)], "ok")
        assert (found["count"], found["of"], found["share"]) == (8, 10, 0.8)
        assert found["interval"][0] < 0.8 < found["interval"][1]


class TestData:
    def test_an_example_is_read_with_its_foreground(self, tmp_path: Path) -> None:
        pairs(tmp_path)
        picture, truth = read(open_dataset(f"folder:{tmp_path}").examples[0])
        assert (picture.key, picture.width, picture.height) == ("a.jpg", WIDTH, HEIGHT)
        assert truth[0].tolist() == 6 * [False] + 6 * [True]

    def test_images_and_masks_decide_the_checksum(self, tmp_path: Path) -> None:
        pairs(tmp_path, names="ab")
        images = images_in(tmp_path / "images")
        about = about_data("a set", images)
        assert (about["set"], about["images"]) == ("a set", 2)
        masks = [tmp_path / "masks" / name for name in ("a.png", "b.png")]
        files = [images[0], masks[0], images[1], masks[1]]
        assert about["sha256"] == digest(files)
        (tmp_path / "masks").rename(tmp_path / "outlines")
        assert about_data("a set", images, "outlines") == about
        (tmp_path / "outlines" / "b.png").write_bytes(b"another")
        assert about_data("a set", images, "outlines") != about

    def test_the_images_of_a_folder_by_name(self, tmp_path: Path) -> None:
        pairs(tmp_path, names="cab")
        (tmp_path / "images" / "notes.md").touch()
        folder = tmp_path / "images"
        assert images_in(folder) == [folder / name for name in ("a.jpg", "b.jpg", "c.jpg")]
        assert images_in(folder, 2) == [folder / "a.jpg", folder / "b.jpg"]

    @pytest.mark.parametrize("place", ["nowhere", "empty"])
    def test_a_folder_without_images_is_refused(self, place: str, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(InputError, match=place):
            images_in(tmp_path / place)


def test_the_majority_region_of_a_thing_smaller_than_a_patch() -> None:
    labels = np.array([[0, 0, 1], [2, 2, 2]])
    mask = np.zeros((20, 30), dtype=bool)
    mask[2:4, 22:25] = True
    assert majority_region(labels, mask) == 1
    mask[10:, :] = True
    assert majority_region(labels, mask) == 2
