"""Bench that methods work on: one encoder, its features, and images to learn from."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from heap.base.cache import cache_dir
from heap.base.progress import OnProgress
from heap.benchmark.run.learning import Learned, Setup
from heap.benchmark.run.methods import MethodCard
from heap.config import FeatureConfig, Precision
from heap.encoder.load import load_encoder
from heap.features.describe import PatchFeatures, describe
from heap.features.store import FeatureStore
from heap.images import Picture


@dataclass(frozen=True)
class Entry:
    """One method in an evaluation, with the file of its results."""

    card: MethodCard
    out: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    model: Path | None = None
    """Folder of the model of a method that learns, which is there or will be."""
    label: str = ""
    """Name in tables; empty for that of the method."""


class Seen(NamedTuple):
    """Features of a picture, and the seconds that they took; None if they were stored already."""

    features: PatchFeatures
    seconds: float | None


class Bench:
    """An encoder and the store of its features, the same for all methods."""

    def __init__(
        self,
        features: FeatureConfig,
        *,
        photos: Sequence[str] = (),
        encoder_label: str = "",
        cache: Path | None = None,
        device: str = "cpu",
        precision: Precision = "auto",
    ) -> None:
        """Load the encoder.

        Args:
            features: The encoder, and which of its features.
            photos: Unlabelled images for methods that learn.
            encoder_label: Name of the encoder in tables; empty for its own name.
            cache: Folder of the feature store; None for the user's.
            device: Device of the encoder.
            precision: Precision of the encoder.

        Raises:
            InputError, WeightsError: if the encoder cannot be had.
        """
        self.features, self.photos = features, tuple(photos)
        self.encoder = load_encoder(features.encoder, device=device, precision=precision)
        self.encoder_label = encoder_label or Path(features.encoder).name
        self.store = FeatureStore(cache or cache_dir() / "features", self.encoder, features)

    def learn(self, entry: Entry, on_progress: OnProgress) -> Learned:
        """Return the method of an entry, after it has learned.

        Raises:
            ConfigError: if its settings are wrong.
            InputError: if there is nothing to learn from, or its model is another one.
        """
        settings = entry.card.settings(entry.settings)
        if entry.card.learn is None:
            return Learned(settings, asdict(settings))
        setup = Setup(
            self.encoder,
            self.features,
            self.store,
            self.photos,
            entry.model,
            entry.seed,
            on_progress,
        )
        return entry.card.learn(settings, setup)

    def see(self, picture: Picture) -> Seen:
        """Features of a picture as the store gives them, in half precision.

        So that results do not depend on what was in the store before.
        """
        stored = self.store.get(picture.digest)
        if stored is not None:
            return Seen(stored, None)
        began = time.perf_counter()
        fresh = describe(self.encoder, [picture], self.features, boundary=True)[0]
        seconds = time.perf_counter() - began
        return Seen(self.store.put_and_get(picture.digest, fresh), seconds)
