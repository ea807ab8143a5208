"""Options that several commands share: features, machine and photos."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter, validators

from heap.cli.reading import set_options
from heap.config import Facet, FeatureConfig, Precision, from_dict

if TYPE_CHECKING:
    from heap.benchmark.run.bench import Bench


ModelFormat = Literal["onnx", "openvino", "torch"]
"""Formats of `heap.model.exporting`, which imports torch."""
Seconds = Annotated[float, Parameter(validator=validators.Number(gt=0, lte=86_400))]


@Parameter(name="*")
@dataclass(frozen=True)
class EncoderOptions:
    """The encoder, and its features."""

    encoder: str = "embedded"
    """Alias (`heap models`), hub name, folder, or .pth file of DINO or DINOv2."""
    layer: int | None = None
    """Block of the encoder, from 0; negative counts from the last."""
    facet: Facet | None = None
    """Key projection of the block, its output token, or that after the last LayerNorm."""
    resolution: int | None = None
    """Side of the square whose area images are resized to."""
    square: bool | None = None
    """Squeeze images to that square."""
    native: bool | None = None
    """Leave images that are smaller than that at their own size, as the papers do."""

    def chosen(self) -> dict[str, Any]:
        """Options of the features that were set."""
        # The recipe of an encoder may ask for squares.
        unless = {"square": False} if self.native else {}
        return unless | set_options(
            layer=self.layer,
            facet=self.facet,
            resolution=self.resolution,
            square=self.square,
            native=self.native,
        )


@Parameter(name="*")
@dataclass(frozen=True)
class FeatureOptions(EncoderOptions):
    """The same, with a name for tables."""

    encoder_label: str = ""
    """Name of the encoder in tables."""

    def config(self) -> FeatureConfig:
        """Return the features, with the recipe of the encoder for options that were not set.

        Raises:
            ConfigError: if a value is out of range.
        """
        from heap.encoder.registry import recipe

        usual = asdict(recipe(self.encoder).features(self.encoder))
        return from_dict(FeatureConfig, usual | self.chosen())


@Parameter(name="*")
@dataclass(frozen=True)
class MachineOptions:
    """The machine that does the work, and its cache."""

    cache: Path | None = None
    """Folder of the feature store."""
    device: str = "auto"
    """cpu, openvino (the processor too, quicker, an extra), cuda, mps or auto."""
    precision: Precision = "auto"
    """auto uses bf16 where the processor has it."""


@Parameter(name="*")
@dataclass(frozen=True)
class PhotoOptions:
    """The place where photos of a run are read again."""

    photos: Path | None = None
    """Folder where the photos of the run are now, if they were moved."""
    urls: Annotated[bool, Parameter(negative=())] = False
    """Read photos that came from URLs from there again; otherwise they are left out."""


ANY_PHOTOS = PhotoOptions()
ANY_ENCODER = EncoderOptions()
ANY_FEATURES = FeatureOptions()
ANY_MACHINE = MachineOptions()


def bench_of(features: FeatureOptions, machine: MachineOptions, fit: list[str] | None) -> "Bench":
    """Make the bench of an encoder with its features, and of images to learn from.

    Raises:
        ConfigError, InputError, WeightsError: if they cannot be used.
    """
    config = features.config()
    from heap.benchmark.run.bench import Bench

    return Bench(
        config,
        photos=fit or (),
        encoder_label=features.encoder_label,
        cache=machine.cache,
        device=machine.device,
        precision=machine.precision,
    )
