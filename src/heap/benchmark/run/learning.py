"""Methods that learn from unlabelled images before they are evaluated, and their models."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic.dataclasses import dataclass as checked
from torch import nn

from heap.base.errors import ConfigError, InputError
from heap.base.progress import OnProgress
from heap.benchmark.run.once import make_once
from heap.config import (
    CHECKED,
    FeatureConfig,
    FitConfig,
    HeadConfig,
    LossConfig,
    differing_keys,
    from_dict,
)
from heap.encoder.base import Encoder
from heap.encoder.registry import PACKAGED, packaged_head, recipe
from heap.features.store import FeatureStore
from heap.fitting.collect import Collected, collect
from heap.fitting.command import fit
from heap.fitting.folder import ABOUT
from heap.images import decode, list_images
from heap.methods.finding import Finding, GridObject, Method, Observed
from heap.methods.found import Found, FoundRecipe
from heap.model.heap import Heap
from heap.model.objects import Part, foreground_parts, proposed_parts

_LAYER = "found.safetensors"
_PROPOSALS = 30
"""Guesses in an image, for protocols that score more than objects."""


@dataclass(frozen=True)
class Setup:
    """Inputs of a method that learns, besides its settings."""

    encoder: Encoder
    features: FeatureConfig
    store: FeatureStore
    photos: tuple[str, ...]
    """Unlabelled images, as `heap fit` takes them; none if the model is there already."""
    model: Path | None
    """Folder of the model, which is there or will be. HEAP on an encoder of the package needs none,
    because the package has one."""
    seed: int
    on_progress: OnProgress


@checked(frozen=True, kw_only=True, config=CHECKED)
class HeapRecipe:
    """Settings of HEAP that differ from the recipe of the encoder, see `HeadConfig` and others."""

    head: dict[str, Any] = field(default_factory=dict)
    losses: dict[str, Any] = field(default_factory=dict)
    fit: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ByHead:
    """A fitted head as a method."""

    heap: Heap

    def __call__(self, image: Observed) -> Finding:
        """Saliency, objects and regions that the head finds, and its guesses.

        Objects have any score, because protocols measure what a score is worth.
        """
        config = replace(self.heap.defaults, min_score=0.0, proposals=_PROPOSALS)
        seen = self.heap.analyse(image.features)
        parts = foreground_parts(seen, config)
        guesses = proposed_parts(seen, parts, config)
        return Finding(
            seen.saliency,
            _grid_objects(parts),
            seen.regions.label_map,
            seen.regions.embeddings,
            seen.whitened,
            _grid_objects(guesses),
        )


def _grid_objects(parts: Sequence[Part]) -> tuple[GridObject, ...]:
    return tuple(GridObject(part.cells, part.score) for part in parts)


@dataclass(frozen=True)
class Learned:
    """A method that has learned, with the cost of that."""

    method: Method
    settings: dict[str, Any]
    """All settings, defaults included."""
    fit: dict[str, Any] | None = None
    """Images, seconds and weights; None where that is not known."""
    seed: int | None = None
    """Seed that it was taught with; None where that is not known, or nothing is random."""


def learn_found(settings: FoundRecipe, setup: Setup) -> Learned:
    """Teach FOUND's layer, or load the one that is there already or a released decoder."""
    if setup.model and setup.model.is_file():
        return Learned(Found.load(setup.model), {"decoder": setup.model.name})
    folder, wanted = _model_folder(setup), asdict(settings)

    def teach() -> int:
        images = _collect_photos(setup)

        def pixels(index: int) -> np.ndarray:
            return decode(images.sources[index]).pixels

        settings.fit(images, pixels, setup.seed, setup.on_progress).save(folder / _LAYER)
        return len(images)

    fitted = _teach_once(setup, wanted, teach)
    method = Found.load(folder / _LAYER)
    return Learned(method, wanted, fitted | _count_weights(method.layer), setup.seed)


