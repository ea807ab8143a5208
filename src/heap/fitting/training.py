"""Training to the last step, with everything that a kill must not lose."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from heap.base.checkpoint import cut_log, load_checkpoint, save_checkpoint
from heap.base.errors import ConfigError
from heap.base.files import make_folder
from heap.base.progress import OnProgress
from heap.config import FitConfig, LossConfig, Prior
from heap.encoder.registry import recipe
from heap.fitting.choosing import Candidate, candidates, choose, fit_of_masks, squares_of
from heap.fitting.collect import Collected
from heap.fitting.empty import find_crops
from heap.fitting.orientation import Monitor
from heap.fitting.priors import Mask, load_masks, make_masks, save_masks
from heap.fitting.trainer import Trainer
from heap.model.heap import Heap

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
PRIORS = "priors"
"""Folder in that of the features."""
ALONE = "alone"
"""Folder of the head that gives `self` its first masks."""
CANDIDATES = "candidates"
"""Folder of the heads that `auto` has tried, one for each prior."""


@dataclass(frozen=True)
class Trained:
    """A head after its last step, on its side and checked."""

    trainer: Trainer
    monitor: Monitor
    tried: tuple[Candidate, ...] = ()
    """Priors that were compared; none where one was asked for."""

    def provenance(self) -> dict[str, Any]:
        """How the head came about, for the configuration and card of its model."""
        about = self.trainer.provenance(self.monitor)
        return about | {"priors": {each.prior: each.about() for each in self.tried}}


def train_head(
    heap: Heap,
    images: Collected,
    losses: LossConfig,
    config: FitConfig,
    out: Path,
    on_progress: OnProgress,
) -> Trained:
    """Train the head of `heap`; where the prior is `auto`, by each of them, and keep the best.

    Raises:
        FitError: if no head is of any use.
    """
    _refuse_other_choice(losses.prior, out)
    if losses.prior != "auto":
        trainer = Trainer(heap, images, losses, config)
        train(trainer, out, on_progress)
        return Trained(trainer, trainer.finish())
    squares = squares_of(images)
    heads: dict[Prior, tuple[Trained, dict[str, Tensor]]] = {}

    def try_out(prior: Prior) -> Float64[np.ndarray, " image"]:
        def on_stage(stage: str, done: int, total: int | None) -> None:
            on_progress(f"{stage}, prior {prior}", done, total)

        folder = out / CANDIDATES / prior
        make_folder(folder)
        own = train_head(heap, images, replace(losses, prior=prior), config, folder, on_stage)
        heads[prior] = own, {name: value.clone() for name, value in heap.head.state_dict().items()}
        return fit_of_masks(heap, images, squares)

    prior, tried = choose(candidates(heap.encoder), try_out)
    trained, state = heads[prior]
    heap.head.load_state_dict(state)
    return replace(trained, tried=tuple(tried))


def _refuse_other_choice(prior: Prior, out: Path) -> None:
    """Fits by one prior and by the best of several do not share a folder."""
    left, kind = (
        (CHECKPOINT, "by one prior") if prior == "auto" else (CANDIDATES, "with --prior auto")
    )
    if (out / left).exists():
        raise ConfigError(
            f"{out} holds a fit {kind}, and this is one with --prior {prior}; choose another "
            f"--out, or delete {out} to start again"
        )


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
