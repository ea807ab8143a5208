"""Export of a pretrained encoder: a transformers folder in half precision, and its heads."""

import json
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from heap.base.errors import InputError
from heap.encoder.files import HEADS, INDEX, PREPROCESSOR, WEIGHTS
from heap.encoder.quiet import quietly
from heap.pretraining.architectures import MEAN, STD
from heap.pretraining.student import Student

SHARD = "15MB"
"""Largest file of weights, so that they pass where large files do not."""

_LOSSES = {
    "image_head": "DINO between crops",
    "patch_head": "iBOT's hidden patches",
    "dense_head": "foreground, taught by colour and by the teacher itself",
    "distill_head": "the patches of a teacher",
    "class_head": "the class token or pooled output of a teacher",
}
_CARD = """---
library_name: transformers
tags: [self-supervised, {kind}]
---
# {kind} pretrained without labels

An encoder of {parameters:.1f} M parameters in half precision, made by `heap pretrain`. Colours are
normalised with mean and deviation 0.5. `heap fit PHOTOS --encoder THIS_FOLDER --out model` fits a
head on it; `heap pretrain PHOTOS --start THIS_FOLDER --out encoder` goes on training from here.

- **Data.** {images:,} images without labels. Say here what they show and on what terms they are
  yours: the command cannot know.
{origin}- **Recipe.** {method} ({losses}), by these settings:

```json
{settings}
```

- **Cost.** {steps:,} steps in {minutes:.0f} minutes of training, in {precision}.
- **Figures.** {figures}
- **Limits.** It has seen what the images show and nothing else. Small encoders that were trained
  for hours know much less than published ones that were trained for weeks.
"""

_ORIGIN = """- **Teacher.** {teacher}.
  This encoder has learned from what that one says of the images, and is derived from it: what its
  licence asks for, and what its own training has seen, holds here too.
"""


def save_encoder(
    student: Student, folder: Path, about: dict[str, Any], quality: dict[str, Any] | None
) -> None:
    """Write the network, its heads and its card.

    `about` has settings, images, steps, seconds, precision and, if there was one, teacher.
    """
    backbone = student.backbone
    backbone.config.architectures = [type(backbone).__name__]
    for name in (WEIGHTS, INDEX):
        # Files of an earlier encoder would be read instead of new shards, or name shards that are
        # gone.
        (folder / name).unlink(missing_ok=True)
    with quietly():
        state = _to_half(backbone.state_dict())
        backbone.save_pretrained(folder, state_dict=state, max_shard_size=SHARD)
    (folder / PREPROCESSOR).write_text(
        json.dumps({"image_mean": [MEAN] * 3, "image_std": [STD] * 3}, indent=2) + "\n"
    )
    heads = {
        name: value for name, value in student.state_dict().items()
        if not name.startswith("backbone.")
    }  # fmt: skip
    save_file(_to_half(heads), folder / HEADS)
    figures = (
        json.dumps(quality) if quality else "Not measured: give `--quality` a labelled folder."
    )
    card = _CARD.format(
        kind=backbone.config.model_type,
        parameters=sum(weight.numel() for weight in backbone.parameters()) / 1e6,
        losses=", ".join(
            loss for head, loss in _LOSSES.items() if getattr(student, head) is not None
        ),
        settings=json.dumps(about["settings"], indent=2),
        images=about["images"],
        steps=about["steps"],
        minutes=about["seconds"] / 60,
        figures=figures,
        precision="bfloat16" if about["precision"] == "bf16" else "float32",
        method="Distillation" if "teacher" in about else "Self-distillation",
        origin=_ORIGIN.format(teacher=about["teacher"]) if "teacher" in about else "",
    )
    ModelCard(card).save(folder / "README.md")


def load_heads(student: Student, folder: Path) -> list[str]:
    """Load the heads of `folder` that fit `student` into it; returns the names of their weights.

    Raises:
        InputError: if the file is damaged.
    """
    path = folder / HEADS
    if not path.is_file():
        return []
    try:
        heads = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path} is damaged ({error}); delete it to start with new heads"
        ) from error
    ours = student.state_dict()
    fitting = {
        name: value.float() for name, value in heads.items()
        if name in ours and ours[name].shape == value.shape
    }  # fmt: skip
    student.load_state_dict(fitting, strict=False)
    return sorted(fitting)


def _to_half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights in half precision; counters stay whole numbers."""
    return {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in state.items()
        # Our training hides patches by a colour, so this token is never trained.
        if not name.endswith("mask_token")
    }
