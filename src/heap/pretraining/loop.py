"""Pretraining from its first step, or from a checkpoint, to its last."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from heap.base.checkpoint import cut_log
from heap.base.device import process_number
from heap.base.errors import ConfigError
from heap.base.progress import OnProgress, silent
from heap.base.training import append_line, resume, take_steps
from heap.pretraining.architectures import load_model, new_model
from heap.pretraining.config import PretrainConfig
from heap.pretraining.export import load_heads, save_encoder
from heap.pretraining.photos import Photos
from heap.pretraining.trainer import Pretrainer, new_accelerator

if TYPE_CHECKING:
    from accelerate import Accelerator

    from heap.pretraining.lessons import TeacherFeatures

QUALITY = "quality.jsonl"

OnStep = Callable[[float, dict[str, float]], None]
"""Function that is called after every step with the progress from 0 to 1 and the losses, on the
first device."""
Measure = Callable[[Path], dict[str, float]]
"""Function that scores the encoder in a folder."""


def run(
    photos: Photos,
    out: Path,
    config: PretrainConfig,
    on_step: OnStep,
    *,
    start: Path | None = None,
    blocks: int | None = None,
    teacher: str | None = None,
    on_progress: OnProgress = silent,
    measure: Measure | None = None,
    measure_every: int = 1000,
) -> None:
    """Train on `photos` into the folder `out`, on from its checkpoint if there is one.

    `start` is an encoder whose weights training starts from; with `blocks` it is the folder of the
    teacher, of which so many blocks, the first, are the student to begin with, or of a student that
    began so. `teacher` names a
    stronger one to learn from; its features of the photos are kept in `out`, and `on_progress` is
    told how many are done. `measure` is called every `measure_every` steps and at the end; its
    figures go to a log and onto the model's card.

    Raises:
        InputError: if there is no such architecture, or `start` cannot be loaded.
        ConfigError: if the checkpoint was made with other settings, naming the keys, or features
            that are kept are of another teacher or of other photos, or there is a teacher and no
            weight for its features.
        WeightsError: if the weights of the teacher cannot be fetched.
        FitError: if the loss is not finite.
    """
    if config.taught != (teacher is not None):
        raise ConfigError(
            "PretrainConfig: distill_weight, class_weight, alike_weight and same_weight need an "
            "encoder to learn from (--teacher), and it needs one of them"
        )
    accelerator = new_accelerator()
    lessons = None
    if teacher is not None:
        lessons = _prepare_lessons(teacher, photos, out, config, accelerator, on_progress)
    trainer = _make_trainer(accelerator, photos, out, config, start, blocks, lessons)
    _train(trainer, out, on_step, measure, measure_every)
    if process_number() == 0:
        # Before it is scored, so that a failure of the measurement loses no training.
        save(trainer, out, None)
        if measure:
            quality = measure(out)
            append_line(out / QUALITY, {"step": trainer.step, **quality})
            save(trainer, out, quality)
    # The group of processes is left to the end of the process: taken down before, its threads can
    # wait for Python's lock while the network that uses it waits for them.
    accelerator.wait_for_everyone()


def _make_trainer(
    accelerator: "Accelerator",
    photos: Photos,
    out: Path,
    config: PretrainConfig,
    start: Path | None,
    blocks: int | None,
    lessons: "TeacherFeatures | None",
) -> Pretrainer:
    """Make the trainer, in the state of the checkpoint in `out` if there is one."""
    torch.manual_seed(config.seed)
    backbone = new_model(config.architecture) if start is None else load_model(start, blocks)
    trainer = Pretrainer(accelerator, backbone, photos, config, lessons, blocks is not None)
    if start is not None:
        if blocks is None:
            load_heads(trainer.raw, start)
        trainer.teacher.load_state_dict(trainer.raw.state_dict())
    resume(trainer, out)
    if process_number() == 0:
        # Without the figures of the end, which are measured again after training.
        cut_log(out / QUALITY, trainer.step - 1 if trainer.finished else trainer.step)
    return trainer


def _train(
    trainer: Pretrainer, out: Path, on_step: OnStep, measure: Measure | None, measure_every: int
) -> None:
    """Train to the end, with checkpoints and, in between, measurements of quality."""
    for losses in take_steps(trainer, out, trainer.config.checkpoint_every):
        if process_number() != 0:
            continue
        if measure and trainer.step % measure_every == 0 and not trainer.finished:
            save(trainer, out, None)
            append_line(out / QUALITY, {"step": trainer.step, **measure(out)})
        on_step(trainer.progress, losses)


def _prepare_lessons(
    teacher: str,
    photos: Photos,
    out: Path,
    config: PretrainConfig,
    accelerator: "Accelerator",
    on_progress: OnProgress,
) -> "TeacherFeatures":
    # Imported here: they need more packages than a bare GPU machine has.
    from heap.encoder.load import load_encoder
    from heap.pretraining.lessons import open_lessons, origin_of, write_lessons

    # Other processes wait for the first, and then find all features written.
    with accelerator.main_process_first():
        encoder = load_encoder(teacher, device=str(accelerator.device))
        write_lessons(encoder, photos, out, config.teacher_resolution, on_progress)
    return open_lessons(out, origin_of(encoder), config.ridge, accelerator.device)


def save(trainer: Pretrainer, out: Path, quality: dict[str, float] | None) -> None:
    """Write the encoder as it is now."""
    about: dict[str, Any] = {
        "settings": asdict(trainer.config),
        "images": len(trainer.photos),
        "steps": trainer.step,
        "seconds": trainer.seconds,
        "precision": trainer.accelerator.mixed_precision,
    }
    if trainer.lessons:
        about["teacher"] = trainer.lessons.origin
    save_encoder(trainer.teacher, out, about, quality)
