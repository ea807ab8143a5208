"""Model that is saved and loaded: a frozen encoder, and the head that was fitted on it."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import ModelHubMixin
from jaxtyping import Float32
from pydantic.dataclasses import dataclass
from torch import nn

from heap.base.errors import ConfigError, ImageError, InputError, WeightsError
from heap.config import (
    CHECKED,
    DiscoverConfig,
    FeatureConfig,
    HeadConfig,
    Precision,
    from_dict,
)
from heap.encoder import hub
from heap.encoder.base import Encoder
from heap.encoder.load import load_encoder
from heap.encoder.registry import PACKAGED, is_hub_name, packaged_head
from heap.encoder.whereabouts import find_encoder, note_place
from heap.features.describe import PatchFeatures, feature_dim, try_describe
from heap.images import Picture
from heap.images.failures import attempt, attempt_all
from heap.images.held import is_single, to_picture, to_pictures
from heap.images.prefetch import chunks
from heap.model.analysis import Analysis, analyse
from heap.model.card import model_card
from heap.model.embedding import Box, embed
from heap.model.head import Grouping, GroupingHead
from heap.model.objects import find_objects
from heap.model.weights import digest_of, load_head, save_head
from heap.results import ImageResult


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class ModelConfig:
    """Content of config.json of a saved model."""

    format: int = 5
    """Version of the format, raised when older versions of the package cannot read it any more."""
    features: FeatureConfig = FeatureConfig()
    head: HeadConfig = HeadConfig()
    encoder_fingerprint: str = ""
    """SHA-256 of the encoder that the head was fitted on."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Record of the fit: images, losses, settings, version."""


