from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from heap.benchmark.protocols.outcome import Outcome
from heap.methods.finding import Finding

from .scenes import seen

Make = Callable[..., Outcome]


@pytest.fixture
def outcome() -> Make:
    """An outcome on a noisy picture, each patch 10 x 10 pixels."""

    def make(finding: Finding, **truth: Any) -> Outcome:
        rows, cols = finding.saliency.shape
        size = 10 * rows, 10 * cols
        pixels = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
        return seen(finding, cell=10, pixels=pixels, **truth)

    return make
