"""Trainer of a grouping head, on the features of unlabelled images."""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from heap.base.errors import ConfigError, FitError, StoreError
from heap.base.training import warm_cosine
from heap.config import FitConfig, LossConfig, differing_keys
from heap.features.describe import PatchFeatures
from heap.fitting.collect import Collected
from heap.fitting.orientation import Monitor, border_cells, orient
from heap.fitting.priors import VERSION, Mask
from heap.methods.lessons import Images
from heap.model.head import Grouping, GroupingHead
from heap.model.heap import Heap
from heap.model.losses import heap_losses, total_loss

_CHECKED_IMAGES = 200
"""Number of images that the fitted head is oriented and checked on, about."""


@dataclass(frozen=True)
class Batch:
    """Patches of several images, in random order; as many of every image as the smallest has."""

    features: Float[Tensor, "batch patch dim"]
    prior: Float[Tensor, "batch patch"] | None
    border: Bool[Tensor, "image patch"]
    """Patches on the border of their image."""
    image_count: int
    """Number of images in the batch; crops without a foreground come after them."""


class Trainer:
    """Head, optimiser and prior, and the step of training.

    All random draws of a step come from the seed and the number of the step, so that training that
    goes on from a checkpoint takes the same steps as one that was not interrupted.
    """

    def __init__(
        self, heap: Heap, images: Collected, losses: LossConfig, config: FitConfig
    ) -> None:
        self.heap, self.images, self.losses, self.config = heap, images, losses, config
        # Initial weights depend on the seed alone; the caller's generator is left as it was.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            fresh = GroupingHead(
                len(heap.head.centre), heap.encoder.embedding_dim, heap.config.head
            )
        heap.head.load_state_dict(fresh.state_dict())
        self.optimizer = torch.optim.AdamW(
            heap.head.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.prior: list[Mask] | None = None
        self.crops: Images | None = None
        self.step = 0

    @property
    def finished(self) -> bool:
        """Whether the last step is taken."""
        return self.step >= self.config.steps

    def start(self) -> None:
        """Compute the mean feature, which a checkpoint would bring otherwise."""
        if self.heap.config.head.centred:
            # Every image counts alike, however many patches it has.
            means = [image.patches.mean(dim=0) for image in self._sample()]
            self.heap.head.centre.copy_(torch.stack(means).mean(dim=0))

    def settings(self) -> dict[str, Any]:
        """Settings that must be the same for training to go on from a checkpoint."""
        digest = hashlib.sha256("".join(self.images.digests).encode()).hexdigest()
        model = asdict(self.heap.config)
        # Not by what the encoder is called, which depends on the current folder.
        del model["features"]["encoder"]
        return {
            "features": model["features"],
            "head": model["head"],
            "encoder": self.heap.config.encoder_fingerprint,
            "losses": asdict(self.losses),
            "fit": asdict(self.config),
            "images": digest,
        }

    def prior_settings(self) -> dict[str, Any]:
        """Settings that the prior masks depend on: with `self`, also how the head is fitted."""
        kind, settings = self.losses.prior, self.settings()
        about = {name: settings[name] for name in ("features", "encoder", "images")}
        if kind == "self":
            about |= {name: settings[name] for name in ("losses", "fit")}
        return about | {"prior": kind, "seed": self.config.seed, "version": VERSION}

    def state(self) -> dict[str, Any]:
        """Content of a checkpoint."""
        return {
            "step": self.step,
            "settings": json.dumps(self.settings()),
            "head": self.heap.head.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any], where: Path) -> None:
        """Go on from a checkpoint, read from the file `where`.

        Raises:
            ConfigError: if it was made with other settings, naming the differing keys.
            StoreError: if it is no checkpoint of a fit, or one of another version of heap.
        """
        if state.keys() != self.state().keys():
            raise StoreError(f"{where} is not of a fit; choose another --out")
        made_with = json.loads(state["settings"])
        made_with["features"].pop("encoder", None)  # Earlier versions noted its name too.
        # Ours through JSON too, so that tuples are lists in both.
        if keys := differing_keys(made_with, json.loads(json.dumps(self.settings()))):
            raise ConfigError(
                f"{where.parent} holds a fit with other settings: {', '.join(keys)}; choose "
                f"another --out, or delete {where.parent} to start again"
            )
        try:
            # The whole of it: the mean feature, which `start` would compute, is a buffer of the
            # head.
            self.heap.head.load_state_dict(state["head"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise StoreError(
                f"{where} is of another version of heap, whose heads were others; delete "
                f"{where.parent} to start again"
            ) from error
        self.step = state["step"]

    def advance(self) -> dict[str, float]:
        """Take one step; returns its losses and monitors.

        Raises:
            FitError: if a loss is not finite.
        """
        batch = self._draw()
        grouping: Grouping = self.heap.head(batch.features)
        centred = self.heap.head.subtract_centre(batch.features)
        losses = heap_losses(grouping, centred, batch.prior, self.losses, batch.image_count)
        total = total_loss(losses, self.losses)
        values = {name: value.item() for name, value in losses.items()}
        if not math.isfinite(total.item()):
            raise FitError(f"step {self.step}: the loss is not finite ({values}); lower the "
                           "learning rate, or look for damaged features")  # fmt: skip
        # A function of the step alone, so that checkpoints need no state of a schedule.
        steps = self.config.steps
        share = warm_cosine(self.step / steps, max(1, steps // 10) / steps, 1 / steps)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * share
        self.optimizer.zero_grad()
        total.backward()
        clip_grad_norm_(self.heap.head.parameters(), self.config.clip)
        self.optimizer.step()
        self.step += 1
        # Without the empty crops, which have no foreground to monitor.
        images = grouping.first_images(batch.image_count)
        return values | asdict(Monitor.measure(images, batch.border))

    def _draw(self) -> Batch:
        """Draw the images and crops of a step, and a sample of the patches of each."""
        # The factor is a prime larger than any number of steps, so that no two seeds share draws.
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + self.step)
        crops = round(self.config.batch * self.config.empty) if self.crops else 0
        numbers = _pick(len(self.images), self.config.batch - crops, generator)
        empty = _pick(len(self.crops or ()), crops, generator)
        images = [self.images[number] for number in numbers]
        chosen = images + [self.crops[number] for number in empty if self.crops]
        length = min(self.config.patches, *(len(image.patches) for image in chosen))
        kept = [
            torch.randperm(len(image.patches), generator=generator)[:length] for image in chosen
        ]
        # Crops come after the images, so that `zip` ends with the images where it is not strict.
        prior = None
        if self.prior is not None:
            masks = [
                self.prior[number][keep].float()
                for number, keep in zip(numbers, kept, strict=False)
            ]
            prior = self._stack(masks + [torch.zeros(length)] * len(empty))
        border = self._stack([
            border_cells(image.grid)[keep] for image, keep in zip(images, kept, strict=False)
        ])  # fmt: skip
        patches = [image.patches[keep] for image, keep in zip(chosen, kept, strict=True)]
        return Batch(self._stack(patches), prior, border, len(images))

    def _stack(self, parts: list[Tensor]) -> Tensor:
        return torch.stack(parts).to(self.heap.head.centre.device)

    @torch.inference_mode()
    def finish(self) -> Monitor:
        """Orient and check the fitted head on a sample of whole images, and learn to compare parts.

        Raises:
            FitError: if the head is of no use.
        """
        self.heap.eval()
        self.heap.head.learn_whitening(image.patches for image in self._sample())
        monitor = self._measure()
        if orient(self.heap.head, monitor):
            monitor = self._measure()
        monitor.check()
        return monitor

    def _measure(self) -> Monitor:
        """Mean of the measurements over a sample of whole images."""
        monitors = [
            Monitor.measure(self.heap.group(image), border_cells(image.grid)[None])
            for image in self._sample()
        ]
        # Without NaN: an image so thin that it is all border has no mean of its interior.
        return Monitor(**{
            name: torch.tensor([getattr(monitor, name) for monitor in monitors]).nanmean().item()
            for name in asdict(monitors[0])
        })  # fmt: skip

    def _sample(self) -> Iterator[PatchFeatures]:
        return (self.images[index] for index in self.images.spread(_CHECKED_IMAGES))

    def provenance(self, monitor: Monitor) -> dict[str, Any]:
        """Record of how the model came about, for its configuration and card."""
        return {
            "heap_version": version("heap"),
            "images": len(self.images),
            "losses": asdict(self.losses),
            "fit": asdict(self.config),
            "monitor": {name: round(value, 4) for name, value in asdict(monitor).items()},
        }


def _pick(count: int, max_count: int, generator: torch.Generator) -> list[int]:
    """Draw numbers below `count` without repeats."""
    picks: list[int] = torch.randperm(count, generator=generator)[:max_count].tolist()
    return picks
