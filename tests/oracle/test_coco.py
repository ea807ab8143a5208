"""COCO files that we write, read by COCO's own code and by its fast successor."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heap.export.coco import write_coco
from heap.results import ImageResult, Objects, Regions, Rle
from heap.store.records import Finished


def random_result(key: str, seed: int) -> tuple[ImageResult, list[np.ndarray]]:
    """Random blobs, lines and single pixels, some with holes, some at the border."""
    draw = np.random.default_rng(seed)
    height, width = draw.integers(1, 70, 2)
    masks, boxes = [], []
    for _ in range(draw.integers(0, 5)):
        mask = draw.random((height, width)) < draw.choice([0.02, 0.5, 0.98])
        mask[draw.integers(height), draw.integers(width)] = True
        rows, columns = np.nonzero(mask)
        masks.append(mask)
        boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    count = len(masks)
    none = np.zeros((1, 2), dtype=np.float32)
    result = ImageResult(
        key=key,
        width=int(width),
        height=int(height),
        objects=Objects(
            boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
            scores=draw.random(count, dtype=np.float32),
            masks=tuple(map(Rle.encode, masks)),
            embeddings=np.zeros((count, 2), dtype=np.float32),
            regions=np.zeros(count, dtype=np.int64),
        ),
        regions=Regions(np.zeros((1, 1), dtype=np.int64), none, none[0, :1], none[0, :1]),
        saliency=none[:, :1],
        foreground=none[0],
        background=none[0],
    )
    return result, masks


def pycocotools(path: Path) -> Any:
    from pycocotools.coco import COCO

    return COCO(str(path))


def faster_coco_eval(path: Path) -> Any:
    from faster_coco_eval import COCO

    return COCO(str(path))


@pytest.mark.fault("F47")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
@pytest.mark.parametrize("load", [pycocotools, faster_coco_eval])
def test_masks_boxes_and_scores_are_read_as_they_were(
    tmp_path: Path, load: Callable[[Path], Any]
) -> None:
    expected = [random_result(f"folder/ü {seed}.jpg", seed) for seed in range(40)]
    write_coco((Finished(result) for result, _ in expected), tmp_path / "objects.json")
    coco = load(tmp_path / "objects.json")
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == ["object"]
    assert len(coco.getImgIds()) == len(expected)
    for image_id, (result, masks) in enumerate(expected, start=1):
        (image,) = coco.loadImgs(image_id)
        assert image["file_name"] == result.key
        found = coco.loadAnns(coco.getAnnIds(imgIds=[image_id], iscrowd=0))
        assert len(found) == len(masks)
        for annotation, mask, box, score in zip(
            found, masks, result.objects.boxes, result.objects.scores, strict=True
        ):
            assert np.array_equal(coco.annToMask(annotation), mask)
            assert annotation["area"] == mask.sum()
            assert annotation["bbox"] == [*box[:2], *(box[2:] - box[:2])]
            assert np.float32(annotation["score"]) == score


def test_boxes_are_those_of_the_masks_by_coco_s_own_code(tmp_path: Path) -> None:
    from pycocotools import mask as coco_mask

    results = (random_result(str(seed), seed)[0] for seed in range(40))
    write_coco(map(Finished, results), tmp_path / "o.json")
    annotations = list(pycocotools(tmp_path / "o.json").anns.values())
    assert len(annotations) > 40
    for annotation in annotations:
        assert coco_mask.toBbox(annotation["segmentation"]).tolist() == annotation["bbox"]
