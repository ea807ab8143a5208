"""AP, AR and IoU against pycocotools and faster-coco-eval on random images."""

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from heap.benchmark.metrics.boxes import box_iou
from heap.benchmark.metrics.detection import (
    Detections,
    Matches,
    mask_iou_matrix,
    update_detection,
)
from heap.benchmark.protocols import PROTOCOLS

STATS = {"AP": 0, "AP50": 1, "AP75": 2, "AR1": 6, "AR10": 7, "AR100": 8}
SIZE = 24
Draw = Callable[[np.random.Generator, int], np.ndarray]

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@dataclass(frozen=True)
class Image:
    """Boxes (xyxy) or masks of the detections and of the truth."""

    found: np.ndarray
    scores: np.ndarray
    truth: np.ndarray
    crowds: np.ndarray


def random_boxes(random: np.random.Generator, count: int) -> np.ndarray:
    """Corners at quarters of a pixel: differences and products are exact in any order."""
    low = random.integers(0, 3 * SIZE, size=(count, 2)) / 4
    return np.concatenate([low, low + random.integers(1, 2 * SIZE, size=(count, 2)) / 4], axis=1)


def random_masks(random: np.random.Generator, count: int) -> np.ndarray:
    """Boxes with holes."""
    masks = np.zeros((count, SIZE, SIZE), dtype=bool)
    for mask, box in zip(masks, random_boxes(random, count).astype(int), strict=True):
        mask[box[1] : box[3] + 1, box[0] : box[2] + 1] = True
    drawn: np.ndarray = masks & (random.random(masks.shape) < 0.95)
    return drawn


def near(random: np.random.Generator, truth: np.ndarray) -> np.ndarray:
    """The same masks with wrong pixels, or the same boxes, larger: all levels of IoU occur."""
    if truth.dtype == bool:
        wrong: np.ndarray = random.random(truth.shape) < random.choice([0.002, 0.02])
        flipped: np.ndarray = truth ^ wrong
        return flipped
    outwards: np.ndarray = np.array([-1, -1, 1, 1]) / 4
    return truth + outwards * random.integers(0, 5, size=truth.shape)


def random_image(random: np.random.Generator, draw: Draw, most: int = 9) -> Image:
    truth = draw(random, int(random.integers(0, 6)))
    again = near(random, truth[random.permutation(len(truth))[: random.integers(0, 6)]])
    found = np.concatenate([again, draw(random, int(random.integers(0, most)))])
    found = found[random.permutation(len(found))]
    # Twenty different scores: ties within an image and between images.
    scores = random.integers(1, 21, size=len(found)) / 20
    return Image(found, scores, truth, random.random(len(truth)) < 0.2)


