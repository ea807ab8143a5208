from collections.abc import Callable

import numpy as np
import pytest
import torch

from heap.evaluation.outcome import Outcome
from heap.evaluation.truth import Truth
from heap.features import PatchFeatures
from heap.peers.finding import Finding, Observed

Make = Callable[..., Outcome]


@pytest.fixture
def outcome() -> Make:
    """An outcome on a grid of 4 x 6, each patch 10 x 10 pixels."""

    def make(finding: Finding, **truth: object) -> Outcome:
        rows, cols = finding.saliency.shape
        size = 10 * rows, 10 * cols
        patches = torch.arange(2.0 * rows * cols).reshape(-1, 2) + 1
        features = PatchFeatures(patches, torch.ones(1, rows * cols), None, (rows, cols))
        pixels = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
        annotation: dict[str, object] = {
            "boxes": np.zeros((0, 4)),
            "crowds": np.zeros(len(truth.get("boxes", ())), dtype=bool),  # type: ignore[arg-type]
        }
        whole = Truth(**(annotation | truth))  # type: ignore[arg-type]
        return Outcome(Observed(features, pixels), finding, whole, size[1], size[0])

    return make
