"""Trainer of an encoder, and the step of pretraining: crops, teacher, student, losses."""

import math
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int64
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, convert_conv2d_weight_memory_format
from transformers import PreTrainedModel

from heap.base.device import choose_device
from heap.base.errors import ConfigError, FitError, StoreError
from heap.base.training import warm_cosine
from heap.encoder.precision import has_bf16
from heap.pretraining.augment import Crops, random_crops, recolour
from heap.pretraining.config import PretrainConfig
from heap.pretraining.losses import (
    alike_loss,
    cosine_loss,
    foreground_loss,
    image_loss,
    measure_collapse,
    patch_loss,
    trust_at,
)
from heap.pretraining.objective import random_blocks
from heap.pretraining.photos import Photos, patch_colours
from heap.pretraining.student import Student, StudentOutput

if TYPE_CHECKING:
    from accelerate import Accelerator

    # Asking a stronger encoder needs more packages than a bare GPU machine has.
    from heap.pretraining.lessons import TeacherFeatures

LOCAL_AREA = (0.08, 0.4)
"""Least and largest share of an image that a local crop shows."""
SIDES = (3 / 4, 1.0, 5 / 4)
"""Multiples of the side that global crops come in, so that the encoder meets other grids."""
SMALLEST = 32
"""Least side of a crop in pixels, the stride of the coarsest map of a pyramid."""
WARMUP = 0.05
"""Share of training in which the learning rate rises."""
LEAST = 1e-3
"""Share of training whose rate the first step has."""
MASKED = 0.35
"""Share of an image that is hidden, where any is."""

Losses = dict[str, Tensor]


