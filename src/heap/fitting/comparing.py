"""Whitening of object embeddings, learned from whole images."""

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
"""Number of whole images that the whitening is learned from, about (docs/quality.md, "Comparing
objects")."""


def learn_to_compare(heap: Heap, images: Collected, on_progress: OnProgress) -> None:
    """Whiten the embeddings of objects by those of whole images, spread over those of the fit.

    An image that cannot be read again is left out; without any, embeddings stay as they are.
    """
    embeddings = list(_embed_images(heap, images, on_progress))
    if embeddings:
        heap.head.object_whitening.learn(embeddings)


def _embed_images(heap: Heap, images: Collected, on_progress: OnProgress) -> Iterator[Tensor]:
    """Embedding of each of the chosen images, as one row."""
    chosen = images.spread(_IMAGES)
    for done, index in enumerate(chosen):
        on_progress(STAGE, done, len(chosen))
        try:
            # Decoded again: the store holds features of another layer, at another size.
            picture = images.picture(index)
        except ImageError as error:
            logger.warning("objects are compared without %s", error)
            continue
        crop = picture, whole_box(picture)
        yield torch.from_numpy(embed(heap.encoder, [crop], heap.defaults.crop))
    on_progress(STAGE, len(chosen), len(chosen))