def learn_heap(settings: HeapRecipe, setup: Setup, *, fixed: Mapping[str, Any]) -> Learned:
    """Fit a head, or load the one that is there already; settings of losses may be `fixed`."""
    packaged = setup.features.encoder
    if setup.model is None and packaged in PACKAGED and not setup.photos:
        return _load_fitted(packaged_head(packaged), setup, asdict(settings), fixed)
    usual, folder = recipe(setup.features.encoder), _model_folder(setup)
    for name, value in fixed.items():
        if settings.losses.get(name, value) != value:
            raise ConfigError(f"this method is HEAP with {name} = {value!r}; for others take heap")
    losses = from_dict(LossConfig, asdict(usual.losses) | settings.losses | dict(fixed))
    head = from_dict(HeadConfig, asdict(usual.head) | settings.head)
    config = from_dict(FitConfig, asdict(usual.fit) | settings.fit | {"seed": setup.seed})
    wanted = {"head": asdict(head), "losses": asdict(losses), "fit": asdict(config)}
    if (folder / "config.json").is_file() and not (folder / ABOUT).exists():
        return _load_fitted(folder, setup, asdict(settings), fixed)

    def teach() -> int:
        model = fit(
            setup.photos,
            folder,
            features=setup.features,
            head=head,
            losses=losses,
            config=config,
            device=str(setup.encoder.mean.device),
            precision=setup.encoder.precision,
            cache=setup.store.folder.parent,
            on_progress=setup.on_progress,
        )
        return int(model.config.provenance["images"])

    fitted = _teach_once(setup, wanted, teach)
    heap = _load_heap(folder, setup)
    return Learned(ByHead(heap), wanted, fitted | _count_weights(heap.head), setup.seed)


def _load_fitted(
    folder: Path, setup: Setup, asked: Mapping[str, dict[str, Any]], fixed: Mapping[str, Any]
) -> Learned:
    """Load a model of `heap fit`; refuse it if its settings differ from those asked for."""
    heap = _load_heap(folder, setup)
    about = heap.config.provenance
    settings = {
        "head": asdict(heap.config.head),
        "losses": about.get("losses", {}),
        "fit": about.get("fit", {}),
    }
    if any(settings["losses"].get(name) != value for name, value in fixed.items()):
        raise InputError(
            f"the model {folder} was fitted with the prior {settings['losses'].get('prior')!r}, "
            f"not {fixed['prior']!r}; evaluate it as method heap"
        )
    if differing := differing_keys(
        settings, {part: settings[part] | asked[part] for part in settings}
    ):
        raise InputError(
            f"the model {folder} was fitted with other settings: {', '.join(differing)}; leave "
            "them out of --settings, or choose another --model"
        )
    fitted = {"images": about.get("images"), **_count_weights(heap.head)}
    return Learned(ByHead(heap), settings, fitted, settings["fit"].get("seed"))


def _load_heap(folder: Path, setup: Setup) -> Heap:
    heap = Heap.from_pretrained(
        folder,
        encoder=setup.features.encoder,
        device=str(setup.encoder.mean.device),
        precision=setup.encoder.precision,
    )
    ours, theirs = (
        # The same encoder may have been named otherwise, such as by its folder.
        asdict(replace(features, encoder=""))
        for features in (setup.features, heap.config.features)
    )
    if differing := differing_keys(theirs, ours):
        raise InputError(
            f"the model {folder} was fitted on other features: {', '.join(differing)}; give the "
            "same options for them, or another --model"
        )
    return heap


def _teach_once(setup: Setup, settings: dict[str, Any], teach: Callable[[], int]) -> dict[str, Any]:
    made_with = {
        "settings": settings,
        "seed": setup.seed,
        "encoder": setup.encoder.fingerprint,
        "features": setup.store.folder.name,
    }
    return make_once(_model_folder(setup), made_with, setup.photos, teach)


def _count_weights(module: nn.Module) -> dict[str, int]:
    return {"parameters": sum(weight.numel() for weight in module.parameters())}


def _model_folder(setup: Setup) -> Path:
    if setup.model is None:
        raise InputError("this method learns: name the folder of its model with --model")
    return setup.model


def _collect_photos(setup: Setup) -> Collected:
    sources = list(list_images(list(setup.photos)))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return collect(sources, setup.encoder, setup.store, pool, setup.on_progress)
