import subprocess
import sys

import numpy as np
import pytest

from heap.evaluation.saliency import SaliencyScores, score_map

LEFT = np.array([[1, 1, 0, 0], [1, 1, 0, 0]], dtype=np.float32)


def quarter() -> np.ndarray:
    """The left quarter of 40 x 80 pixels."""
    truth = np.zeros((40, 80), dtype=bool)
    truth[:, :20] = True
    return truth


def test_by_hand() -> None:
    # Upsampled, the left half of the picture is above one half.
    found = score_map(LEFT, quarter())
    assert (found.iou, found.accuracy, found.corloc) == (0.5, 0.75, True)


def test_the_threshold_is_exclusive() -> None:
    found = score_map(np.full((2, 4), 0.5, dtype=np.float32), quarter())
    assert found == SaliencyScores(0.0, 0.75, False)
    assert score_map(np.full((2, 4), 0.5, dtype=np.float32), quarter(), 0.4).iou == 0.25


def test_the_box_is_that_of_the_largest_part() -> None:
    truth = np.zeros((40, 40), dtype=bool)
    truth[20:, 20:] = True
    saliency = np.zeros((4, 4), dtype=np.float32)
    saliency[2:, 2:] = 0.9
    saliency[0, 0] = 1
    assert score_map(saliency, truth).corloc
    saliency[:2, :3] = 1
    saliency[2, 2:] = 0
    assert not score_map(saliency, truth).corloc


@pytest.mark.parametrize("scale", [0.51, 1.0])
def test_soft_maps_are_interpolated(scale: float) -> None:
    # Between the centres of the second and third cell the map falls from `scale` to 0.
    found = score_map(scale * LEFT, np.arange(80)[None].repeat(40, axis=0) < 40)
    edge = 30 + 20 * (1 - 0.5 / scale)
    assert found.accuracy == pytest.approx(1 - abs(40 - edge) / 80, abs=1 / 80)


def test_scoring_needs_no_torch() -> None:
    code = (
        "import sys, heap.evaluation.saliency, heap.evaluation.samples;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
