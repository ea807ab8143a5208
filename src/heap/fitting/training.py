"""Training to the last step, with everything that a kill must not lose."""

import hashlib
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from heap.base.errors import ConfigError
from heap.base.files import make_folder
from heap.base.progress import OnProgress
from heap.base.training import CHECKPOINT, LOG, resume, take_steps
from heap.config import FitConfig, LossConfig, Prior
from heap.encoder.registry import recipe
from heap.fitting.choosing import Candidate, candidates, choose, make_squares, measure_fit
from heap.fitting.collect import Collected
from heap.fitting.empty import find_crops
from heap.fitting.orientation import Monitor
from heap.fitting.priors import Mask, load_masks, make_masks, save_masks
from heap.fitting.trainer import Trainer
from heap.model.heap import Heap

PRIORS = "priors"
"""Folder of prior masks, beside the folders of features in the cache."""
ALONE = "alone"
"""Folder of the head that the prior `self` has its first masks from."""
CANDIDATES = "candidates"
"""Folder of the heads that `auto` has tried, one for each prior."""


@dataclass(frozen=True)
class Trained:
    """Head after its last step, oriented and checked."""

    trainer: Trainer
    monitor: Monitor
    tried: tuple[Candidate, ...] = ()
    """Priors that were compared; none where one was asked for."""

    def provenance(self) -> dict[str, Any]:
        """Record of how the head came about, for the configuration and card of its model."""
        about = self.trainer.provenance(self.monitor)
        return about | {
            "priors": {candidate.prior: candidate.summary() for candidate in self.tried}
        }


def train_head(
    heap: Heap,
    images: Collected,
    losses: LossConfig,
    config: FitConfig,
    out: Path,
    on_progress: OnProgress,
) -> Trained:
    """Train the head of `heap`; for the prior `auto` by several priors, and keep the best head.

    Raises:
        FitError: if no head is of any use.
    """
    _refuse_other_choice(losses.prior, out)
    if losses.prior != "auto":
        trainer = Trainer(heap, images, losses, config)
        train(trainer, out, on_progress)
        return Trained(trainer, trainer.finish())
    squares = make_squares(images)
    heads: dict[Prior, tuple[Trained, dict[str, Tensor]]] = {}

    def try_out(prior: Prior) -> Float64[np.ndarray, " image"]:
        def on_stage(stage: str, done: int, total: int | None) -> None:
            on_progress(f"{stage}, prior {prior}", done, total)

        folder = out / CANDIDATES / prior
        make_folder(folder)
        if prior == "self":
            _reuse_first_head(heap, out / CANDIDATES / "none", folder / ALONE)
        trained = train_head(heap, images, replace(losses, prior=prior), config, folder, on_stage)
        # Cloned, because the next prior trains the very same tensors.
        state = {name: value.clone() for name, value in heap.head.state_dict().items()}
        heads[prior] = trained, state
        return measure_fit(heap, images, squares)

    # `heap` holds the head of the prior that was tried last, not that of the best one.
    prior, tried = choose(candidates(heap.encoder), try_out)
    trained, state = heads[prior]
    heap.head.load_state_dict(state)
    return replace(trained, tried=tuple(tried))


def _reuse_first_head(heap: Heap, trained: Path, alone: Path) -> None:
    """Let `self` begin with the head that the three losses have trained just before.

    That is so if its head is the one that `_fit_alone` would train with the same settings.
    """
    usual = recipe(heap.encoder.name).head
    if heap.config.head == usual and (trained / CHECKPOINT).exists() and not alone.exists():
        make_folder(alone)
        # The log first: without its checkpoint it counts for nothing.
        for name in (LOG, CHECKPOINT):
            shutil.copyfile(trained / name, alone / name)


def _refuse_other_choice(prior: Prior, out: Path) -> None:
    """Refuse to fit by one prior where a fit by several has begun, and the other way round."""
    left, kind = (
        (CHECKPOINT, "by one prior") if prior == "auto" else (CANDIDATES, "with --prior auto")
    )
    if (out / left).exists():
        raise ConfigError(
            f"{out} holds a fit {kind}, and this is one with --prior {prior}; choose another "
            f"--out, or delete {out} to start again"
        )


def train(trainer: Trainer, out: Path, on_progress: OnProgress) -> None:
    """Train to the last step, with checkpoints; goes on from the one in `out` if there is any."""
    if not resume(trainer, out):
        trainer.start()
    if not trainer.finished and trainer.losses.prior != "none":
        trainer.prior = _make_prior(trainer, out, on_progress)
        if trainer.config.empty:
            trainer.crops = find_crops(trainer.images, trainer.prior, on_progress)
    for _ in take_steps(trainer, out, trainer.config.checkpoint_every):
        on_progress("training", trainer.step, trainer.config.steps)


def _make_prior(trainer: Trainer, out: Path, on_progress: OnProgress) -> list[Mask]:
    """Load the masks that an earlier fit has made with the same settings, or make new ones.

    They are kept beside the features: they do not depend on the head that they teach.
    """
    kind, images = trainer.losses.prior, trainer.images
    made_with = trainer.prior_settings()
    name = hashlib.sha256(json.dumps(made_with, sort_keys=True).encode()).hexdigest()[:24]
    path = images.store.folder.parent / PRIORS / f"{name}.safetensors"
    if kept := load_masks(path, len(images)):
        return kept
    alone = _fit_alone(trainer, out / ALONE, on_progress) if kind == "self" else None
    encoder = trainer.heap.encoder
    masks = make_masks(kind, images, encoder, trainer.config.seed, alone, on_progress)
    save_masks(masks, path)
    return masks


def _fit_alone(trainer: Trainer, out: Path, on_progress: OnProgress) -> Heap:
    """Fit a head by the three losses alone, on the same images.

    Raises:
        FitError: if the head is of no use.
    """
    make_folder(out)
    # With the head of the recipe whatever head is asked for: the prior masks, which are kept for
    # other fits, must not depend on it.
    head = recipe(trainer.heap.encoder.name).head
    heap = Heap(trainer.heap.encoder, replace(trainer.heap.config, head=head))
    alone = Trainer(heap, trainer.images, replace(trainer.losses, prior="none"), trainer.config)
    train(alone, out, on_progress)
    alone.finish()
    return heap
