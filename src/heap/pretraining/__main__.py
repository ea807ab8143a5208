"""`python -m heap.pretraining PACK... --out ENCODER`: `heap pretrain` on a machine that has little.

Needs torch, transformers, accelerate, safetensors, NumPy and jaxtyping, and packs that `heap pack`
made elsewhere. Several GPUs: `accelerate launch -m heap.pretraining ...`.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from heap.base.errors import HeapError, InputError
from heap.base.files import make_folder
from heap.pretraining.architectures import find_teacher_blocks
from heap.pretraining.config import PretrainConfig, usual_settings
from heap.pretraining.loop import run
from heap.pretraining.photos import read_packs


def main() -> None:
    """Read the packs, train, and write files of at most 15 MB to the folder, and a checkpoint."""
    # By argparse: a bare GPU machine has no cyclopts, by which `heap` parses its commands.
    parser = argparse.ArgumentParser(prog="python -m heap.pretraining", description=__doc__)
    parser.add_argument("packs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--start", type=Path, help="folder of an encoder to go on from; "
                        "with --teacher-blocks a student that began so")  # fmt: skip
    parser.add_argument("--teacher", help="folder of a stronger encoder to learn from; this "
                        "needs pydantic too")  # fmt: skip
    parser.add_argument("--teacher-blocks", type=int, help="begin as so many blocks of the "
                        "teacher, the first")  # fmt: skip
    parser.add_argument("--settings", type=Path, help="JSON file with fields of PretrainConfig")
    parser.add_argument("--minutes", type=float, help="end after so long, annealed")
    arguments = parser.parse_args()
    try:
        blocks, start = arguments.teacher_blocks, arguments.start
        if blocks is not None:
            start = find_teacher_blocks(start, arguments.teacher and Path(arguments.teacher))
        usual = usual_settings(arguments.teacher, blocks)
        config = _config(arguments.settings, arguments.minutes, usual)
        make_folder(arguments.out)
        photos = read_packs(arguments.packs)
        run(photos, arguments.out, config, _Lines(len(photos)),
            start=start, blocks=blocks, teacher=arguments.teacher)  # fmt: skip
    except HeapError as error:
        sys.stderr.write(f"heap.pretrain: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("heap.pretrain: interrupted; the same command goes on from here\n")
        sys.exit(130)


def _config(
    settings: Path | None, minutes: float | None, defaults: dict[str, Any]
) -> PretrainConfig:
    try:
        values = defaults | (json.loads(settings.read_text(encoding="utf-8")) if settings else {})
        return PretrainConfig(**values | ({"minutes": minutes} if minutes is not None else {}))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"--settings {settings} cannot be used: {error}") from error


class _Lines:
    """Report of a line for every hundredth of training: there may be no terminal for bars."""

    def __init__(self, images: int) -> None:
        self.images, self.shown = images, -1

    def __call__(self, progress: float, losses: dict[str, float]) -> None:
        if self.shown < 0:
            sys.stderr.write(f"{self.images} images\n")
        if int(100 * progress) > self.shown:
            self.shown = int(100 * progress)
            values = " ".join(f"{name} {value:.4f}" for name, value in losses.items())
            sys.stderr.write(f"{self.shown:3d} % {values}\n")


if __name__ == "__main__":
    main()
