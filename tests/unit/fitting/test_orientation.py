from dataclasses import replace
from typing import Any

import pytest
import torch

from heap.base.errors import FitError
from heap.config import FeatureConfig
from heap.encoder.base import Encoder
from heap.features.describe import PatchFeatures, describe
from heap.fitting.orientation import Monitor, border_cells, orient
from heap.images import Picture
from heap.model.head import Grouping
from heap.model.heap import Heap

FINE = Monitor(regions=3.0, largest_share=0.5, spread=0.2, border=0.1, interior=0.4)


def grouping(choice: list[list[int]], foreground: list[list[float]]) -> Grouping:
    """A grouping in which every patch is sure of its group."""
    assignment = torch.nn.functional.one_hot(torch.tensor(choice)).float()
    area = assignment.mean(dim=1)
    return Grouping(assignment, torch.ones(*area.shape, 2), area, torch.tensor(foreground))


def test_the_border_is_the_outermost_ring() -> None:
    assert border_cells((3, 4)).reshape(3, 4).tolist() == [
        [True, True, True, True], [True, False, False, True], [True, True, True, True],
    ]  # fmt: skip
    assert border_cells((4, 4)).sum() == 12
    for thin in [(1, 5), (5, 1), (2, 5), (1, 1)]:
        assert border_cells(thin).all()


def test_the_monitor_by_hand() -> None:
    # Two images of four patches, the last of each inside; three groups with P = 0.2, 0.6, 0.9.
    seen = grouping([[0, 0, 1, 2], [0, 0, 0, 0]], [[0.2, 0.6, 0.9]] * 2)
    inside = torch.tensor([[False, False, False, True]] * 2)
    monitor = Monitor.measure(seen, ~inside)
    assert monitor.regions == pytest.approx(2.0)
    assert monitor.largest_share == pytest.approx(6 / 8)
    assert monitor.border == pytest.approx((0.2 + 0.2 + 0.6 + 3 * 0.2) / 6)
    assert monitor.interior == pytest.approx((0.9 + 0.2) / 2)
    # The saliency 0.2, 0.2, 0.6, 0.9 is 0.475 on average; the other image is constant.
    deviation = (2 * 0.275**2 + 0.125**2 + 0.425**2) / 3
    assert monitor.spread == pytest.approx(deviation**0.5 / 2)


def test_what_is_fine_passes() -> None:
    FINE.check()


@pytest.mark.fault("F39")
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"regions": 1.49}, r"collapsed: 1\.49 regions in an image"),
        ({"spread": 0.019}, r"is constant: .* varies by 0\.019"),
        ({"interior": 0.11}, "cannot tell foreground from background"),
        ({"border": 0.41}, "cannot tell foreground from background"),
        ({"interior": float("nan")}, "cannot tell foreground from background"),
        ({"spread": float("nan")}, "is constant"),
    ],
)
def test_a_head_of_no_use_is_refused(change: dict[str, float], problem: str) -> None:
    with pytest.raises(FitError, match=f"the fitted head {problem}.*; use more"):
        replace(FINE, **change).check()
    assert FitError.exit_code == 1


def monitor_of(heap: Heap, images: list[PatchFeatures]) -> Monitor:
    found = [Monitor.measure(heap.group(each), border_cells(each.grid)[None]) for each in images]
    means = {name: sum(getattr(each, name) for each in found) / len(found) for name in vars(FINE)}
    return Monitor(**means)


@pytest.mark.fault("F38")
def test_the_border_test_turns_an_inverted_head_and_no_other(
    model_folder: Any, encoder: Encoder, pictures: list[Picture], feature_config: FeatureConfig
) -> None:
    heap = Heap.from_pretrained(model_folder, precision="fp32")
    images = describe(encoder, pictures, feature_config)
    upright = monitor_of(heap, images)
    before = heap.fingerprint
    assert upright.border < upright.interior
    assert not orient(heap.head, upright)
    assert heap.fingerprint == before
    heap.head.invert()
    inverted = monitor_of(heap, images)
    assert inverted.border == pytest.approx(1 - upright.border, abs=1e-5)
    assert orient(heap.head, inverted)
    assert heap.fingerprint == before
