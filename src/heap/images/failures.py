"""Images that cannot be used: a bad one does not stop the others, and all are listed."""

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from heap.base.errors import HeapError, ImageError
from heap.base.files import replacing
from heap.images.source import name_of, reason_of

logger = logging.getLogger(__name__)

FAILURES = "failed.jsonl"
"""File in which a run and a model list the images that could not be used."""

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """Image that could not be used."""

    key: str
    stage: str
    """Stage at which it failed: `decode`, `encode`, ..."""
    reason: str
    """Reason, in a sentence."""
    source: str = ""
    """Absolute path, or URL, that it was read from; empty if it cannot be read again."""


def attempt(key: str, stage: str, work: Callable[[], T]) -> T | ImageError:
    """Result of `work`, or the error of this image if it fails.

    Errors of ours that are not of one image, such as a disk that is full, are raised.
    """
    try:
        return work()
    except ImageError as error:
        return error
    except HeapError:
        raise
    except Exception as error:  # of any library: one image must not stop a run
        logger.debug("%s failed at stage %s", key, stage, exc_info=True)
        if is_out_of_memory(error):
            reason = "out of memory with this image alone; a lower resolution takes less"
        else:
            reason = f"{type(error).__name__}: {reason_of(error)}"
        return ImageError(key, stage, reason)


def attempt_all(
    items: Sequence[S],
    work: Callable[[Sequence[S]], Sequence[T]],
    stage: str,
    key: Callable[[S], str],
) -> list[T | ImageError]:
    """Result of `work` for each item, worked on together; one by one if that fails.

    An item that fails alone gets its error.
    """
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


def is_out_of_memory(error: Exception) -> bool:
    """Whether the memory of a GPU or of the machine did not suffice."""
    # Imported here: a command that only lists failures does not wait for torch.
    import torch
    from accelerate.utils.memory import should_reduce_batch_size

    # Torch raises a plain RuntimeError for the memory of the machine; accelerate knows its text.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or should_reduce_batch_size(
        error
    )


def write_failures(failures: Iterable[Failure], path: Path | str) -> None:
    """Write one JSON object per line for each image that failed: its name, stage and reason.

    Raises:
        InputError: if the file cannot be written.
    """
    with replacing(path) as file:
        for failure in failures:
            name = name_of(failure.key)
            line = {"path": name, "stage": failure.stage, "reason": failure.reason}
            # Escaped to ASCII, which readers of any encoding read alike.
            file.write(json.dumps(line).encode("ascii") + b"\n")
