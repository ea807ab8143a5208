"""Features of the images that a head is fitted on, computed once."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from heap.encoder.encoder import Encoder
from heap.errors import InputError
from heap.features import FeatureStore, PatchFeatures, describe
from heap.images import ImageError, Picture, Source, decode, decode_bytes
from heap.progress import OnProgress
from heap.reading import ahead, chunks

logger = logging.getLogger(__name__)

STAGE = "features"


@dataclass(frozen=True)
class Collected:
    """Images with features in a store, read when they are asked for."""

    sources: list[Source]
    digests: list[str]
    encoder: Encoder
    store: FeatureStore
    failures: list[ImageError]

    def __len__(self) -> int:
        return len(self.digests)

    def __getitem__(self, index: int) -> PatchFeatures:
        """Features of an image; computed again if the store has lost or damaged them."""
        features = self.store.get(self.digests[index])
        if features is None:
            picture = decode(self.sources[index])
            fresh = describe(self.encoder, [picture], self.store.config, boundary=True)[0]
            features = self.store.keep(picture.digest, fresh)
        return features

    def spread(self, about: int) -> range:
        """Indices of `about` as many images, or all if they are fewer, spread evenly."""
        return range(0, len(self), max(1, len(self) // about))

    def picture(self, index: int) -> Picture:
        """The picture itself, decoded again."""
        return decode(self.sources[index])

    def pixels(self, index: int) -> UInt8[np.ndarray, "height width 3"]:
        """Its pixels."""
        return self.picture(index).pixels


def collect(
    sources: Sequence[Source],
    encoder: Encoder,
    store: FeatureStore,
    pool: ThreadPoolExecutor,
    on_progress: OnProgress,
    batch: int = 8,
) -> Collected:
    """Fill `store` with the features of every image; what is there already is not computed again.

    Raises:
        InputError: if fewer than two images can be used.
    """
    used: list[Source] = []
    digests: list[str] = []
    failures: list[ImageError] = []
    prepared = ahead(sources, lambda source: _prepare(source, store), pool, 4 * batch)
    for pairs in chunks(zip(sources, prepared, strict=True), batch):
        for source, found in pairs:
            if isinstance(found, ImageError):
                logger.warning("left out %s", found)
                failures.append(found)
            else:
                used.append(source)
                digests.append(found if isinstance(found, str) else found.digest)
        fresh = [found for _, found in pairs if isinstance(found, Picture)]
        for picture, features in zip(
            fresh, describe(encoder, fresh, store.config, batch, boundary=True), strict=True
        ):
            store.put(picture.digest, features)
        on_progress(STAGE, len(used) + len(failures), len(sources))
    if len(used) < 2:
        raise InputError(
            f"fitting needs at least two images that can be read; {len(used)} of {len(sources)} can"
        )
    return Collected(used, digests, encoder, store, failures)


def evenly(sources: Iterator[Source], most: int) -> list[Source]:
    """At most `most` of the images, spread evenly over the listing."""
    listed = list(sources)
    count = min(most, len(listed))
    return [listed[index * len(listed) // count] for index in range(count)]


def _prepare(source: Source, store: FeatureStore) -> Picture | str | ImageError:
    """The digest if the features are there, else the picture that they are to be computed from."""
    try:
        data = source.read()
        digest = hashlib.sha256(data).hexdigest()
        return digest if digest in store else decode_bytes(source.key, data)
    except ImageError as error:
        return error
    except InputError as error:
        return ImageError(source.key, "read", str(error))
