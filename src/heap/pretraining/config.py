"""Settings of pretraining: a plain dataclass, so that a bare GPU machine needs no other package."""

from dataclasses import dataclass
from typing import Any, ClassVar

from heap.base.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """Self-distillation of an encoder on unlabelled images.

    Raises:
        ConfigError: if a value is out of range, naming it.
    """

    # For `from_dict`, which checks types and unknown keys; the values are checked here.
    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": True}

    architecture: str = "resnet"
    """Name in `heap.pretraining.architectures`, or folder with a config.json of transformers."""
    steps: int = 4000
    minutes: float | None = None
    """Stop after so long even if steps are left; learning rate and momentum then follow the clock
    where that is ahead of the steps, so that training ends annealed, but never twice the same."""
    batch: int = 32
    """Images in a step, on each device."""
    crop: int = 144
    """Side of the global crops, in pixels; they come in 3/4, 1 and 5/4 of it."""
    crop_area: float = 0.5
    """Smallest share of an image that a global crop shows."""
    global_crops: int = 1
    local_crop: int = 64
    local_crops: int = 4
    """Small crops of each image, only for the image loss."""
    last_crop: int = 0
    """Side of the global crops in the last phase, 0 for none: features for larger images."""
    last_share: float = 0.15
    """Share of training that the last phase takes."""
    learning_rate: float = 2e-3
    """Peak rate, after a twentieth of training; a cosine brings it to zero."""
    weight_decay: float = 0.05
    clip: float = 1.0
    """Largest norm of the gradient."""
    teacher_momentum: float = 0.99
    """Momentum of the moving average that is saved; a cosine brings it to 1 where it teaches."""
    prototypes: int = 1024
    """Prototypes of the image loss, and as many of the patch loss."""
    student_temperature: float = 0.1
    teacher_temperature: float = 0.06
    image_weight: float = 0.0
    """DINO: the crops of one image agree on their prototypes. 0 leaves its head out, which is best
    where training takes hours on a CPU: the loss pays off with more images and a GPU."""
    patch_weight: float = 0.0
    """iBOT: hidden patches are recognised from the others. 0 leaves its head out."""
    dense_weight: float = 1.0
    """Patches predict the foreground. 0 leaves its head out."""
    distill_weight: float = 0.0
    """Patches predict those of a stronger encoder, which has to be named. 0 leaves the head out."""
    class_weight: float = 0.0
    """Embeddings predict those of the stronger encoder. 0 leaves the head out."""
    alike_weight: float = 0.0
    """Patches, and whole images, are as alike as the stronger encoder finds them, by cosine."""
    same_weight: float = 0.0
    """Patches are the stronger encoder's themselves, by cosine: for a network of its width."""
    teacher_resolution: int = 224
    """Side of the square that the stronger encoder sees each image as, in pixels."""
    ridge: float = 0.1
    """Targets have the variance v / (v + ridge · mean v) in a direction of variance v."""
    trust: float = 0.8
    """Share of the dense target that comes from the teacher in the end, the rest from colour."""
    trust_from: float = 0.25
    """Share of training after which the teacher's part begins to grow."""
    seed: int = 0
    checkpoint_every: int = 100
    """Steps between checkpoints, and between lines of the log."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        positive = ("steps", "checkpoint_every", "learning_rate", "clip", "prototypes",
                    "student_temperature", "teacher_temperature", "global_crops",
                    "ridge")  # fmt: skip
        faults = [name for name in positive if not 0 < getattr(self, name) <= 1e6]
        shares = ("crop_area", "last_share", "trust", "trust_from")
        faults += [name for name in shares if not 0 <= getattr(self, name) <= 1]
        weights = ("weight_decay", "image_weight", "patch_weight", "dense_weight",
                   "distill_weight", "class_weight", "alike_weight", "same_weight")  # fmt: skip
        faults += [name for name in weights if not 0 <= getattr(self, name) <= 1e6]
        last = ("last_crop",) if self.last_crop else ()
        sides = ("crop", "local_crop", "teacher_resolution", *last)
        faults += [name for name in sides if not 32 <= getattr(self, name) <= 1024]
        # Above it the seed of a step would be too large for a generator.
        faults += [name for name in ("seed", "local_crops") if not 0 <= getattr(self, name) < 2**32]
        if self.batch < 2:
            faults.append("batch")
        if not 0 <= self.teacher_momentum < 1:
            faults.append("teacher_momentum")
        if self.minutes is not None and not self.minutes > 0:
            faults.append("minutes")
        if faults:
            named = ", ".join(f"{name} = {getattr(self, name)!r}" for name in faults)
            raise ConfigError(f"PretrainConfig: out of range: {named}")
        if not (self.self_taught or self.taught):
            raise ConfigError("PretrainConfig: all weights of losses are 0, so there is nothing to "
                              "learn")  # fmt: skip
        if self.image_weight and self.global_crops + self.local_crops < 2:
            raise ConfigError("PretrainConfig: the image loss compares crops: it needs two of them")

    @property
    def self_taught(self) -> bool:
        """Whether a loss needs the moving average of the network itself."""
        return bool(self.image_weight + self.patch_weight + self.dense_weight)

    @property
    def taught(self) -> bool:
        """Whether a loss needs a stronger encoder."""
        return bool(self.distill_weight + self.class_weight + self.alike_weight + self.same_weight)


TAUGHT: dict[str, Any] = {
    "distill_weight": 1.0, "class_weight": 1.0, "alike_weight": 0.5, "dense_weight": 0.0,
}  # fmt: skip
"""Settings with a stronger encoder, whose features are then all that is learned."""
_CUT: dict[str, Any] = {
    "class_weight": 0.3, "alike_weight": 0.0, "same_weight": 1.0, "learning_rate": 5e-4,
    "crop": 224, "teacher_resolution": 448,
}  # fmt: skip
"""Changes of these for a student that begins as blocks of it. What is alike is left out: of a few
blocks all images are, and to mend that would undo what patches know."""


def usual_settings(teacher: str | None, teacher_blocks: int | None) -> dict[str, Any]:
    """Settings that differ from the defaults, with a teacher or with blocks of it to begin with."""
    return (TAUGHT if teacher else {}) | (_CUT if teacher_blocks is not None else {})
