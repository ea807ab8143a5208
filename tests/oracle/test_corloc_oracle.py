"""CorLoc against a published figure: LOST (ViT-S/16) on VOC 2007 trainval."""

import json
from pathlib import Path

import numpy as np
import pytest

from heap.benchmark.metrics.boxes import any_hits, box_iou

DATA = Path(__file__).parents[2] / "../shared/data/voc07-corloc-oracle"


@pytest.fixture(scope="module")
def pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    """The one box that LOST found in each image, and the boxes of its objects."""
    if not DATA.is_dir():
        pytest.skip("the boxes of LOST on VOC 2007 trainval are not on this machine")
    found, truth = (
        json.loads((DATA / name).read_text(encoding="utf-8"))
        for name in ("lost_vits16_boxes.json", "voc07_trainval_boxes.json")
    )
    assert found.keys() == truth.keys()
    # VOC counts pixels from 1 and includes the last; we name their edges, from 0.
    edges = np.array([1.0, 1.0, 0.0, 0.0])
    return [(np.array([found[key]], dtype=np.float64), truth[key] - edges) for key in found]


@pytest.mark.fault("F42")
def test_corloc_oracle_is_the_published_figure(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    hits = [any_hits(found, truth) for found, truth in pairs]
    assert (sum(hits), len(hits)) == (3102, 5011)
    assert f"{100 * np.mean(hits):.2f}" == "61.90"


def test_corloc_oracle_is_the_same_with_lost_s_small_terms(
    pairs: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    def with_terms(a: np.ndarray, b: np.ndarray) -> float:
        """1e-7 added to heights, for their areas, and to the union."""
        shared = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(
            min(a[3], b[3]) - max(a[1], b[1]), 0
        )
        areas = sum((each[2] - each[0]) * (each[3] - each[1] + 1e-7) for each in (a, b))
        return float(shared / (areas - shared + 1e-7))

    hits = 0
    for (found,), truth in pairs:
        values = np.array([with_terms(found, each) for each in truth])
        np.testing.assert_allclose(box_iou(found[None], truth)[0], values, atol=1e-7)
        hits += bool((values >= 0.5).any())
    assert hits == 3102


def test_corloc_oracle_cannot_tell_what_a_half_is_but_this_can() -> None:
    whole = np.array([[0.0, 0.0, 16.0, 16.0]])
    half, less = whole.copy(), whole.copy()
    half[0, 2], less[0, 2] = 8.0, np.nextafter(8.0, 0)
    assert any_hits(half, whole)
    assert not any_hits(less, whole)