def annotation(shape: np.ndarray, number: int, image: int) -> dict[str, Any]:
    common = {"id": number, "image_id": image, "category_id": 1, "iscrowd": 0}
    if shape.dtype != bool:
        x1, y1, x2, y2 = shape.tolist()
        return common | {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
    code = coco_mask.encode(np.asfortranarray(shape.astype(np.uint8)))
    # faster-coco-eval takes text only.
    code = {"size": code["size"], "counts": code["counts"].decode()}
    box = coco_mask.toBbox(code).tolist()
    return common | {"segmentation": code, "area": int(shape.sum()), "bbox": box}


def both_sides(images: list[Image]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The truth as COCO's JSON has it, and the results."""
    truth: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for number, image in enumerate(images, start=1):
        for shape, crowd in zip(image.truth, image.crowds, strict=True):
            one = annotation(shape, len(truth) + 1, number)
            truth.append(one | {"iscrowd": int(crowd)})
        for shape, score in zip(image.found, image.scores, strict=True):
            one = annotation(shape, len(found) + 1, number)
            found.append(one | {"score": float(score)})
    listed = [{"id": number, "width": SIZE, "height": SIZE} for number in range(1, len(images) + 1)]
    categories = [{"id": 1, "name": "object"}]
    return {"images": listed, "annotations": truth, "categories": categories}, found


def pycocotools(images: list[Image], kind: str) -> np.ndarray:
    truth, found = both_sides(images)
    sides = COCO(), COCO()
    with redirect_stdout(io.StringIO()):
        for side, annotations in zip(sides, (truth["annotations"], found), strict=True):
            side.dataset = truth | {"annotations": annotations}
            side.createIndex()
        scorer = COCOeval(*sides, kind)
        # The others repeat the work for objects of one size.
        scorer.params.areaRng, scorer.params.areaRngLbl = scorer.params.areaRng[:1], ["all"]
        scorer.evaluate()
        scorer.accumulate()
        scorer.summarize()
    return np.array(scorer.stats)


def faster_coco_eval(images: list[Image], kind: str) -> np.ndarray:
    from faster_coco_eval import COCO as FasterCOCO
    from faster_coco_eval import COCOeval_faster

    truth, found = both_sides(images)
    with redirect_stdout(io.StringIO()):
        known = FasterCOCO(truth)
        scorer = COCOeval_faster(known, known.loadRes(found), kind)
        scorer.run()
    return np.array(scorer.stats)


def kept_by_faster_coco_eval(images: list[Image], most: list[int]) -> np.ndarray:
    """Recall at an IoU of 0.5 with so many boxes of an image."""
    from faster_coco_eval import COCO as FasterCOCO
    from faster_coco_eval import COCOeval_faster

    truth, found = both_sides(images)
    with redirect_stdout(io.StringIO()):
        known = FasterCOCO(truth)
        scorer = COCOeval_faster(known, known.loadRes(found), "bbox")
        scorer.params.maxDets = most
        scorer.evaluate()
        scorer.accumulate()
    # Axes: IoU, class, sizes, the first of which is all of them, and boxes.
    recall: np.ndarray = scorer.eval["recall"][0, 0, 0]
    return recall


def state(image: Image) -> Detections:
    overlap = mask_iou_matrix if image.found.dtype == bool else box_iou
    iou = overlap(image.found, image.truth, image.crowds)
    return update_detection(image.scores, iou, image.crowds)


def assert_same(images: list[Image], expected: np.ndarray) -> None:
    found = dict(
        zip(Matches.NAMES, Matches([state(image) for image in images]).compute(), strict=True)
    )
    for name, place in STATS.items():
        # COCO says -1 where there is no object.
        value = -1 if isnan(found[name]) else found[name]
        assert value == pytest.approx(expected[place], abs=1e-12), name


@pytest.mark.fault("F42")
@pytest.mark.parametrize(("draw", "kind"), [(random_boxes, "bbox"), (random_masks, "segm")])
def test_values_are_those_of_pycocotools_in_500_random_sets(draw: Draw, kind: str) -> None:
    random = np.random.default_rng(0)
    objects = 0
    for _ in range(500):
        images = [random_image(random, draw) for _ in range(random.integers(1, 5))]
        assert_same(images, pycocotools(images, kind))
        objects += sum(int((~image.crowds).sum()) for image in images)
    assert objects > 1000


@pytest.mark.parametrize(("draw", "kind"), [(random_boxes, "bbox"), (random_masks, "segm")])
def test_values_are_those_of_faster_coco_eval(draw: Draw, kind: str) -> None:
    random = np.random.default_rng(1)
    for _ in range(20):
        images = [random_image(random, draw) for _ in range(6)]
        assert_same(images, faster_coco_eval(images, kind))


def test_recall_of_the_best_boxes_is_that_of_faster_coco_eval() -> None:
    random, most = np.random.default_rng(5), [1, 2, 3, 5, 10]
    protocol = PROTOCOLS["several-v1"]
    recalls = []
    for _ in range(100):
        images = [random_image(random, random_boxes, most=15) for _ in range(5)]
        rows = [{"scored": True, "objects": state(image).to_row()} for image in images]
        ours = {
            name: value
            for values in protocol.values(rows, {})
            for name, value in values.value().items()
        }
        expected = kept_by_faster_coco_eval(images, most)
        assert [ours[f"recall_{count}"] for count in most] == pytest.approx(expected, abs=1e-12)
        recalls.append(expected)
    assert (np.diff(np.mean(recalls, axis=0)) > 0.01).all()


def test_more_than_a_hundred_detections_of_an_image() -> None:
    random = np.random.default_rng(2)
    images = [random_image(random, random_boxes, most=400) for _ in range(6)]
    assert max(len(image.found) for image in images) > 200
    assert_same(images, pycocotools(images, "bbox"))


@pytest.mark.parametrize("empty", ["found", "truth", "both"])
def test_empty_sides(empty: str) -> None:
    random = np.random.default_rng(3)
    shapes, none = random_boxes(random, 3), random_boxes(random, 0)
    image = Image(
        found=shapes if empty == "truth" else none,
        scores=np.array([0.5, 0.4, 0.3])[: 3 if empty == "truth" else 0],
        truth=shapes if empty == "found" else none,
        crowds=np.zeros(3 if empty == "found" else 0, dtype=bool),
    )
    assert_same([image, image], pycocotools([image, image], "bbox"))


def test_iou_is_that_of_pycocotools_crowds_included() -> None:
    random = np.random.default_rng(4)
    for _ in range(1000):
        found, truth = (random_masks(random, int(random.integers(1, 5))) for _ in range(2))
        crowds = random.random(len(truth)) < 0.5
        codes = [
            [coco_mask.encode(np.asfortranarray(each.astype(np.uint8))) for each in masks]
            for masks in (found, truth)
        ]
        expected = coco_mask.iou(*codes, crowds.tolist())
        np.testing.assert_array_equal(mask_iou_matrix(found, truth, crowds), expected)
        boxes, others = (random_boxes(random, len(each)) for each in (found, truth))
        xywh = [
            np.concatenate([each[:, :2], each[:, 2:] - each[:, :2]], 1) for each in (boxes, others)
        ]
        expected = coco_mask.iou(*xywh, crowds.tolist())
        np.testing.assert_array_equal(box_iou(boxes, others, crowds), expected)
