"""Collection of the images that a head is fitted on, and their features, computed once."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from jaxtyping import UInt8

from heap.base.errors import FitError, InputError
from heap.base.progress import OnProgress
from heap.encoder.base import Encoder
from heap.features.describe import PatchFeatures, describe, try_describe
from heap.features.store import FeatureStore
from heap.images import ImageError, Limits, Picture, Source, decode, decode_bytes
from heap.images.decode import DEFAULT_LIMITS, read
from heap.images.prefetch import chunks, map_ahead

logger = logging.getLogger(__name__)

STAGE = "features"
FLAT = "contrast"
"""Stage of images that are left out because there is nothing to see in them."""
_LEAST_SPREAD = 0.01
"""Range of the colour prior within an image, below which it has no contrast: where everything is
equally likely to be foreground, no edge separates anything."""


@dataclass(frozen=True)
class Collected:
    """Images with features in a store, read when they are asked for."""

    sources: list[Source]
    digests: list[str]
    encoder: Encoder
    store: FeatureStore
    failures: list[ImageError]
    copies: int = 0
    """Images with the very content of another one; they are left out."""
    limits: Limits = DEFAULT_LIMITS

    @property
    def flat(self) -> int:
        """Images without contrast; they are among the failures."""
        return sum(failure.stage == FLAT for failure in self.failures)

    def __len__(self) -> int:
        return len(self.digests)

    def __getitem__(self, index: int) -> PatchFeatures:
        """Features of an image; computed again if the store has lost or damaged them."""
        features = self.store.get(self.digests[index])
        if features is None:
            picture = self.picture(index)
            fresh = describe(self.encoder, [picture], self.store.config, boundary=True)[0]
            # By the digest of now: if the file has changed, these are not the features of before.
            features = self.store.put_and_get(picture.digest, fresh)
        return features

    def spread(self, about: int) -> range:
        """Indices of about `about` images, or of all if they are fewer, spread evenly."""
        return range(0, len(self), max(1, len(self) // about))

    def picture(self, index: int) -> Picture:
        """Decode an image again."""
        return decode(self.sources[index], self.limits)

    def pixels(self, index: int) -> UInt8[np.ndarray, "height width 3"]:
        """Decode the pixels of an image again."""
        return self.picture(index).pixels


def collect(
    sources: Sequence[Source],
    encoder: Encoder,
    store: FeatureStore,
    pool: ThreadPoolExecutor,
    on_progress: OnProgress,
    limits: Limits = DEFAULT_LIMITS,
    batch: int = 8,
    least: int = 2,
) -> Collected:
    """Fill `store` with the features of every image; what is there already is not computed again.

    Copies are left out, and so are images without contrast, in which nothing can be learned.

    Raises:
        InputError: if fewer than `least` images can be used.
        FitError: if that is because they are copies of each other or without contrast.
    """
    used: dict[str, Source] = {}
    failures: list[ImageError] = []
    copies = 0
    # Files are read and decoded in threads while the encoder works; four batches ahead, so that a
    # few slow ones do not make it wait, and memory stays bounded.
    prepared = map_ahead(sources, lambda source: _prepare(source, store, limits), pool, 4 * batch)
    for done, pairs in enumerate(chunks(zip(sources, prepared, strict=True), batch)):
        faults = _store_features([outcome for _, outcome in pairs], encoder, store, batch)
        for source, outcome in pairs:
            usable = _check_usable(source.key, outcome, faults, store)
            if isinstance(usable, ImageError):
                logger.warning("left out %s", usable)
                failures.append(usable)
            elif usable in used:
                copies += 1
            else:
                used[usable] = source
        on_progress(STAGE, min((done + 1) * batch, len(sources)), len(sources))
    digests = list(used)
    collected = Collected(list(used.values()), digests, encoder, store, failures, copies, limits)
    if len(collected) < least:
        _refuse(collected, len(sources))
    return collected


def _store_features(
    prepared: Sequence[Picture | str | ImageError],
    encoder: Encoder,
    store: FeatureStore,
    batch: int,
) -> dict[str, ImageError]:
    """Store the features of the pictures; returns the errors of those that have none, by digest."""
    # A digest instead of a picture means that its features are there already.
    fresh = {picture.digest: picture for picture in prepared if isinstance(picture, Picture)}
    described = try_describe(encoder, list(fresh.values()), store.config, batch, boundary=True)
    faults = {}
    for digest, features in zip(fresh, described, strict=True):
        if isinstance(features, ImageError):
            faults[digest] = features
        else:
            store.put(digest, features)
    return faults


def _check_usable(
    key: str,
    prepared: Picture | str | ImageError,
    faults: Mapping[str, ImageError],
    store: FeatureStore,
) -> str | ImageError:
    """Digest of an image that can be learned from, or the reason why it cannot."""
    if isinstance(prepared, ImageError):
        return prepared
    digest = prepared if isinstance(prepared, str) else prepared.digest
    if digest in faults:  # the error has the name of the first of its copies
        return ImageError(key, faults[digest].stage, faults[digest].reason)
    prior = store.get_boundary(digest)
    if prior is not None and prior.max() - prior.min() < _LEAST_SPREAD:
        return ImageError(key, FLAT, "it has no contrast: there is nothing to learn from")
    return digest


def _refuse(images: Collected, listed: int) -> NoReturn:
    if images.flat or images.copies:
        raise FitError(
            f"there is nothing to learn from: of {listed} images {images.flat} are without "
            f"contrast, {images.copies} are copies of others and "
            f"{len(images.failures) - images.flat} cannot be used; fitting needs photos that differ"
        )
    raise InputError(
        f"fitting needs at least two images that can be read; {len(images)} of {listed} can"
    )


def _prepare(source: Source, store: FeatureStore, limits: Limits) -> Picture | str | ImageError:
    """Digest of an image whose features are stored, else the picture to compute them from."""
    try:
        # Read once: what is hashed is what is decoded, even if the file changes meanwhile.
        data = read(source, limits)
        digest = hashlib.sha256(data).hexdigest()
        return digest if digest in store else decode_bytes(source.key, data, limits)
    except ImageError as error:
        return error
