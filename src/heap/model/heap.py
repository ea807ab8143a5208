"""Model that is saved and loaded: a frozen encoder, and the head that was fitted on it."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import numpy as np
import torch
from huggingface_hub import ModelHubMixin
from jaxtyping import Float32
from torch import Tensor, nn

from heap.base.errors import ImageError, InputError, WeightsError
from heap.base.timing import timed
from heap.config import (
    DiscoverConfig,
    Precision,
    from_dict,
)
from heap.encoder.base import Encoder
from heap.encoder.files import CONFIG, WEIGHTS
from heap.encoder.load import load_encoder
from heap.encoder.precision import refuse_other_numbers, usual_state
from heap.encoder.registry import PACKAGED
from heap.encoder.whereabouts import find_encoder, note_place
from heap.features.describe import PatchFeatures, feature_dim, try_describe
from heap.images import Picture
from heap.images.failures import attempt, attempt_all
from heap.images.held import is_single, to_picture, to_pictures
from heap.images.prefetch import chunks
from heap.model.analysing import analyse
from heap.model.analysis import Analysis
from heap.model.card import model_card
from heap.model.embedding import Box, embed
from heap.model.head import Grouping, GroupingHead
from heap.model.objects import find_objects
from heap.model.saved import ModelConfig, find_folder, read_config
from heap.model.weights import digest_of, load_head, save_head
from heap.results import ImageResult

P = ParamSpec("P")
T = TypeVar("T")


def _undisturbed(
    method: Callable[Concatenate["Heap", P], T],
) -> Callable[Concatenate["Heap", P], T]:
    """Let a method compute without gradients, and outside of a program's `torch.autocast`."""

    @wraps(method)
    def compute(self: "Heap", *args: P.args, **options: P.kwargs) -> T:
        with torch.inference_mode(), torch.autocast(self.encoder.mean.device.type, enabled=False):
            return method(self, *args, **options)

    return cast(Callable[Concatenate["Heap", P], T], compute)


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
        with usual_state():
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
        """Load "embedded", "embedded-medium", "embedded-small", a folder or a hub name.

        `encoder` is another place to load its encoder from. A folder that it was in is looked for
        in other places too, see `heap.encoder.whereabouts`.

        Raises:
            InputError: if there is no such model.
            ConfigError: if its configuration has unknown keys or values, or is of a newer format.
            WeightsError: if the weights are damaged or do not fit the configuration or encoder.
        """
        folder = find_folder(name)
        config = read_config(folder)
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
        load_head(model.head, folder / WEIGHTS)
        # What the package has goes before a folder of the same name, as in `find_folder`.
        here = str(name) not in PACKAGED and Path(name).exists()
        model.location = str(Path(name).resolve()) if here else str(name)
        return model.eval()

    def _save_pretrained(self, save_directory: Path) -> None:
        config = json.dumps(asdict(self.config), indent=2)
        (save_directory / CONFIG).write_text(config + "\n", encoding="utf-8")
        save_head(self.head, save_directory / WEIGHTS)

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
        merge = self.head.discriminant.merge
        return DiscoverConfig(merge=merge, min_score=self.config.head.min_score)

    def __repr__(self) -> str:
        groups = self.config.head.groups
        return f"Heap({self.location or 'not saved'!r}, {groups} groups on {self.encoder!r})"

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Heap":
        refuse_other_numbers(fn)
        changed: Heap = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return changed

    def settings(self, config: DiscoverConfig | Mapping[str, Any] | None = None) -> DiscoverConfig:
        """All settings of discovery, where some are asked for and the others are `defaults`.

        Raises:
            ConfigError: if there is no such setting, or its value cannot be.
        """
        if isinstance(config, DiscoverConfig):
            return config
        return from_dict(DiscoverConfig, asdict(self.defaults) | dict(config or {}))

    def forward(
        self,
        images: Any,
        config: DiscoverConfig | Mapping[str, Any] | None = None,
        *,
        names: str | Iterable[str] | None = None,
    ) -> ImageResult | list[ImageResult] | Iterator[ImageResult]:
        """Regions and objects of images as a program holds them, see `heap.images.held`.

        One image gives one result, a list, tuple or stack of images a list, and any other iterable,
        whose length need not be known, an iterator that works on `config.batch` of them at a time.
        A mapping of names to images gives a list too; elsewhere a pair (name, image) stands for
        an image with its name. Compiled by `torch.compile`, it runs as if it were not: compile
        `model.encoder` instead.

        Args:
            images: Arrays, tensors, Pillow images, bytes, binary files, paths or URLs.
            config: How objects are found, or the settings that differ from those of this head.
            names: Key of the result, or of each of the results.

        Raises:
            InputError: if an image is nothing that can be used, or a setting is wrong.
            ImageError: if something goes wrong with one of them, see `examine`.
        """
        find = self._find_in
        if "torch._dynamo" in sys.modules:
            # What decodes images is no code for a compiler, which would fail in it.
            find = torch.compiler.disable(find)
        return find(images, self.settings(config), names)

    def _find_in(
        self, images: Any, config: DiscoverConfig, names: str | Iterable[str] | None
    ) -> ImageResult | list[ImageResult] | Iterator[ImageResult]:
        if is_single(images):
            if not (names is None or isinstance(names, str)):
                names = list(names)
                if len(names) != 1:
                    raise InputError(f"names are {names!r:.80}; one image has one name")
                (names,) = names
            return next(self._find_in_batches([to_picture(images, names)], config))
        if isinstance(images, Mapping):
            if names is not None:
                raise InputError("the images have names already: their keys; leave `names` out")
            images = list(images.items())
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

    @_undisturbed
    def examine(
        self, pictures: Sequence[Picture], config: DiscoverConfig | None = None
    ) -> list[ImageResult | ImageError]:
        """Regions and objects of each picture, or the error in the place of its result.

        The stages of an error are `encode`, `objects` and `embed`.
        """
        config = config or self.defaults
        features = self.config.features
        if config.resolution is not None:
            features = replace(features, resolution=config.resolution)
        described = try_describe(self.encoder, pictures, features, config.batch)
        results = [
            image
            if isinstance(image, ImageError)
            else attempt(picture.key, "objects", partial(self._find, picture, image, config))
            for picture, image in zip(pictures, described, strict=True)
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

    @_undisturbed
    def group(self, features: PatchFeatures) -> Grouping:
        """Grouping of one image, as a batch of one."""
        grouping: Grouping = self.head(features.patches[None].to(self.head.centre.device))
        return grouping

    @_undisturbed
    def analyse(self, features: PatchFeatures) -> Analysis:
        """Saliency, regions and whitened patches of one image, from its features."""
        return analyse(self.head, features, self.config.head.regions)

    @_undisturbed
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
        with timed("head"):
            analysis = self.analyse(features)
        if not np.isfinite(analysis.saliency).all():
            raise ImageError(picture.key, "objects", "the head gives numbers that are not finite")
        size = (picture.width, picture.height)
        with timed("objects"):
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
