import copy
import pickle
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pycocotools import mask as coco

from heap.results import ImageResult, Objects, Regions, Rle

WIDTH, HEIGHT = 12, 8
BOXES = [[1, 2, 6, 7], [8, 0, 12, 3]]


def make(count: int) -> ImageResult:
    masks = []
    for x1, y1, x2, y2 in BOXES[:count]:
        mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
        mask[y1:y2, x1:x2] = True
        mask[y1 + 1, x1 + 1] = False
        masks.append(mask)
    return ImageResult(
        key="a/b.jpg",
        width=WIDTH,
        height=HEIGHT,
        objects=Objects(
            boxes=np.array(BOXES[:count], dtype=np.float32).reshape(-1, 4),
            scores=np.array([0.75, 0.5], dtype=np.float32)[:count],
            masks=tuple(map(Rle.encode, masks)),
            embeddings=np.ones((count, 3), dtype=np.float32),
            regions=np.array([4, 1])[:count],
        ),
        regions=Regions(
            label_map=np.array([[0, 1], [1, 0]]),
            embeddings=np.ones((2, 3), dtype=np.float32),
            scores=np.array([0.9, 0.1], dtype=np.float32),
            areas=np.array([0.5, 0.5], dtype=np.float32),
        ),
        saliency=np.eye(2, dtype=np.float32),
        foreground=np.ones(3, dtype=np.float32),
        background=np.zeros(3, dtype=np.float32),
    )


shapes = st.tuples(st.integers(1, 30), st.integers(1, 30))


@given(mask=hnp.arrays(bool, shapes))
def test_masks_survive_their_compression_and_are_cocos(mask: np.ndarray) -> None:
    rle = Rle.encode(mask)
    np.testing.assert_array_equal(rle.decode(), mask)
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert (rle.counts, [rle.height, rle.width]) == (theirs["counts"].decode(), theirs["size"])


def test_coco_annotations_by_hand() -> None:
    first, second = make(2).to_coco(image_id=7, first_id=40)
    assert first["bbox"] == [1.0, 2.0, 5.0, 5.0]
    assert second["bbox"] == [8.0, 0.0, 4.0, 3.0]
    assert (first["area"], second["area"]) == (5 * 5 - 1, 4 * 3 - 1)
    assert [first[name] for name in ("id", "image_id", "category_id", "iscrowd", "score")] \
        == [40, 7, 1, 0, 0.75]  # fmt: skip
    assert second["id"] == 41
    # The box is that of the mask, as pycocotools reads it.
    assert coco.toBbox(first["segmentation"]).tolist() == first["bbox"]
    assert coco.area(second["segmentation"]) == second["area"]


def test_supervision_gets_boxes_masks_scores_and_regions() -> None:
    detections = make(2).to_supervision()
    np.testing.assert_array_equal(detections.xyxy, BOXES)
    assert detections.mask is not None
    assert detections.confidence is not None
    assert detections.class_id is not None
    assert detections.mask.shape == (2, HEIGHT, WIDTH)
    assert detections.mask.sum(axis=(1, 2)).tolist() == [24, 11]
    assert detections.confidence.tolist() == [0.75, 0.5]
    assert detections.class_id.tolist() == [4, 1]
    assert make(0).to_supervision().is_empty()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_plain_arrays(count: int) -> None:
    result = make(count)
    arrays = result.to_numpy()
    assert {name: value.shape for name, value in arrays.items()} == {
        "boxes": (count, 4), "scores": (count,), "masks": (count, HEIGHT, WIDTH),
        "regions": (2, 2), "saliency": (2, 2),
    }  # fmt: skip
    assert arrays["masks"].dtype == bool
    assert len(result.objects) == count
    assert len(result.to_coco()) == count


def test_results_compare_and_hash_by_content() -> None:
    ours, theirs = make(2), make(2)
    assert ours == theirs
    assert {ours, theirs} == {ours}
    assert {ours.objects, theirs.objects, ours.regions, theirs.regions} == {
        ours.objects,
        ours.regions,
    }
    assert ours != make(1)
    assert ours != replace(ours, key="other")
    assert ours != replace(ours, saliency=1 - ours.saliency)
    unknown = replace(ours, foreground=np.full(3, np.nan, dtype=np.float32))
    assert unknown == replace(unknown)
    # In place of a zero there is a negative one, which is equal: hashes have to be, too.
    negative = replace(ours, background=-ours.background)
    assert (ours, hash(ours)) == (negative, hash(negative))
    assert ours != 7


@pytest.mark.parametrize("count", [0, 2])
def test_results_survive_pickle_and_deepcopy(count: int) -> None:
    result = make(count)
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301 - our own
    assert copy.deepcopy(result) == result


def test_results_are_shown_in_a_line() -> None:
    assert repr(make(2)) == (
        "ImageResult('a/b.jpg', 12 × 8, Objects(2, scores [0.75, 0.50]), "
        "Regions(2, in 2 × 2 patches))"
    )
    assert repr(make(0).objects) == "Objects(0, scores [])"
    assert repr(make(1).objects.masks) == "(Rle(height=8, width=12),)"


def test_a_notebook_shows_the_objects() -> None:
    """Orange and blue of the palette where the masks are, grey where nothing is."""
    with Image.open(BytesIO(make(2)._repr_png_())) as picture:
        shown = np.asarray(picture)
    assert shown.shape == (HEIGHT, WIDTH, 3)
    first, second = make(2).to_numpy()["masks"]
    coloured = shown.max(axis=2) != shown.min(axis=2)
    np.testing.assert_array_equal(coloured, first | second)
    assert (shown[first][:, 2] > shown[first][:, 0]).all()
    assert (shown[second][:, 2] < shown[second][:, 0]).all()
    with Image.open(BytesIO(make(0)._repr_png_())) as empty:
        assert np.ptp(np.asarray(empty), axis=2).max() == 0


def test_masks_become_arrays() -> None:
    result = make(2)
    np.testing.assert_array_equal(np.stack(result.objects.masks), result.to_numpy()["masks"])
    assert np.asarray(result.objects.masks[0], dtype=np.uint8).sum() == 24
    with pytest.raises(ValueError, match="always a new one"):
        np.asarray(result.objects.masks[0], copy=False)


def test_a_table_for_pandas() -> None:
    table = make(2).to_pandas()
    assert table[["x1", "y1", "x2", "y2"]].to_numpy().tolist() == BOXES
    assert table["id"].tolist() == ["a/b.jpg#0", "a/b.jpg#1"]
    assert table["area"].tolist() == [24, 11]
    assert table["region"].tolist() == [4, 1]
    empty = make(0).to_pandas()
    assert list(empty) == list(table)
    assert len(empty) == 0


def test_numbers_of_annotations_are_whole() -> None:
    assert make(1).to_coco(np.int64(7), np.int32(3))[0]["image_id"] == 7
