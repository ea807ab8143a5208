"""Methods that see unlabelled images before they are evaluated, and where their models are kept."""

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
from heap.fitting.folder import ABOUT, make_once
from heap.images import decode, list_images
from heap.methods.finding import Finding, GridObject, Method, Observed
from heap.methods.found import Found, FoundRecipe
from heap.model.heap import Heap
from heap.model.objects import Part, foreground_parts, proposed_parts

_LAYER = "found.safetensors"
_PROPOSALS = 30
"""Guesses for each image, for protocols that count more than objects."""


@dataclass(frozen=True)
class Setup:
    """What a method that learns is given beside its settings."""

    encoder: Encoder
    features: FeatureConfig
    store: FeatureStore
    photos: tuple[str, ...]
    """Unlabelled images, as `heap fit` takes them; none if the model is there already."""
    model: Path | None
    """Where the model is, or will be. HEAP on an encoder of the package needs none: it has one."""
    seed: int
    on_progress: OnProgress


@checked(frozen=True, kw_only=True, config=CHECKED)
class HeapRecipe:
    """HEAP: what differs from the recipe of the encoder, see `HeadConfig` and the others."""

    head: dict[str, Any] = field(default_factory=dict)
    losses: dict[str, Any] = field(default_factory=dict)
    fit: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ByHead:
    """A fitted head as a method."""

    heap: Heap

    def __call__(self, image: Observed) -> Finding:
        """Saliency, objects and regions of the head, and its guesses.

        Objects of any score: what a score is worth is what protocols find out.
        """
        config = replace(self.heap.defaults, min_score=0.0, proposals=_PROPOSALS)
        seen = self.heap.analyse(image.features)
        parts = foreground_parts(seen.saliency, seen.regions, seen.whitened, config)
        guesses = proposed_parts(seen.saliency, seen.regions, seen.patches, parts, config)
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
    """A method that has learned, and what that took."""

    method: Method
    settings: dict[str, Any]
    """All of them."""
    fit: dict[str, Any] | None = None
    """Images, seconds and weights; None where that is not known."""
    seed: int | None = None
    """That it was taught with; None where that is not known, or nothing is random."""


def learn_heap(settings: HeapRecipe, setup: Setup) -> Learned:
    """Fit a head, or load the one that is there already."""
    return _heap(settings, setup, {})


def learn_heap_alone(settings: HeapRecipe, setup: Setup) -> Learned:
    """The same without an orientation prior."""
    return _heap(settings, setup, {"prior": "none"})


def learn_heap_self(settings: HeapRecipe, setup: Setup) -> Learned:
    """The same with what the three losses alone have found as prior."""
    return _heap(settings, setup, {"prior": "self"})


def learn_found(settings: FoundRecipe, setup: Setup) -> Learned:
    """Teach FOUND's layer, or load the one that is there already or a released decoder."""
    if setup.model and setup.model.is_file():
        return Learned(Found.load(setup.model), {"decoder": setup.model.name})
    folder, wanted = _folder(setup), asdict(settings)

    def teach() -> int:
        images = _collected(setup)

        def pixels(index: int) -> np.ndarray:
            return decode(images.sources[index]).pixels

        settings.fit(images, pixels, setup.seed, setup.on_progress).save(folder / _LAYER)
        return len(images)

    fitted = _once(setup, wanted, teach)
    found = Found.load(folder / _LAYER)
    return Learned(found, wanted, fitted | _weights(found.layer), setup.seed)


def _heap(settings: HeapRecipe, setup: Setup, fixed: Mapping[str, Any]) -> Learned:
    packaged = setup.features.encoder
    if setup.model is None and packaged in PACKAGED and not setup.photos:
        return _given(packaged_head(packaged), setup, asdict(settings), fixed)
    usual, folder = recipe(setup.features.encoder), _folder(setup)
    for name, value in fixed.items():
        if settings.losses.get(name, value) != value:
            raise ConfigError(f"this method is HEAP with {name} = {value!r}; for others take heap")
    losses = from_dict(LossConfig, asdict(usual.losses) | settings.losses | dict(fixed))
    head = from_dict(HeadConfig, asdict(usual.head) | settings.head)
    config = from_dict(FitConfig, asdict(usual.fit) | settings.fit | {"seed": setup.seed})
    wanted = {"head": asdict(head), "losses": asdict(losses), "fit": asdict(config)}
    if (folder / "config.json").is_file() and not (folder / ABOUT).exists():
        return _given(folder, setup, asdict(settings), fixed)

    def teach() -> int:
        made = fit(
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
        return int(made.config.provenance["images"])

    fitted = _once(setup, wanted, teach)
    heap = _load_heap(folder, setup)
    return Learned(ByHead(heap), wanted, fitted | _weights(heap.head), setup.seed)


def _given(
    folder: Path, setup: Setup, asked: Mapping[str, dict[str, Any]], fixed: Mapping[str, Any]
) -> Learned:
    """A model that `heap fit` has made: of its settings only those that are asked for matter."""
    heap = _load_heap(folder, setup)
    about = heap.config.provenance
    made = {
        "head": asdict(heap.config.head),
        "losses": about.get("losses", {}),
        "fit": about.get("fit", {}),
    }
    if any(made["losses"].get(name) != value for name, value in fixed.items()):
        raise InputError(
            f"the model {folder} was fitted with the prior {made['losses'].get('prior')!r}, not "
            f"{fixed['prior']!r}; evaluate it as method heap"
        )
    if differing := differing_keys(made, {part: made[part] | asked[part] for part in made}):
        raise InputError(
            f"the model {folder} was fitted with other settings: {', '.join(differing)}; leave "
            "them out of --settings, or choose another --model"
        )
    fitted = {"images": about.get("images"), **_weights(heap.head)}
    return Learned(ByHead(heap), made, fitted, made["fit"].get("seed"))


def _load_heap(folder: Path, setup: Setup) -> Heap:
    heap = Heap.from_pretrained(
        folder,
        encoder=setup.features.encoder,
        device=str(setup.encoder.mean.device),
        precision=setup.encoder.precision,
    )
    ours, theirs = (
        asdict(replace(each, encoder="")) for each in (setup.features, heap.config.features)
    )
    if differing := differing_keys(theirs, ours):
        raise InputError(
            f"the model {folder} was fitted on other features: {', '.join(differing)}; give the "
            "same options for them, or another --model"
        )
    return heap


def _once(setup: Setup, settings: dict[str, Any], teach: Callable[[], int]) -> dict[str, Any]:
    made_with = {
        "settings": settings,
        "seed": setup.seed,
        "encoder": setup.encoder.fingerprint,
        "features": setup.store.folder.name,
    }
    return make_once(_folder(setup), made_with, setup.photos, teach)


def _weights(module: nn.Module) -> dict[str, int]:
    return {"parameters": sum(weight.numel() for weight in module.parameters())}


def _folder(setup: Setup) -> Path:
    if setup.model is None:
        raise InputError("this method learns: name the folder of its model with --model")
    return setup.model


def _collected(setup: Setup) -> Collected:
    sources = list(list_images(list(setup.photos)))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return collect(sources, setup.encoder, setup.store, pool, setup.on_progress)
