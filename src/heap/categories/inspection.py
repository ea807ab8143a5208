"""Inspection of a run: copies of images, typical and unusual objects, empty and lost images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from jaxtyping import Float32
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from heap.base.errors import InputError
from heap.store import schema
from heap.store.columns import read_rows, to_vectors, unit_vectors
from heap.store.database import reading
from heap.store.index import FINDABLE
from heap.store.matching import is_gone
from heap.store.rejected import category_condition, rejected_categories
from heap.store.store import RunStore

SIDE = 16
"""Side in pixels at which pictures are compared."""
ALIKE = 0.97
"""Correlation of two pictures above which they are near-duplicates."""
NEIGHBOURS = 5
"""Nearest others that say how typical an object is."""
_BLOCK = 2048
"""Rows that are compared with all others at a time: 800 MB for 100,000 objects."""


@dataclass(frozen=True)
class Odd:
    """An object, and its similarity to the nearest others."""

    id: str
    likeness: float
    """Mean cosine with its nearest others, in [-1, 1]."""


@dataclass(frozen=True)
class Inspection:
    """Images and objects that stand out in a run."""

    duplicates: tuple[tuple[str, ...], ...]
    """Keys of images of the same content, or nearly; each group in order, largest first."""
    typical: tuple[Odd, ...]
    """The objects with the most similar others, most typical first."""
    unusual: tuple[Odd, ...]
    """The objects that are least like any other, most unusual first."""
    empty: tuple[str, ...]
    """Keys of images without an object."""
    gone: tuple[str, ...]
    """Keys of images that are no longer where they were, failed ones included."""


def inspect(store: RunStore, count: int = 20) -> Inspection:
    """Look through a whole run; at most `count` objects of each kind.

    Pictures are near-duplicates where their thumbnails, in grey and at 16 × 16 pixels, correlate by
    more than 0.97: the same photo in another size, format or quality, not another photo of the same
    thing. Rejected objects, and those of rejected categories, are left out.

    Raises:
        InputError: if `count` is below 1.
        StoreError: if the store is damaged.
    """
    if count < 1:
        raise InputError(f"count is {count}, and at least 1 object of each kind has to be shown")
    with reading(store.run):
        columns = ["key", "status", "digest", "thumbnail"]
        kept = read_rows(store.table(schema.IMAGES), columns, "status != 'failed'").sort_by("key")
    keys = kept["key"].to_pylist()
    status = kept["status"].to_pylist()
    typical, unusual = _rank_objects(store, count)
    return Inspection(
        _group_duplicates(keys, kept["digest"].to_pylist(), kept["thumbnail"].to_pylist()),
        typical,
        unusual,
        tuple(key for key, state in zip(keys, status, strict=True) if state == "empty"),
        tuple(image.key for image in store.stored() if is_gone(image.source)),
    )


def likeness(embeddings: Float32[np.ndarray, "object dim"]) -> Float32[np.ndarray, " object"]:
    """Mean cosine of each object with its five nearest others, or with all if they are fewer.

    nan for an object that is alone.
    """
    others = min(NEIGHBOURS, len(embeddings) - 1)
    if others < 1:
        return np.full(len(embeddings), np.nan, dtype=np.float32)
    nearest = [
        np.partition(cosines, -others, axis=1)[:, -others:].mean(axis=1)
        for _, cosines in _cosine_blocks(unit_vectors(embeddings))
    ]
    return np.concatenate(nearest)


def _cosine_blocks(
    unit: Float32[np.ndarray, "row dim"],
) -> Iterator[tuple[int, Float32[np.ndarray, "block row"]]]:
    """First row of every block, and cosines of its rows with all rows; -inf with itself."""
    for start in range(0, len(unit), _BLOCK):
        cosines = unit[start : start + _BLOCK] @ unit.T
        block = np.arange(len(cosines))
        cosines[block, start + block] = -np.inf
        yield start, cosines


def signature(thumbnail: bytes) -> Float32[np.ndarray, " pixel"]:
    """A picture in grey at 16 × 16 pixels, mean 0 and length 1; zeros if it is of one colour."""
    with Image.open(BytesIO(thumbnail)) as image:
        small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    grey = np.asarray(small, dtype=np.float32).ravel()
    grey -= grey.mean()
    length = float(np.linalg.norm(grey))
    # All that is left of a picture of one colour is noise of its encoding.
    return grey / length if length > SIDE else np.zeros_like(grey)


def _group_duplicates(
    keys: Sequence[str], digests: Sequence[str], thumbnails: Sequence[bytes]
) -> tuple[tuple[str, ...], ...]:
    pairs = [*_same_bytes(digests), *_similar_pictures(thumbnails)]
    if not pairs:
        return ()
    left, right = np.array(pairs, dtype=np.int64).T
    joined = coo_array((np.ones(len(left)), (left, right)), shape=(len(keys), len(keys)))
    _, group = connected_components(joined, directed=False)
    groups = [np.flatnonzero(group == number) for number in np.unique(group[left])]
    named = [tuple(keys[int(at)] for at in members) for members in groups]
    return tuple(sorted(named, key=lambda members: (-len(members), members)))


def _same_bytes(digests: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of an earlier image and a later one with the same bytes."""
    first: dict[str, int] = {}
    return [
        (first[digest], at)
        for at, digest in enumerate(digests)
        if digest and first.setdefault(digest, at) != at
    ]


def _similar_pictures(thumbnails: Sequence[bytes]) -> list[tuple[int, int]]:
    shown = [at for at, thumbnail in enumerate(thumbnails) if thumbnail]
    if not shown:
        return []
    pictures = np.stack([signature(thumbnails[at]) for at in shown])
    told = np.flatnonzero(pictures.any(axis=1))
    if len(told) < 2:
        return []
    return [
        (shown[told[start + row]], shown[told[other]])
        for start, cosines in _cosine_blocks(pictures[told])
        for row, other in np.argwhere(cosines >= ALIKE)
        if start + row < other
    ]


def _rank_objects(store: RunStore, count: int) -> tuple[tuple[Odd, ...], tuple[Odd, ...]]:
    stored = store.checked_objects()
    if stored is None:
        return (), ()
    with reading(store.run):
        accepted = " AND ".join([FINDABLE, *category_condition(rejected_categories(store))])
        objects = stored.read(["id", "vector"], accepted).sort_by("id")
    if objects.num_rows < 2:
        return (), ()
    like = likeness(to_vectors(objects))
    ids, order = objects["id"].to_pylist(), np.argsort(-like, kind="stable")
    ranked = [Odd(ids[at], float(like[at])) for at in order]
    # No object is both typical and unusual, however few there are.
    few = len(ranked) // 2
    return tuple(ranked[: min(count, len(ranked) - few)]), tuple(ranked[::-1][: min(count, few)])
