"""Learning to compare objects: what embeddings of whole images have in common."""

import logging
from collections.abc import Iterator

import torch
from torch import Tensor

from heap.base.progress import OnProgress
from heap.fitting.collect import Collected
from heap.images import ImageError
from heap.model.embedding import embed, whole_box
from heap.model.heap import Heap

logger = logging.getLogger(__name__)

STAGE = "comparing"
_IMAGES = 200
"""Whole images that are looked at, about."""


def learn_to_compare(heap: Heap, images: Collected, on_progress: OnProgress) -> None:
    """Whiten the embeddings of objects by those of whole images, spread over those of the fit.

    An image that cannot be read again is left out; without any, embeddings stay as they are.
    """
    seen = list(_embedded(heap, images, on_progress))
    if seen:
        heap.head.object_whitening.learn(seen)


def _embedded(heap: Heap, images: Collected, on_progress: OnProgress) -> Iterator[Tensor]:
    """The embedding of all of an image, a row for each."""
    chosen = images.spread(_IMAGES)
    for done, index in enumerate(chosen):
        on_progress(STAGE, done, len(chosen))
        try:
            picture = images.picture(index)
        except ImageError as error:
            logger.warning("objects are compared without %s", error)
            continue
        crop = picture, whole_box(picture)
        yield torch.from_numpy(embed(heap.encoder, [crop], heap.defaults.crop))
    on_progress(STAGE, len(chosen), len(chosen))
