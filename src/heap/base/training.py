"""Steps of training, with what a kill must not lose: used to fit heads and to pretrain encoders."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from heap.base.checkpoint import cut_log, load_checkpoint, save_checkpoint
from heap.base.device import process_number

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"


@runtime_checkable
class Training(Protocol):
    """Weights in training, and the step that changes them."""

    step: int
    """Number of steps taken."""

    @property
    def finished(self) -> bool:
        """Whether the last step is taken."""
        ...

    def advance(self) -> dict[str, float]:
        """Take a step; returns its losses and monitors."""
        ...

    def state(self) -> dict[str, Any]:
        """Content of a checkpoint."""
        ...

    def restore(self, state: dict[str, Any], where: Path) -> None:
        """Go on from a checkpoint, read from the file `where`."""
        ...


def resume(training: Training, folder: Path) -> bool:
    """Go on from the checkpoint in `folder`; returns whether there is any.

    Raises:
        StoreError: if it is damaged, or of another kind of training.
        ConfigError: if it was made with other settings.
    """
    checkpoint = folder / CHECKPOINT
    exists = checkpoint.exists()
    if exists:
        training.restore(load_checkpoint(checkpoint), checkpoint)
    if process_number() == 0:
        # A kill may have come between a line and its checkpoint; those steps are taken again.
        cut_log(folder / LOG, training.step)
    return exists


def take_steps(training: Training, folder: Path, every: int) -> Iterator[dict[str, float]]:
    """Take the steps that are left; yields the losses and monitors of each.

    Every `every` steps, and after the last, a line is added to the log in `folder` and the
    checkpoint there is replaced.
    """
    while not training.finished:
        values = training.advance()
        if process_number() == 0 and (training.finished or training.step % every == 0):
            append_line(folder / LOG, {"step": training.step, **values})
            save_checkpoint(folder / CHECKPOINT, training.state())
        yield values


def append_line(log: Path, values: Mapping[str, Any]) -> None:
    """Add a line of JSON to a log."""
    with log.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(values) + "\n")


def warm_cosine(progress: float, warmup: float, least: float) -> float:
    """Share of the learning rate at a progress from 0 to 1: rises to 1, then falls as a cosine.

    It rises over the share `warmup` of training, from `least` of the way, for a first step at a
    rate of 0 would learn nothing.
    """
    # Adam's first steps are large before it knows the variance of the gradients.
    if progress < warmup:
        return min(1.0, (progress + least) / warmup)
    return 0.5 + 0.5 * math.cos(math.pi * (progress - warmup) / (1 - warmup))
