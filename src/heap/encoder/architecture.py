"""The families of vision transformers that can serve, and what their configurations may say.

Only the values below are taken from a config.json, and only within these bounds: nothing in the
file can name code, another file or another repository, or ask for more memory than there is.
"""

from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from heap.encoder.files import EncoderFiles, read_json
from heap.errors import WeightsError


@plain_dataclass(frozen=True)
class Family:
    """Where transformers keeps the parts of one kind of vision transformer."""

    model: str
    """Name of its class in transformers."""
    blocks: str
    norm: str
    """LayerNorm before a block's attention, inside the block."""
    options: tuple[tuple[str, bool], ...] = ()
    """Arguments of the constructor."""
    embedding: tuple[tuple[str, bool], ...] = ()
    """Arguments of the patch embedding that let it take any size; the others always do."""
    rotary: str | None = None
    """Module with the angles by which queries and keys are turned after their projection."""


QUERY, KEY = "attention.q_proj", "attention.k_proj"
"""The projections inside a block, in every family."""

FAMILIES = {
    "vit": Family(
        "ViTModel",
        "layers",
        "layernorm_before",
        options=(("add_pooling_layer", False),),
        embedding=(("interpolate_pos_encoding", True),),
    ),
    "dinov2": Family("Dinov2Model", "encoder.layer", "norm1"),
    "dinov2_with_registers": Family("Dinov2WithRegistersModel", "encoder.layer", "norm1"),
    "dinov3_vit": Family("DINOv3ViTModel", "model.layer", "norm1", rotary="rope_embeddings"),
}
"""By the `model_type` of config.json."""


class Architecture(BaseModel):
    """What is used of a config.json; what it leaves out has the family's default."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    hidden_size: Annotated[int, Field(ge=1, le=8192)]
    num_hidden_layers: Annotated[int, Field(ge=1, le=128)]
    num_attention_heads: Annotated[int, Field(ge=1, le=256)]
    patch_size: Annotated[int, Field(ge=1, le=64)]
    image_size: Annotated[int, Field(ge=1, le=4096)]
    num_channels: Literal[3] = 3
    intermediate_size: Annotated[int, Field(ge=1, le=65536)] | None = None
    mlp_ratio: Annotated[int, Field(ge=1, le=16)] | None = None
    hidden_act: Annotated[str, Field(pattern="^[a-z_0-9]+$")] | None = None
    layer_norm_eps: Annotated[float, Field(gt=0, le=1)] | None = None
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
    def _heads_share_the_width(self) -> "Architecture":
        if self.hidden_size % self.num_attention_heads:
            raise ValueError("hidden_size is not a multiple of num_attention_heads")
        return self


def read_architecture(files: EncoderFiles) -> tuple[Family, Architecture]:
    """The family of the encoder, and the sizes of its parts.

    Raises:
        WeightsError: if config.json names another family, or a value out of range.
    """
    values = read_json(files.config)
    kind = values.get("model_type")
    family = FAMILIES.get(kind) if isinstance(kind, str) else None
    if family is None:
        raise WeightsError(
            f"{files.config}: model_type {kind!r} is not a vision transformer that can serve; "
            f"these can: {', '.join(FAMILIES)}"
        )
    try:
        return family, Architecture.model_validate(values)
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, fault['loc']))} = {fault['input']!r}: {fault['msg']}"
            if fault["loc"]
            else fault["msg"]
            for fault in error.errors()
        )
        raise WeightsError(f"{files.config}: {'; '.join(faults)}") from None
