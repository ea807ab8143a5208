"""The classes of transformers that an encoder can be made of."""

from dataclasses import dataclass

from heap.encoder.architecture import PyramidKind, TransformerKind


@dataclass(frozen=True)
class Family:
    """One class of models."""

    model: str
    """Its name in transformers."""
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
"""By the `model_type` of config.json."""
