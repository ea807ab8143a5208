"""The metrics against pycocotools and SciPy, on a thousand random cases each."""

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import bootstrap

from heap.benchmark.metrics.boxes import box_iou, mask_boxes
from heap.benchmark.metrics.masks import mask_iou
from heap.benchmark.metrics.resampling import bootstrap_interval


def random_mask(random: np.random.Generator) -> np.ndarray:
    drawn: np.ndarray = random.random(random.integers(1, 24, size=2))
    mask: np.ndarray = drawn < random.choice([0.1, 0.5, 0.7])
    return mask


def encoded(mask: np.ndarray) -> Any:
    return coco.encode(np.asfortranarray(mask.astype(np.uint8)))


@pytest.mark.fault("F42")
def test_mask_iou_is_that_of_pycocotools() -> None:
    random = np.random.default_rng(0)
    for _ in range(1000):
        a = random_mask(random)
        b = random.random(a.shape) < 0.5
        if (a | b).any():  # pycocotools divides by zero otherwise
            expected = coco.iou([encoded(a)], [encoded(b)], [False])[0, 0]
            assert mask_iou(a, b) == expected


@pytest.mark.fault("F42")
def test_box_iou_is_that_of_pycocotools() -> None:
    random = np.random.default_rng(1)
    for _ in range(1000):
        corners, sides = random.random((2, 5, 2)) * 50, random.random((2, 5, 2)) * 50 + 0.1
        xywh = np.concatenate([corners, sides], axis=-1)
        xyxy = np.concatenate([corners, corners + sides], axis=-1)
        expected = coco.iou(xywh[0], xywh[1], [False] * 5)
        np.testing.assert_allclose(box_iou(xyxy[0], xyxy[1]), expected, rtol=1e-9, atol=1e-12)


def parts_by_graph(mask: np.ndarray) -> list[np.ndarray]:
    """4-connected parts as components of the graph of neighbouring foreground pixels."""
    cells = np.arange(mask.size).reshape(mask.shape)
    right, down = mask[:, 1:] & mask[:, :-1], mask[1:] & mask[:-1]
    here = np.concatenate([cells[:, :-1][right], cells[:-1][down]])
    there = np.concatenate([cells[:, 1:][right], cells[1:][down]])
    graph = coo_array((np.ones(len(here)), (here, there)), shape=(mask.size, mask.size))
    _, component = connected_components(graph.tocsr(), directed=False)
    numbers = component.reshape(mask.shape)
    return [mask & (numbers == number) for number in np.unique(numbers[mask])]


def test_mask_boxes_are_those_of_pycocotools_for_each_part() -> None:
    random = np.random.default_rng(2)
    for _ in range(300):
        mask = random_mask(random)
        found = sorted(mask_boxes(mask).tolist())
        xywh = [coco.toBbox(encoded(part)) for part in parts_by_graph(mask)]
        assert found == sorted([x, y, x + w, y + h] for x, y, w, h in xywh)


def test_the_interval_is_that_of_scipy() -> None:
    random = np.random.default_rng(3)
    for _ in range(5):
        values = random.beta(0.5, 0.5, size=200)
        theirs = bootstrap((values,), np.mean, method="percentile", rng=random).confidence_interval
        # Both draw at random: 10,000 resamples leave the ends uncertain by a hundredth of a width.
        tolerance = 0.05 * (theirs.high - theirs.low)
        np.testing.assert_allclose(bootstrap_interval(values), theirs, rtol=0, atol=tolerance)
