"""`heap pretrain`: self-distillation of a small ViT on images without labels."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from heap.checkpoint import cut_log, load_checkpoint, save_checkpoint
from heap.config import PretrainConfig, differing_keys
from heap.device import fresh_accelerator
from heap.errors import ConfigError, FitError, StoreError
from heap.pretrain.augment import random_crops, recolour
from heap.pretrain.objective import cross_entropy, prior_loss, random_blocks, sinkhorn
from heap.pretrain.student import Student

GLOBAL_SCALE = (0.4, 1.0)
LOCAL_SCALE = (0.08, 0.4)
SIDES = (5 / 6, 1.0, 4 / 3)
"""Global crops come in these multiples of their side, so that the encoder meets other grids."""


class Pretrainer:
    """Student, teacher and optimiser, and the step that moves them.

    Every random draw of a step comes from the seed and the number of the step, so a run that goes
    on from a checkpoint draws what the uninterrupted one would have drawn.
    """

    def __init__(
        self,
        images: UInt8[Tensor, "image 3 side side"],
        priors: Float[Tensor, "image grid grid"],
        config: PretrainConfig,
    ) -> None:
        self.images, self.priors, self.config = images, priors, config
        self.accelerator = fresh_accelerator(cpu=False, mixed_precision="bf16")
        torch.manual_seed(config.seed)
        student = Student(config)
        self.teacher = student.teacher().to(self.accelerator.device)
        decayed = [p for p in student.parameters() if p.ndim > 1]
        plain = [p for p in student.parameters() if p.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": decayed}, {"params": plain, "weight_decay": 0}]
        optimizer = torch.optim.AdamW(
            groups,
            lr=config.learning_rate, weight_decay=config.weight_decay,
        )  # fmt: skip
        self.student, self.optimizer = self.accelerator.prepare(student, optimizer)
        self.step = 0

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {
            "step": self.step,
            "config": asdict(self.config),
            "student": self.accelerator.unwrap_model(self.student).state_dict(),
            "teacher": self.teacher.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint.

        Raises:
            ConfigError: if it was made with another configuration, naming the keys.
            StoreError: if it is no checkpoint of a pretraining.
        """
        if state.keys() != self.state().keys():
            raise StoreError("the checkpoint is not of a pretraining; choose another --out")
        changed = differing_keys(state["config"], asdict(self.config))
        if changed:
            raise ConfigError(f"the checkpoint was made with other settings: {', '.join(changed)}")
        self.accelerator.unwrap_model(self.student).load_state_dict(state["student"])
        self.teacher.load_state_dict(state["teacher"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def advance(self) -> dict[str, float]:
        """Take one step; returns the losses and the collapse monitors."""
        config, progress = self.config, self.step / self.config.steps
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * _warm_cosine(progress)
        losses, monitors = self._losses(progress)
        total = (
            config.image_weight * losses["image"]
            + config.patch_weight * losses["patch"]
            + config.prior_weight * losses["prior"]
        )
        if not torch.isfinite(total):
            raise FitError(f"the loss of step {self.step} is not finite; lower the learning rate")
        self.accelerator.backward(total)
        clip_grad_norm_(self.student.parameters(), config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        momentum = 1 - (1 - config.teacher_momentum) * (math.cos(math.pi * progress) + 1) / 2
        self.teacher.follow(self.accelerator.unwrap_model(self.student), momentum)
        self.step += 1
        return {name: value.item() for name, value in (losses | monitors).items()}

    def _losses(self, progress: float) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        config, device = self.config, self.accelerator.device
        generator = torch.Generator(device).manual_seed(config.seed * 1_000_003 + self.step)
        pick = torch.randint(len(self.images), (config.batch,), generator=generator, device=device)
        images = self.images[pick.to(self.images.device)].to(device).float() / 255
        priors = self.priors[pick.to(self.priors.device)].to(device).float()
        draw = torch.randint(len(SIDES), (1,), generator=generator, device=device)
        grid = round(config.crop * SIDES[int(draw)] / config.patch)
        views = [
            random_crops(images, grid * config.patch, GLOBAL_SCALE, generator) for _ in range(2)
        ]
        masks = [random_blocks(config.batch, grid, 0.35, generator) for _ in views]
        outputs, targets = [], []
        losses = dict.fromkeys(("image", "patch", "prior"), torch.zeros((), device=device))
        raw = self.accelerator.unwrap_model(self.student)
        for crops, mask in zip(views, masks, strict=True):
            with torch.no_grad(), self.accelerator.autocast():
                taught, taught_tokens = self.teacher(crops.pixels)
                taught_patches = self.teacher.patch_head(taught_tokens)[mask]
                taught_prior = self.teacher.prior_head(taught_tokens)[..., 0]
            with self.accelerator.autocast():
                seen, tokens = self.student(recolour(crops.pixels, generator), mask)
                patches = raw.patch_head(tokens[mask])
                prior = raw.prior_head(tokens)[..., 0]
            outputs.append(seen)
            targets.append(sinkhorn(taught, config.teacher_temperature))
            if mask.any():
                losses["patch"] = losses["patch"] + 0.5 * cross_entropy(
                    sinkhorn(taught_patches, config.teacher_temperature),
                    patches, config.student_temperature,
                )  # fmt: skip
            losses["prior"] = losses["prior"] + 0.5 * prior_loss(
                prior, crops.sample(priors, grid).flatten(1), taught_prior, 0.6 * progress
            )
        for _ in range(config.local_crops):
            crops = random_crops(images, config.local_crop, LOCAL_SCALE, generator)
            with self.accelerator.autocast():
                outputs.append(self.student(recolour(crops.pixels, generator))[0])
        pairs = [
            cross_entropy(target, seen, config.student_temperature)
            for view, target in enumerate(targets)
            for other, seen in enumerate(outputs)
            if other != view
        ]
        losses["image"] = torch.stack(pairs).mean()
        usage = torch.cat(outputs[:2]).float().div(config.student_temperature).softmax(-1).mean(0)
        spread = taught_tokens.float().std(dim=(0, 1)).mean()
        entropy = -(usage * usage.clamp_min(1e-12).log()).sum()
        return losses, {"prototype_entropy": entropy.detach(), "token_spread": spread}

    def save_encoder(self, folder: Path) -> None:
        """Write the teacher's ViT as a transformers folder in half precision."""
        vit = self.teacher.vit
        state = {
            name: value.to(torch.float16).contiguous()
            for name, value in vit.state_dict().items()
            if not name.endswith("mask_token")
        }
        vit.config.architectures = ["ViTModel"]
        vit.config.dtype = "float16"
        vit.save_pretrained(folder, state_dict=state)
        (folder / "preprocessor_config.json").write_text(
            json.dumps({"image_mean": [0.5] * 3, "image_std": [0.5] * 3}, indent=2) + "\n"
        )


def train(trainer: Pretrainer, out: Path, on_step: Callable[[int, dict[str, float]], None]) -> None:
    """Train to the last step with checkpoints, from one if `out` has it, and save the encoder."""
    last, config = out / "checkpoint.pt", trainer.config
    if last.exists():
        trainer.restore(load_checkpoint(last))
    cut_log(out / "log.jsonl", trainer.step)
    with (out / "log.jsonl").open("a") as log:
        while trainer.step < config.steps:
            losses = trainer.advance()
            if trainer.step % config.checkpoint_every == 0 or trainer.step == config.steps:
                log.write(json.dumps({"step": trainer.step, **losses}) + "\n")
                log.flush()
                save_checkpoint(last, trainer.state())
            on_step(trainer.step, losses)
    trainer.save_encoder(out)


def _warm_cosine(progress: float, warm: float = 0.1) -> float:
    if progress < warm:
        return (progress + 1e-3) / (warm + 1e-3)
    return (math.cos(math.pi * (progress - warm) / (1 - warm)) + 1) / 2
