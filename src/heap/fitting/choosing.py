"""Which prior serves images best, chosen without a label.

A good mask follows its image. So its inside and outside differ in colour, and they differ more than
they would on another image: that comparison takes away whatever any mask of this size and place
would have, one in the middle above all. Colour has no part in the features of the encoder, which
makes it a witness of its own. The criterion is ours; `benchmarks/bench_auto.py` compares the order
it gives with that by true masks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, UInt8
from PIL import Image

from heap.base.errors import FitError
from heap.config import Prior
from heap.encoder.base import Encoder
from heap.encoder.foreground import knows_foreground
from heap.fitting.collect import Collected
from heap.masks.guided_filter import resize
from heap.model.heap import Heap

SIDE = 112
"""Images and masks are squeezed to squares of this side, so that a mask can lie on any image."""
BINS = 8
"""Of each of the three colours; 512 in all."""
IMAGES = 200
"""Heads are compared on about so many images."""
OTHERS = (1, 7, 13, 29, 41)
"""A mask is laid on the images that are so many places further on."""
SURE = 2.0
"""A prior is taken if it is ahead by more than so many standard errors of the mean difference."""

Square = UInt8[np.ndarray, "side side 3"]
SquareMask = Bool[np.ndarray, "side side"]


@dataclass(frozen=True)
class Candidate:
    """A prior that was tried."""

    prior: Prior
    fit: Float64[np.ndarray, " image"] | None
    """How much better its masks fit their own image than others; None if the head was refused."""
    reason: str = ""
    """Why it was."""

    def about(self) -> float | str:
        """Mean over the images, or why its head was refused."""
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
        FitError: if no head is of use; that of the first.
    """
    tried, best = list[Candidate](), None
    refusals = list[FitError]()
    for prior in priors:
        try:
            candidate = Candidate(prior, try_out(prior))
        except FitError as error:
            refusals.append(error)
            candidate = Candidate(prior, None, str(error))
        tried.append(candidate)
        if candidate.fit is not None and (best is None or is_ahead(candidate.fit, best.fit)):
            best = candidate
    if best is None:
        raise refusals[0]
    return best.prior, tried


def is_ahead(
    ours: Float64[np.ndarray, " image"], theirs: Float64[np.ndarray, " image"] | None
) -> bool:
    """Whether the mean difference is above `SURE` standard errors."""
    if theirs is None:
        return True
    difference = ours - theirs
    error = difference.std(ddof=1) / len(difference) ** 0.5 if len(difference) > 1 else 0.0
    return bool(difference.mean() > SURE * error)


def squares_of(images: Collected) -> list[Square]:
    """The images that heads are compared on, decoded again and squeezed to squares."""
    return [squeezed(images.pixels(index)) for index in images.spread(IMAGES)]


def fit_of_masks(
    heap: Heap, images: Collected, squares: Sequence[Square]
) -> Float64[np.ndarray, " image"]:
    """How much more the foreground of an image differs in colour there than on other images.

    `squares` are those of `squares_of`: they are the same for every head.
    """
    masks = []
    for index in images.spread(IMAGES):
        features = images[index]
        saliency = heap.group(features).saliency[0].cpu().reshape(features.grid).numpy()
        masks.append(resize(saliency, (SIDE, SIDE)) > heap.defaults.threshold)
    return own_against_others(masks, squares)


def squeezed(pixels: UInt8[np.ndarray, "height width 3"]) -> Square:
    """An image as a square."""
    return np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX))


def own_against_others(
    masks: Sequence[SquareMask], squares: Sequence[Square]
) -> Float64[np.ndarray, " image"]:
    """Contrast of each mask on its own image, less its mean contrast on some others; in [-1, 1]."""
    count = len(squares)
    colours = [_colours(square) for square in squares]
    steps = sorted({step % count for step in OTHERS} - {0})
    fits = []
    for index, mask in enumerate(masks):
        own = contrast(mask, colours[index])
        elsewhere = [contrast(mask, colours[(index + step) % count]) for step in steps]
        fits.append(own - float(np.mean(elsewhere)) if elsewhere else own)
    return np.array(fits, dtype=np.float64)


def contrast(mask: SquareMask, colours: np.ndarray) -> float:
    """1 less the intersection of the histograms inside and outside of a mask.

    0 of a mask with nothing inside or nothing outside: that is no foreground.
    """
    inside = np.bincount(colours[mask], minlength=BINS**3)
    outside = np.bincount(colours[~mask], minlength=BINS**3)
    if not inside.sum() or not outside.sum():
        return 0.0
    return float(1 - np.minimum(inside / inside.sum(), outside / outside.sum()).sum())


def _colours(square: Square) -> np.ndarray:
    """Number of the colour of each pixel."""
    red, green, blue = np.moveaxis(square // (256 // BINS), -1, 0).astype(np.int64)
    numbers: np.ndarray = (red * BINS + green) * BINS + blue
    return numbers
