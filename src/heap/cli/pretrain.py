"""`heap pretrain` and `heap pack`."""

from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from heap.base.device import process_number
from heap.cli.app import err_console, out_console
from heap.cli.bars import Bars
from heap.cli.printing import say_failed, say_skipped
from heap.cli.reading import Images, Seed, read_settings, set_options
from heap.config import from_dict
from heap.pretraining.config import PretrainConfig, usual_settings


def pretrain(
    images: Images,
    /,
    *,
    out: Path,
    architecture: str | None = None,
    start: str | None = None,
    teacher: str | None = None,
    teacher_resolution: int | None = None,
    teacher_blocks: int | None = None,
    side: int | None = None,
    limit: Annotated[int | None, Parameter(validator=cyclopts.validators.Number(gte=2))] = None,
    steps: int | None = None,
    minutes: float | None = None,
    batch: int | None = None,
    learning_rate: float | None = None,
    quality: Path | None = None,
    quality_every: int = 1000,
    seed: Seed | None = None,
    settings: Path | None = None,
) -> None:
    """Pretrain a small encoder on unlabelled images.

    Self-distillation: patches predict what is foreground, at first from colour and later from the
    teacher itself; with the settings image_weight and patch_weight also DINO's and iBOT's losses.
    With --teacher it learns what a stronger encoder says instead: of each patch and of the whole.
    That is computed once for each image and kept in the folder of the result. The same command goes
    on where an earlier one was stopped. The result is a folder that `heap fit
    --encoder` takes, and transformers too. Images that cannot be used are left out, and said.

    Example: heap pretrain photos/ --start embedded-small --learning-rate 5e-4 --out encoder
    Example: heap pretrain photos/ --teacher dinov2-vits14 --teacher-blocks 6 --out encoder
    Example: heap fit photos/ --encoder encoder --out model

    Args:
        images: Files, folders, globs, .txt lists or URLs, or packs that `heap pack` made.
        out: Folder of the encoder.
        architecture: resnet (which it is without this), vit or segformer, or a folder with a
            config.json of transformers.
        start: Go on from the weights of this encoder: embedded-small, or a folder. With
            --teacher-blocks a student that began so, to be taught more.
        teacher: A stronger encoder to learn from: a name that `heap models` lists, or a folder.
        teacher_resolution: Side of the squares that the teacher sees, in pixels: 224, with
            --teacher-blocks 448.
        teacher_blocks: Begin as so many blocks of the teacher, the first, if it is a vision
            transformer: learns in an hour what a new network needs days for.
        side: Images are held in memory as squares of this side: 128, with a teacher what it sees.
        limit: Use at most so many images, spread evenly over those listed.
        steps: Training steps: 4000.
        minutes: Stop after so long even if steps are left; the schedule follows the clock.
        batch: Images in a step, on each device: 32.
        learning_rate: Peak rate: 0.002, with --teacher-blocks 0.0005; go on from trained weights
            with a quarter.
        quality: Folder with images/ and masks/ to score TokenCut and a quick head on.
        quality_every: Steps between such scores.
        seed: Seed of everything that is drawn: 0.
        settings: JSON file with more settings; options win.
    """
    options = set_options(
        steps=steps, batch=batch, seed=seed, minutes=minutes, architecture=architecture,
        learning_rate=learning_rate, teacher_resolution=teacher_resolution,
    )  # fmt: skip
    values = usual_settings(teacher, teacher_blocks) | read_settings(settings) | options
    config = from_dict(PretrainConfig, values)
    from heap.images.failures import FAILURES
    from heap.pretraining.command import pretrain as run_pretrain

    with Bars(err_console) as progress:
        run_pretrain(
            images,
            out,
            config=config,
            side=side,
            limit=limit,
            start=start,
            teacher=teacher,
            teacher_blocks=teacher_blocks,
            quality=quality,
            quality_every=quality_every,
            on_skipped=say_skipped,
            on_progress=progress,
        )
    if process_number() != 0:
        return
    say_failed(out / FAILURES)
    err_console.print(f"Encoder in {out}. Try: heap fit IMAGES --encoder {out} --out model")


def pack(
    images: Images,
    /,
    *,
    out: Path,
    side: int = 128,
    megabytes: Annotated[float, Parameter(validator=cyclopts.validators.Number(gt=0))] = 60,
) -> None:
    """Pack images into few files that `heap pretrain` takes on another machine.

    Squares, decoded, with their colour priors: such a machine needs no more than torch,
    transformers, accelerate, safetensors, NumPy and jaxtyping, and runs
    `python -m heap.pretraining PACKS --out ENCODER --minutes 10`.

    Example: heap pack photos/ --out photos.pack

    Args:
        images: Files, folders, globs, .txt lists or URLs.
        out: What the packs are called: OUT-001.safetensors and so on.
        side: Side of the squares, in pixels.
        megabytes: Largest pack; more images go into more packs.
    """
    from heap.pretraining.command import failures_of
    from heap.pretraining.command import pack as run_pack

    with Bars(err_console) as progress:
        paths = run_pack(
            images,
            out,
            side=side,
            most_bytes=int(megabytes * 1e6),
            on_skipped=say_skipped,
            on_progress=progress,
        )
    say_failed(failures_of(out))
    for path in paths:
        out_console.print(str(path))
