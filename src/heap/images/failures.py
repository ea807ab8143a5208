"""Work on images of which a bad one must not stop the others."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import torch

from heap.base.errors import HeapError, ImageError
from heap.images.source import reason_of

logger = logging.getLogger(__name__)

S = TypeVar("S")
T = TypeVar("T")


def attempt(key: str, stage: str, work: Callable[[], T]) -> T | ImageError:
    """What `work` returns; what goes wrong with this image is returned too, as its error.

    Errors of ours that are not of one image, such as a disk that is full, are raised.
    """
    try:
        return work()
    except ImageError as error:
        return error
    except HeapError:
        raise
    except Exception as error:
        logger.debug("%s failed at stage %s", key, stage, exc_info=True)
        if is_out_of_memory(error):
            reason = "out of memory with this image alone; a lower resolution takes less"
        else:
            reason = f"{type(error).__name__}: {reason_of(error)}"
        return ImageError(key, stage, reason)


def apart(
    items: Sequence[S],
    work: Callable[[Sequence[S]], Sequence[T]],
    stage: str,
    key: Callable[[S], str],
) -> list[T | ImageError]:
    """A result for each item of `work` on all of them, or on each alone where that goes wrong."""
    try:
        return list(work(items))
    except HeapError:
        raise
    except Exception as error:
        if len(items) > 1:
            logger.warning("%s; working on %d images one by one", reason_of(error), len(items))
    alone: list[T | ImageError] = []
    for item in items:
        result = attempt(key(item), stage, partial(work, [item]))
        alone += [result] if isinstance(result, ImageError) else result
    return alone


def in_halves(work: Callable[[torch.Tensor], T], batch: torch.Tensor) -> list[T]:
    """Results of `work` on the batch, or on parts of it where it does not fit into memory."""
    try:
        return [work(batch)]
    except (RuntimeError, MemoryError) as error:
        if len(batch) == 1 or not is_out_of_memory(error):
            raise
    logger.warning("out of memory with a batch of %d images, going on with half", len(batch))
    return [part for half in batch.tensor_split(2) for part in in_halves(work, half)]


def is_out_of_memory(error: Exception) -> bool:
    """Whether the memory of a GPU or of the machine did not suffice."""
    from accelerate.utils.memory import should_reduce_batch_size

    # Torch has no class of its own for the memory of the machine.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or should_reduce_batch_size(
        error
    )
