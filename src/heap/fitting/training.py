"""Training to the last step, with everything that a kill must not lose."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from heap.base.checkpoint import cut_log, load_checkpoint, save_checkpoint
from heap.base.files import make_folder
from heap.base.progress import OnProgress
from heap.encoder.registry import recipe
from heap.fitting.empty import find_crops
from heap.fitting.priors import Mask, load_masks, make_masks, save_masks
from heap.fitting.trainer import Trainer
from heap.model.heap import Heap

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
PRIORS = "priors"
"""Folder in that of the features."""
ALONE = "alone"
"""Folder of the head that gives `self` its first masks."""


def train(trainer: Trainer, out: Path, on_progress: OnProgress) -> None:
    """Train to the last step, with checkpoints; goes on from one if there is one in `out`."""
    last, log = out / CHECKPOINT, out / LOG
    if last.exists():
        trainer.restore(load_checkpoint(last), last)
    else:
        trainer.start()
    cut_log(log, trainer.step)
    steps = trainer.config.steps
    if trainer.step < steps and trainer.losses.prior != "none":
        trainer.prior = _prior(trainer, out, on_progress)
        if trainer.config.empty:
            trainer.crops = find_crops(trainer.images, trainer.prior, on_progress)
    while trainer.step < steps:
        values = trainer.advance()
        if trainer.step % trainer.config.checkpoint_every == 0 or trainer.step == steps:
            with log.open("a") as lines:
                lines.write(json.dumps({"step": trainer.step, **values}) + "\n")
            save_checkpoint(last, trainer.state())
        on_progress("training", trainer.step, steps)


def _prior(trainer: Trainer, out: Path, on_progress: OnProgress) -> list[Mask]:
    """The masks that an earlier fit has made with the same settings, or new ones.

    They are kept beside the features: they do not depend on the head that they teach.
    """
    kind, images = trainer.losses.prior, trainer.images
    made_with = trainer.prior_settings()
    name = hashlib.sha256(json.dumps(made_with, sort_keys=True).encode()).hexdigest()[:24]
    path = images.store.folder.parent / PRIORS / f"{name}.safetensors"
    if kept := load_masks(path, len(images)):
        return kept
    alone = _alone(trainer, out / ALONE, on_progress) if kind == "self" else None
    encoder = trainer.heap.encoder
    masks = make_masks(kind, images, encoder, trainer.config.seed, alone, on_progress)
    save_masks(masks, path)
    return masks


def _alone(trainer: Trainer, out: Path, on_progress: OnProgress) -> Heap:
    """A head that is fitted by the three losses, on the same images.

    Raises:
        FitError: if the head is of no use.
    """
    make_folder(out)
    features = trainer.heap.config.features
    head = recipe(features.encoder).head
    heap = Heap(trainer.heap.encoder, replace(trainer.heap.config, head=head))
    alone = Trainer(heap, trainer.images, replace(trainer.losses, prior="none"), trainer.config)
    train(alone, out, on_progress)
    alone.finish()
    return heap