def new_accelerator() -> "Accelerator":
    """Accelerator of all devices there are; in bfloat16 where they have instructions for it.

    Where they have none, a matrix product in bfloat16 takes many times as long as in float32.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    native = has_bf16(torch.device(choose_device("auto")))
    # Accelerate keeps settings for the whole process: those of an earlier training would stay, or
    # raise an error.
    AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(mixed_precision="bf16" if native else "no")


class Pretrainer:
    """Student, its moving average as a teacher, the optimiser, and the step of training.

    `lessons` are the features of a stronger encoder for the photos, where there is one; with
    `as_teacher` the backbone is a part of that.

    All random draws of a step come from the seed, the number of the step and that of the device, so
    a run that goes on from a checkpoint draws the same as one that was not interrupted.
    """

    def __init__(
        self,
        accelerator: "Accelerator",
        backbone: PreTrainedModel,
        photos: Photos,
        config: PretrainConfig,
        lessons: "TeacherFeatures | None" = None,
        as_teacher: bool = False,
    ) -> None:
        self.config, self.accelerator, self.lessons = config, accelerator, lessons
        self.device: torch.device = self.accelerator.device
        # All are in the memory of the device: a GPU would wait for slower memory.
        self.photos = photos.to(self.device)
        student = Student(backbone, config, lessons.widths if lessons else None)
        if lessons and as_teacher:
            student.begin_as_teacher(
                lessons.patch_standard, lessons.embedding_standard, lessons.patch_length
            )
        convert_conv2d_weight_memory_format(student, torch.channels_last)
        self.teacher = student.make_teacher().to(self.device)
        optimizer = torch.optim.AdamW(
            _parameter_groups(student), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.student, self.optimizer = self.accelerator.prepare(student, optimizer)
        # Several devices start from the weights of the first.
        self.teacher.load_state_dict(self.raw.state_dict())
        self.step = 0
        self.seconds = 0.0
        """Time that training has taken, over all calls."""

    @property
    def raw(self) -> Student:
        """Student without the wrapper that several devices need."""
        student: Student = self.accelerator.unwrap_model(self.student)
        return student

    @property
    def progress(self) -> float:
        """Share of training that is done, from 0 to 1: of the steps, or of the time."""
        config = self.config
        spent = self.seconds / (60 * config.minutes) if config.minutes else 0.0
        return min(1.0, max(self.step / config.steps, spent))

    @property
    def finished(self) -> bool:
        """Whether all steps are taken, or all time is spent."""
        return self.progress >= 1

    def state(self) -> dict[str, Any]:
        """Content of a checkpoint."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "config": asdict(self.config),
            "student": self.raw.state_dict(),
            "teacher": self.teacher.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any], where: Path) -> None:
        """Go on from a checkpoint, read from the file `where`.

        Raises:
            ConfigError: if it was made with another configuration, naming the keys.
            StoreError: if it is no checkpoint of a pretraining, or of another model.
        """
        if state.keys() != self.state().keys():
            raise StoreError(f"{where} is not of a pretraining; choose another --out")
        ours = asdict(self.config)
        changed = [
            f"{key} ({old!r} -> {ours.get(key)!r})"
            for key, old in state["config"].items()
            if ours.get(key) != old
        ]
        if changed:
            raise ConfigError(
                f"{where} was made with other settings: {', '.join(changed)}; choose another --out"
            )
        try:
            self.raw.load_state_dict(state["student"])
            self.teacher.load_state_dict(state["teacher"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise StoreError(
                f"{where} is of another model: the architecture or --start has changed; "
                "choose another --out"
            ) from error
        self.step, self.seconds = state["step"], state["seconds"]

    def advance(self) -> dict[str, float]:
        """Take one step; returns the losses and the collapse monitors.

        Raises:
            FitError: if the loss is not finite.
        """
        began = monotonic()
        config, progress = self.config, self.progress
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * warm_cosine(progress, WARMUP, LEAST)
        losses, signs = self._losses(progress)
        total = sum(getattr(config, f"{name}_weight") * loss for name, loss in losses.items())
        if not torch.isfinite(total):
            raise FitError(f"the loss of step {self.step} is not finite; lower the learning rate")
        self.optimizer.zero_grad()
        self.accelerator.backward(total)
        clip_grad_norm_(self.student.parameters(), config.clip)
        self.optimizer.step()
        self._share_statistics()
        # At the start a plain mean of all students so far: with the full momentum the teacher would
        # keep the random weights for long.
        self.teacher.follow(self.raw, min(self._momentum(progress), 1 - 1 / (self.step + 2)))
        self.step += 1
        values = {name: value.item() for name, value in (losses | signs).items()}
        self._spend(monotonic() - began)
        return values

    def _spend(self, seconds: float) -> None:
        """Add the time of a step; the mean of all devices, so that they end after the same step."""
        spent = self.accelerator.reduce(torch.tensor(seconds, device=self.device), "mean")
        self.seconds += spent.item()

    def _losses(self, progress: float) -> tuple[Losses, Losses]:
        """Losses of a step, and signs of collapse, both by name."""
        config, generator = self.config, self._make_generator()
        pick = torch.randint(
            len(self.photos), (config.batch,), generator=generator, device=self.device
        )
        images, priors = self.photos.pick(pick, self.device)
        grid = self._draw_grid(progress, generator)
        views = [
            random_crops(images, grid * self.raw.patch, (config.crop_area, 1.0), generator)
            for _ in range(config.global_crops)
        ]
        side = self._count_patches(config.local_crop) * self.raw.patch
        small = [
            random_crops(images, side, LOCAL_AREA, generator)
            for _ in range(config.local_crops if config.image_weight else 0)
        ]
        masks = [
            random_blocks(config.batch, grid, grid, MASKED, generator)
            for _ in (views if config.patch_weight else ())
        ]
        # The teacher sees crops in their own colours, the student recoloured ones.
        taught: list[StudentOutput] = []
        if config.self_taught:
            with torch.no_grad(), self.accelerator.autocast():
                taught = self.teacher([crops.pixels for crops in views])
        pixels = [recolour(crops.pixels, generator) for crops in views + small]
        with self.accelerator.autocast():
            seen = self.student(pixels, masks)
        losses = {}
        if config.image_weight:
            losses["image"] = image_loss(taught, seen, config)
        if config.patch_weight:
            losses["patch"] = patch_loss(taught, seen, masks, config)
        if config.dense_weight:
            crop_priors = [crops.sample(priors, grid).flatten(1) for crops in views]
            colours = [patch_colours(crops.pixels, grid) for crops in views]
            trust = trust_at(progress, config)
            losses["dense"] = foreground_loss(taught, seen, crop_priors, colours, trust)
        if self.lessons:
            losses |= self._lesson_losses(
                self.lessons, pick, list(zip(views, seen, strict=False)), generator
            )
        return losses, measure_collapse(taught[0] if taught else seen[0])

    def _lesson_losses(
        self,
        lessons: "TeacherFeatures",
        pick: Int64[Tensor, " batch"],
        views: list[tuple[Crops, StudentOutput]],
        generator: torch.Generator,
    ) -> Losses:
        """Losses by the features of a stronger encoder; its maps are cropped like the photos."""
        maps, embeddings = lessons.pick(pick)
        losses: dict[str, list[Tensor]] = {"distill": [], "class": [], "alike": [], "same": []}
        for crops, seen in views:
            grid = crops.pixels.shape[-1] // self.raw.patch
            patches = crops.sample_channels(maps, grid).flatten(2).transpose(1, 2)
            order = torch.randperm(patches.shape[1], generator=generator, device=self.device)
            if seen.distill is not None:
                target = lessons.patch_standard(patches)
                losses["distill"].append(cosine_loss(seen.distill, target))
            if seen.distill_embedding is not None:
                target = lessons.embedding_standard(embeddings)
                losses["class"].append(cosine_loss(seen.distill_embedding, target))
            if self.config.alike_weight:
                losses["alike"].append(alike_loss(patches, embeddings, seen, order))
            if self.config.same_weight:
                losses["same"].append(cosine_loss(seen.tokens, patches))
        return {name: torch.stack(values).mean() for name, values in losses.items() if values}

    def _momentum(self, progress: float) -> float:
        momentum = self.config.teacher_momentum
        if not self.config.self_taught:
            # Nothing learns from the average; with a momentum of 1 it would not reach the student,
            # whose last steps are its best.
            return momentum
        return 1 - (1 - momentum) * (math.cos(math.pi * progress) + 1) / 2

    def _make_generator(self) -> torch.Generator:
        """Generator of a step, other for every device; also seeds the process."""
        number = self.step * self.accelerator.num_processes + self.accelerator.process_index
        # A large prime, so that draws of neighbouring seeds do not overlap.
        seed = self.config.seed * 1_000_003 + number
        # Models draw from the generator of the process, for stochastic depth for example.
        torch.manual_seed(seed)
        return torch.Generator(self.device).manual_seed(seed)

    def _draw_grid(self, progress: float, generator: torch.Generator) -> int:
        """Draw the side of the global crops of a step, in patches."""
        config = self.config
        last = config.last_crop and progress >= 1 - config.last_share
        draw = torch.randint(len(SIDES), (1,), generator=generator, device=self.device)
        return self._count_patches((config.last_crop if last else config.crop) * SIDES[int(draw)])

    def _count_patches(self, side: int | float) -> int:
        patch = self.raw.patch
        return max(math.ceil(SMALLEST / patch), round(side / patch))

    @torch.no_grad()
    def _share_statistics(self) -> None:
        """Give every device the mean of their statistics of batch normalisation."""
        if self.accelerator.num_processes > 1:
            for buffer in self.raw.buffers():
                if buffer.is_floating_point():
                    buffer.copy_(self.accelerator.reduce(buffer, "mean"))


def _parameter_groups(module: nn.Module) -> list[dict[str, Any]]:
    """Groups of weights: with weight decay matrices and kernels, without it biases and norms."""
    decayed = [weight for weight in module.parameters() if weight.ndim > 1]
    plain = [weight for weight in module.parameters() if weight.ndim <= 1]
    return [{"params": decayed}, {"params": plain, "weight_decay": 0.0}]
