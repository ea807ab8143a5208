"""Choice of the prior that serves images best, without a label.

A good mask follows its image. So its inside and outside differ in colour, and they differ more than
they would on another image: that comparison takes away whatever any mask of this size and place
would have, one in the middle above all. Colour has no part in the features of the encoder, which
makes it a witness of its own. The criterion is ours; `make bench-auto` compares the order
it gives with that by true masks.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, UInt8
from PIL import Image

from heap.base.errors import FitError
from heap.config import Prior
from heap.encoder.base import Encoder
from heap.encoder.foreground import knows_foreground
from heap.fitting.collect import Collected
from heap.images import ImageError
from heap.masks.guided_filter import GuidedFilter
from heap.model.heap import Heap

logger = logging.getLogger(__name__)

SIDE = 112
"""Side of the squares that images and masks become, so that a mask can lie on any image."""
BINS = 8
"""Bins of each of the three colour channels; 512 colours in all."""
IMAGES = 200
"""Number of images that heads are compared on, about."""
OTHERS = (1, 7, 13, 29, 41)
"""Distances, in the list of images, to those that a mask is laid on for comparison."""
SURE = 2.0
"""Standard errors of the mean difference by which a prior must be ahead to be taken; about 95 %."""

Square = UInt8[np.ndarray, "side side 3"]
SquareMask = Bool[np.ndarray, "side side"]


@dataclass(frozen=True)
class Candidate:
    """Prior that was tried, and how well its masks fit."""

    prior: Prior
    fit: Float64[np.ndarray, " image"] | None
    """Contrast of its masks on their image less that on others; None if the head was refused."""
    reason: str = ""
    """Reason why the head was refused."""

    def summary(self) -> float | str:
        """Mean fit over the images, or the reason why its head was refused."""
        return self.reason if self.fit is None else round(float(self.fit.mean()), 4)


def candidates(encoder: Encoder) -> tuple[Prior, ...]:
    """Priors to try, the one that needs least first."""
    usual: tuple[Prior, ...] = ("none", "self", "found")
    return (*usual, "encoder") if knows_foreground(encoder) else usual


def choose(
    priors: Sequence[Prior], try_out: Callable[[Prior], Float64[np.ndarray, " image"]]
) -> tuple[Prior, list[Candidate]]:
    """Try the priors in turn; a later one is taken if it is ahead beyond chance.

    Raises:
        FitError: if no head is of use; the error of the first one.
    """
    tried = list[Candidate]()
    best: tuple[Prior, Float64[np.ndarray, " image"]] | None = None
    refusals = list[FitError]()
    for prior in priors:
        try:
            candidate = Candidate(prior, try_out(prior))
        except FitError as error:
            refusals.append(error)
            candidate = Candidate(prior, None, str(error))
        tried.append(candidate)
        # Against the best so far, which needs less than this one: a tie keeps it.
        if candidate.fit is not None and (best is None or is_ahead(candidate.fit, best[1])):
            best = prior, candidate.fit
    if best is None:
        raise refusals[0]
    return best[0], tried


def is_ahead(ours: Float64[np.ndarray, " image"], theirs: Float64[np.ndarray, " image"]) -> bool:
    """Whether the mean difference is above `SURE` standard errors."""
    # Paired: both are of the same images, so what makes an image easy or hard cancels.
    difference = ours - theirs
    error = difference.std(ddof=1) / len(difference) ** 0.5 if len(difference) > 1 else 0.0
    return bool(difference.mean() > SURE * error)


def make_squares(images: Collected) -> dict[int, Square]:
    """Decode the images that heads are compared on, by number, and squeeze them to squares.

    Images that cannot be read again are left out.

    Raises:
        FitError: if that is all of them.
    """
    squares = {}
    for index in images.spread(IMAGES):
        try:
            squares[index] = squeeze(images.pixels(index))
        except ImageError as error:
            logger.warning("priors are compared without %s", error)
    if not squares:
        raise FitError(
            "none of the images can be read again, so that priors cannot be compared; bring them "
            "back, or name one prior with --prior"
        )
    return squares


def measure_fit(
    heap: Heap, images: Collected, squares: Mapping[int, Square]
) -> Float64[np.ndarray, " image"]:
    """Fit of the masks of a head to their images, see `compare_contrast`.

    `squares` are those of `make_squares`, which are the same for every head.
    """
    masks = []
    for index, square in squares.items():
        features = images[index]
        saliency = heap.group(features).saliency.cpu().reshape(1, *features.grid).numpy()
        # Along the edges of the image, as masks of objects are: else heads with soft borders win,
        # which refinement makes up for.
        masks.append(GuidedFilter().guide(square)(saliency)[0] > heap.defaults.threshold)
    return compare_contrast(masks, list(squares.values()))


def squeeze(pixels: UInt8[np.ndarray, "height width 3"]) -> Square:
    """Resize an image to a square of `SIDE`."""
    return np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX))


def compare_contrast(
    masks: Sequence[SquareMask], squares: Sequence[Square]
) -> Float64[np.ndarray, " image"]:
    """Contrast of each mask on its own image, less its mean contrast on some others; in [-1, 1]."""
    count = len(squares)
    colours = [_colour_numbers(square) for square in squares]
    # Of few images some distances lead to the same one, or back to the image itself.
    steps = sorted({step % count for step in OTHERS} - {0})
    fits = []
    for index, mask in enumerate(masks):
        own = contrast(mask, colours[index])
        elsewhere = [contrast(mask, colours[(index + step) % count]) for step in steps]
        fits.append(own - float(np.mean(elsewhere)) if elsewhere else own)
    return np.array(fits, dtype=np.float64)


def contrast(mask: SquareMask, colours: np.ndarray) -> float:
    """Contrast of a mask: 1 less the intersection of the histograms inside and outside of it.

    It is 0 for a mask with nothing inside or nothing outside, which is no foreground.
    """
    inside = np.bincount(colours[mask], minlength=BINS**3)
    outside = np.bincount(colours[~mask], minlength=BINS**3)
    if not inside.sum() or not outside.sum():
        return 0.0
    # Of shares, and not of counts: the mask is smaller than its surroundings.
    return float(1 - np.minimum(inside / inside.sum(), outside / outside.sum()).sum())


def _colour_numbers(square: Square) -> np.ndarray:
    """Number of the colour of each pixel, in 0 .. 511."""
    # Bins are 32 of the 256 values wide.
    red, green, blue = np.moveaxis(square // (256 // BINS), -1, 0).astype(np.int64)
    numbers: np.ndarray = (red * BINS + green) * BINS + blue
    return numbers
