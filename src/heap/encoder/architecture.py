"""Configuration of an encoder: its family, and the values that a config.json may have.

Only the values below are taken from a config.json, and only within these bounds: nothing in the
file can name code, another file or another repository, or ask for more memory than there is.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from heap.base.errors import WeightsError
from heap.config import explain
from heap.encoder.files import read_json

TransformerKind = Literal["vit", "dinov2", "dinov2_with_registers", "dinov3_vit"]
PyramidKind = Literal["resnet", "convnext", "dinov3_convnext", "segformer"]

Width = Annotated[int, Field(ge=1, le=8192)]
Heads = Annotated[int, Field(ge=1, le=256)]
Side = Annotated[int, Field(ge=1, le=4096)]
Count = Annotated[int, Field(ge=1, le=8)]
PerStage = Field(min_length=1, max_length=8)
"""Bounds of a list with one value for each stage of a pyramid."""


def _one_of_equals(value: Any) -> Any:
    """Number for a pair of equal ones: transformers takes a side, or a height and a width."""
    match value:
        case [int() as height, int() as width] if height == width:
            return height
    return value


def _whole(value: Any) -> Any:
    """Whole number that some writers of JSON have made a float, such as 4.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _square(value: Any) -> Any:
    if isinstance(side := _one_of_equals(value), list | tuple):
        raise ValueError("patches that are not square cannot be used")
    return side


class _Common(BaseModel):
    """Values of a config.json that all families use; None stands for the family's default."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    num_channels: Literal[3] = 3
    hidden_act: Annotated[str, Field(pattern="^[a-z_0-9]+$")] | None = None
    layer_norm_eps: Annotated[float, Field(gt=0, le=1)] | None = None


class TransformerArchitecture(_Common):
    """Configuration of a vision transformer."""

    model_type: TransformerKind
    hidden_size: Width
    num_hidden_layers: Annotated[int, Field(ge=1, le=128)]
    num_attention_heads: Heads
    patch_size: Annotated[int, Field(ge=1, le=64), BeforeValidator(_square)]
    image_size: Annotated[
        Side | Annotated[list[Side], Field(min_length=2, max_length=2)],
        BeforeValidator(_one_of_equals),
    ]
    """Side of the images of its training, or their height and width."""
    intermediate_size: Annotated[int, Field(ge=1, le=65536)] | None = None
    mlp_ratio: Annotated[int, Field(ge=1, le=16), BeforeValidator(_whole)] | None = None
    num_register_tokens: Annotated[int, Field(ge=0, le=256)] | None = None
    rope_theta: Annotated[float, Field(gt=0, le=1e9)] | None = None
    qkv_bias: bool | None = None
    query_bias: bool | None = None
    key_bias: bool | None = None
    value_bias: bool | None = None
    proj_bias: bool | None = None
    mlp_bias: bool | None = None
    use_gated_mlp: bool | None = None
    use_swiglu_ffn: bool | None = None
    use_mask_token: bool | None = None

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "TransformerArchitecture":
        if self.hidden_size % self.num_attention_heads:
            raise ValueError("hidden_size is not a multiple of num_attention_heads")
        return self

    @property
    def training_grid(self) -> tuple[int, int]:
        """Rows and columns of patches of an image of its training."""
        sides = self.image_size
        height, width = sides if isinstance(sides, list) else (sides, sides)
        return height // self.patch_size, width // self.patch_size


class PyramidArchitecture(_Common):
    """Configuration of a network whose maps get coarser from stage to stage."""

    model_type: PyramidKind
    hidden_sizes: Annotated[list[Annotated[int, Field(ge=4, le=8192)]], PerStage]
    depths: Annotated[list[Annotated[int, Field(ge=1, le=64)]], PerStage]
    num_stages: Count | None = None
    num_encoder_blocks: Count | None = None
    embedding_size: Width | None = None
    layer_type: Literal["basic", "bottleneck"] | None = None
    downsample_in_first_stage: bool | None = None
    downsample_in_bottleneck: bool | None = None
    patch_size: Literal[2, 4, 8] | None = None
    layer_scale_init_value: Annotated[float, Field(ge=0, le=1)] | None = None
    # Odd patches, so that a map is its input's size divided by the stride.
    patch_sizes: Annotated[list[Literal[1, 3, 5, 7]], PerStage] | None = None
    strides: Annotated[list[Literal[1, 2, 4, 8]], PerStage] | None = None
    sr_ratios: Annotated[list[Annotated[int, Field(ge=1, le=64)]], PerStage] | None = None
    mlp_ratios: Annotated[list[Annotated[int, Field(ge=1, le=16)]], PerStage] | None = None
    num_attention_heads: Annotated[list[Heads], PerStage] | None = None

    @model_validator(mode="after")
    def _stages_agree(self) -> "PyramidArchitecture":
        stages = len(self.hidden_sizes)
        counts = {name: len(value) for name, value in self if isinstance(value, list)}
        counts["num_stages"] = self.num_stages or stages
        counts["num_encoder_blocks"] = self.num_encoder_blocks or stages
        if wrong := [name for name, count in counts.items() if count != stages]:
            raise ValueError(f"hidden_sizes are of {stages} stages, {', '.join(wrong)} of others")
        heads = self.num_attention_heads or [1] * stages
        if any(width % count for width, count in zip(self.hidden_sizes, heads, strict=True)):
            raise ValueError("hidden_sizes are not multiples of num_attention_heads")
        return self


Architecture = TransformerArchitecture | PyramidArchitecture

_KINDS: dict[str, type[Architecture]] = {
    **dict.fromkeys(get_args(TransformerKind), TransformerArchitecture),
    **dict.fromkeys(get_args(PyramidKind), PyramidArchitecture),
}


@dataclass(frozen=True)
class Family:
    """Class of transformers that an encoder of this family is made of."""

    model: str
    """Name of the class in transformers."""
    options: tuple[tuple[str, bool], ...] = ()
    """Arguments of its constructor."""


FAMILIES: dict[TransformerKind | PyramidKind, Family] = {
    "vit": Family("ViTModel", (("add_pooling_layer", False),)),
    "dinov2": Family("Dinov2Model"),
    "dinov2_with_registers": Family("Dinov2WithRegistersModel"),
    "dinov3_vit": Family("DINOv3ViTModel"),
    "resnet": Family("ResNetModel"),
    "convnext": Family("ConvNextModel"),
    "dinov3_convnext": Family("DINOv3ConvNextModel"),
    "segformer": Family("SegformerModel"),
}
"""Families by the `model_type` of config.json."""


def read_architecture(config: Path) -> Architecture:
    """Read the family of the encoder, and the sizes of its parts, from its config.json.

    Raises:
        WeightsError: if it names another family, or a value out of range.
    """
    return check_architecture(read_json(config), config)


def check_architecture(values: dict[str, Any], source: Path) -> Architecture:
    """Check values that a config.json may have, and which come from the file `source`.

    Raises:
        WeightsError: if they name another family, or a value out of range.
    """
    kind = values.get("model_type")
    known = _KINDS.get(kind) if isinstance(kind, str) else None
    if known is None:
        raise WeightsError(
            f"{source}: model_type {kind!r} is not an encoder that can serve; "
            f"these can: {', '.join(_KINDS)}"
        )
    try:
        return known.model_validate(values)
    except ValidationError as error:
        raise WeightsError(explain(str(source), error)) from None