class Heap(nn.Module, ModelHubMixin):
    """Encoder and head that find regions and objects in pictures.

    Call it with decoded pictures; `heap.discover` applies it to folders, and `heap.fit` fits a new
    one.
    """

    def __init__(self, encoder: Encoder, config: ModelConfig) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = config
        self.location = ""
        """Place that it can be loaded from again: alias, folder or hub name; empty if nowhere."""
        dim = feature_dim(encoder, config.features)
        self.head = GroupingHead(dim, encoder.embedding_dim, config.head)
        self.to(encoder.mean.device)

    @classmethod
    def from_pretrained(  # type: ignore[override]  # the mixin's own options have no use here
        cls,
        name: str | Path,
        *,
        encoder: str | None = None,
        device: str = "cpu",
        precision: Precision = "auto",
    ) -> "Heap":
        """Load "embedded", "embedded-small", a folder or a hub name.

        `encoder` is another place to load its encoder from. A folder that it was in is looked for
        in other places too, see `heap.encoder.whereabouts`.

        Raises:
            InputError: if there is no such model.
            ConfigError: if its configuration has unknown keys or values, or is of a newer format.
            WeightsError: if the weights are damaged or do not fit the configuration or encoder.
        """
        folder = _find_folder(name)
        config = _read_config(folder)
        place = encoder or find_encoder(config.features.encoder, config.encoder_fingerprint, folder)
        loaded = load_encoder(place, device=device, precision=precision)
        # A head on other features than its own would give nonsense without an error.
        if loaded.fingerprint != config.encoder_fingerprint:
            raise WeightsError(
                f"the model {name} was fitted on another encoder than {loaded.name}; name the "
                "right one with --encoder, or fit a model on this one with `heap fit`"
            )
        note_place(place, loaded.fingerprint)
        model = cls(loaded, config)
        load_head(model.head, folder / "model.safetensors")
        model.location = str(Path(name).resolve()) if Path(name).exists() else str(name)
        return model.eval()

    def _save_pretrained(self, save_directory: Path) -> None:
        config = json.dumps(asdict(self.config), indent=2)
        (save_directory / "config.json").write_text(config + "\n", encoding="utf-8")
        save_head(self.head, save_directory / "model.safetensors")

    def generate_model_card(self, *args: Any, **kwargs: Any) -> Any:
        """Model card that `save_pretrained` and `push_to_hub` write as README.md."""
        return model_card(asdict(self.config))

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the weights of the head."""
        return digest_of(self.head.state_dict())

    @property
    def defaults(self) -> DiscoverConfig:
        """Settings of discovery with this head where nothing else is asked for."""
        head = self.config.head
        return DiscoverConfig(merge=head.merge, min_score=head.min_score)

    def forward(
        self,
        images: Any,
        config: DiscoverConfig | None = None,
        *,
        names: str | Iterable[str] | None = None,
    ) -> ImageResult | list[ImageResult] | Iterator[ImageResult]:
        """Regions and objects of images as a program holds them, see `heap.images.held`.

        One image gives one result, a list, tuple or stack of images a list, and any other iterable,
        whose length need not be known, an iterator that works on `config.batch` of them at a time.

        Args:
            images: Arrays, tensors, Pillow images, bytes, binary files, paths or URLs.
            config: How objects are found; None: as with this head usually.
            names: Key of the result, or of each of the results.

        Raises:
            InputError: if an image is nothing that can be used.
            ImageError: if something goes wrong with one of them, see `examine`.
        """
        config = config or self.defaults
        if is_single(images):
            if not (names is None or isinstance(names, str)):
                (names,) = names
            return next(self._find_in_batches([to_picture(images, names)], config))
        if isinstance(names, str):
            raise InputError(f"names is {names!r}; several images need a list of names")
        results = self._find_in_batches(to_pictures(images, names), config)
        whole = isinstance(images, Sequence) or hasattr(images, "shape")
        return list(results) if whole else results

    def _find_in_batches(
        self, pictures: Iterable[Picture], config: DiscoverConfig
    ) -> Iterator[ImageResult]:
        for batch in chunks(pictures, config.batch):
            for result in self.examine(batch, config):
                if isinstance(result, ImageError):
                    raise result
                yield result

    @torch.inference_mode()
    def examine(
        self, pictures: Sequence[Picture], config: DiscoverConfig | None = None
    ) -> list[ImageResult | ImageError]:
        """Regions and objects of each picture, or the error in the place of its result.

        The stages of an error are `encode`, `objects` and `embed`.
        """
        config = config or self.defaults
        described = try_describe(self.encoder, pictures, self.config.features, config.batch)
        results = [
            features
            if isinstance(features, ImageError)
            else attempt(picture.key, "objects", partial(self._find, picture, features, config))
            for picture, features in zip(pictures, described, strict=True)
        ]
        # Objects of all pictures are embedded together, for full batches; errors keep their place.
        successes = [
            (picture, result)
            for picture, result in zip(pictures, results, strict=True)
            if not isinstance(result, ImageError)
        ]
        embedded = iter(
            attempt_all(successes, partial(self._add_embeddings, config), "embed", _key)
        )
        return [result if isinstance(result, ImageError) else next(embedded) for result in results]

    @torch.inference_mode()
    def group(self, features: PatchFeatures) -> Grouping:
        """Grouping of one image, as a batch of one."""
        grouping: Grouping = self.head(features.patches[None].to(self.head.centre.device))
        return grouping

    def analyse(self, features: PatchFeatures) -> Analysis:
        """Saliency, regions and whitened patches of one image, from its features."""
        return analyse(self.head, features, self.config.head.regions)

    @torch.inference_mode()
    def embed(
        self, crops: Sequence[tuple[Picture, Box]], config: DiscoverConfig | None = None
    ) -> Float32[np.ndarray, "crop dim"]:
        """Embeddings of boxes of pictures, like those of objects: whitened, compared by cosine.

        Raises:
            InputError: if a box has nothing of its picture in it.
        """
        config = config or self.defaults
        vectors = torch.from_numpy(embed(self.encoder, crops, config.crop, config.batch))
        whitened: np.ndarray = (
            self.head.object_whitening(vectors.to(self.head.centre)).cpu().numpy()
        )
        return whitened

    def _find(
        self, picture: Picture, features: PatchFeatures, config: DiscoverConfig
    ) -> ImageResult:
        """Regions and objects of one picture, without embeddings."""
        analysis = self.analyse(features)
        if not np.isfinite(analysis.saliency).all():
            raise ImageError(picture.key, "objects", "the head gives numbers that are not finite")
        size = (picture.width, picture.height)
        objects = find_objects(analysis, picture.pixels, size, config)
        return ImageResult(
            picture.key,
            picture.width,
            picture.height,
            objects,
            analysis.regions,
            analysis.saliency,
            analysis.foreground,
            analysis.background,
        )

    def _add_embeddings(
        self, config: DiscoverConfig, results: Sequence[tuple[Picture, ImageResult]]
    ) -> list[ImageResult | ImageError]:
        """Results with embeddings; objects of several images go through the encoder together."""
        crops = [
            (picture, box) for picture, result in results for box in result.objects.boxes.tolist()
        ]
        vectors = self.embed(crops, config)
        # Split after the last object of each image; what follows the last split is empty.
        ends = np.cumsum([len(result.objects) for _, result in results], dtype=int)
        return [
            replace(result, objects=replace(result.objects, embeddings=rows))
            if np.isfinite(rows).all()
            else ImageError(result.key, "embed", "embeddings of its objects are not finite")
            for (_, result), rows in zip(results, np.split(vectors, ends)[:-1], strict=True)
        ]


def _key(pair: tuple[Picture, ImageResult]) -> str:
    return pair[0].key


def _find_folder(name: str | Path) -> Path:
    """Folder of a model: in the package, on this machine or, as the last resort, from the hub."""
    if str(name) in PACKAGED:
        return packaged_head(str(name))
    if (Path(name) / "config.json").is_file():
        return Path(name)
    if Path(name).exists():
        raise InputError(f"{name} is no model: it has no config.json; `heap fit` makes one")
    if not is_hub_name(str(name)):
        raise InputError(
            f"there is no model {str(name)!r}; use {' or '.join(map(repr, PACKAGED))}, a folder "
            "that `heap fit` has written, or owner/name of the hub"
        )
    try:
        return hub.fetch_head(str(name))
    except InputError as error:
        raise InputError(
            f"there is no model {str(name)!r}: it is no folder here, and the hub gave none "
            f"({error}); use {' or '.join(map(repr, PACKAGED))}, a folder that `heap fit` has "
            "written, or owner/name of the hub"
        ) from error


def _read_config(folder: Path) -> ModelConfig:
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # deeply nested JSON exhausts the stack
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is not a JSON object")
    # Before `from_dict`, which would complain about keys that another version does not know.
    if isinstance(values.get("format"), int) and values["format"] > ModelConfig().format:
        raise ConfigError(f"{path} was written by a newer version of heap; update the package")
    if isinstance(values.get("format"), int) and values["format"] < ModelConfig().format:
        raise ConfigError(
            f"{path} was written by an earlier version of heap, whose heads were others; "
            "fit the model again with `heap fit`"
        )
    try:
        return from_dict(ModelConfig, values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
