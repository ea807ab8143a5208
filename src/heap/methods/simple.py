"""Baselines that do not look at features, and that every method should beat."""

import numpy as np
from pydantic.dataclasses import dataclass
from scipy.special import expit

from heap.config import CHECKED, Fraction
from heap.features.colour_prior import LIKELY_SLOPE, LIKELY_THRESHOLD, BoundaryPrior
from heap.methods.finding import Finding, Observed


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Boundary:
    """Foreground that cannot be reached from the border of the image over small steps in colour."""

    threshold: Fraction = LIKELY_THRESHOLD
    """Foreground is where `BoundaryPrior` is above this."""

    def __call__(self, image: Observed) -> Finding:
        """Objects of one image: the 4-connected parts of the foreground."""
        # The threshold becomes a probability of 0.5, where all methods are cut.
        prior = BoundaryPrior()(image.pixels, image.features.grid)
        saliency = expit(LIKELY_SLOPE * (prior - self.threshold))
        return Finding.of_saliency(saliency.astype(np.float32))


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class CentreBox:
    """Box in the middle of the image, whatever is there."""

    share: Fraction = 0.6
    """Share of both sides. Foreground are the patches whose centres lie within, or on the edge."""

    def __call__(self, image: Observed) -> Finding:
        """Finding with one object, or none where no patch has its centre in the box."""
        rows, cols = (self._middle(side) for side in image.features.grid)
        return Finding.of_mask(np.outer(rows, cols))

    def _middle(self, count: int) -> np.ndarray:
        """Mask of the rows or columns, of `count`, whose centres lie within the box."""
        # Twice the distance of a centre from the middle, in patches: a whole number, so that the
        # comparison is exact but for the rounding of `share`, which 1e-9 is for.
        from_middle = np.abs(2 * np.arange(count) + 1 - count)
        return np.asarray(from_middle <= self.share * count + 1e-9)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class WholeImage:
    """All of the image is one object: for retrieval by the feature of the whole image."""

    def __call__(self, image: Observed) -> Finding:
        """Finding with one object."""
        return Finding.of_mask(np.ones(image.features.grid, dtype=bool))
