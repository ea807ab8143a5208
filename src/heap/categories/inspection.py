"""What a person should look at in a run: copies, what is typical, what is odd, what is empty."""

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
from heap.store.matching import is_gone
from heap.store.store import RunStore

SIDE = 16
"""Pictures are compared at so many pixels a side."""
ALIKE = 0.97
"""Correlation of two pictures above which they are near-duplicates."""
NEIGHBOURS = 5
"""An object is typical if so many others are like it."""
_BLOCK = 2048
"""Rows that are compared with all others at a time: 800 MB for 100,000 objects."""


@dataclass(frozen=True)
class Odd:
    """An object and how like it the nearest others are."""

    id: str
    likeness: float
    """Mean cosine with its nearest others, in [-1, 1]."""


@dataclass(frozen=True)
class Inspection:
    """What stands out in a run."""

    duplicates: tuple[tuple[str, ...], ...]
    """Keys of images of the same content, or nearly; each group in order, largest first."""
    typical: tuple[Odd, ...]
    """The objects that have most of their kind, most typical first."""
    unusual: tuple[Odd, ...]
    """The objects that are like no other, most unusual first."""
    empty: tuple[str, ...]
    """Keys of images without an object."""
    gone: tuple[str, ...]
    """Keys of images that are no longer where they were, failed ones included."""


def inspect(store: RunStore, count: int = 20) -> Inspection:
    """Look through a whole run; at most `count` objects of each kind.

    Pictures are near-duplicates where their thumbnails, in grey and at 16 × 16 pixels, correlate by
    more than 0.97: the same photo in another size, format or quality, not another photo of the same
    thing. Rejected objects are left out.

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
    typical, unusual = _objects(store, count)
    return Inspection(
        _duplicates(keys, kept["digest"].to_pylist(), kept["thumbnail"].to_pylist()),
        typical,
        unusual,
        tuple(key for key, each in zip(keys, status, strict=True) if each == "empty"),
        tuple(each.key for each in store.stored() if is_gone(each.source)),
    )


def likeness(embeddings: Float32[np.ndarray, "object dim"]) -> Float32[np.ndarray, " object"]:
    """Of each object the mean cosine with its five nearest others, or with all if they are fewer.

    nan for an object that is alone.
    """
    others = min(NEIGHBOURS, len(embeddings) - 1)
    if others < 1:
        return np.full(len(embeddings), np.nan, dtype=np.float32)
    nearest = [
        np.partition(cosines, -others, axis=1)[:, -others:].mean(axis=1)
        for _, cosines in _with_others(unit_vectors(embeddings))
    ]
    return np.concatenate(nearest)


def _with_others(
    unit: Float32[np.ndarray, "row dim"],
) -> Iterator[tuple[int, Float32[np.ndarray, "block row"]]]:
    """Cosines of a block of rows with all rows, and where it begins; with themselves, minus inf."""
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
    # Noise of the encoding is no picture.
    return grey / length if length > SIDE else np.zeros_like(grey)


def _duplicates(
    keys: Sequence[str], digests: Sequence[str], thumbnails: Sequence[bytes]
) -> tuple[tuple[str, ...], ...]:
    pairs = [*_same(digests), *_alike(thumbnails)]
    if not pairs:
        return ()
    left, right = np.array(pairs, dtype=np.int64).T
    joined = coo_array((np.ones(len(left)), (left, right)), shape=(len(keys), len(keys)))
    _, group = connected_components(joined, directed=False)
    groups = [np.flatnonzero(group == each) for each in np.unique(group[left])]
    found = [tuple(keys[int(at)] for at in each) for each in groups]
    return tuple(sorted(found, key=lambda each: (-len(each), each)))


def _same(digests: Sequence[str]) -> list[tuple[int, int]]:
    """Each image whose bytes an earlier one has, with that one."""
    first: dict[str, int] = {}
    return [
        (first[digest], at)
        for at, digest in enumerate(digests)
        if digest and first.setdefault(digest, at) != at
    ]


def _alike(thumbnails: Sequence[bytes]) -> list[tuple[int, int]]:
    shown = [at for at, thumbnail in enumerate(thumbnails) if thumbnail]
    if not shown:
        return []
    pictures = np.stack([signature(thumbnails[at]) for at in shown])
    told = np.flatnonzero(pictures.any(axis=1))
    if len(told) < 2:
        return []
    return [
        (shown[told[start + row]], shown[told[other]])
        for start, cosines in _with_others(pictures[told])
        for row, other in np.argwhere(cosines >= ALIKE)
        if start + row < other
    ]


def _objects(store: RunStore, count: int) -> tuple[tuple[Odd, ...], tuple[Odd, ...]]:
    table = store.find(schema.OBJECTS)
    if table is None:
        return (), ()
    with reading(store.run):
        found = read_rows(table, ["id", "vector"], "NOT rejected").sort_by("id")
    if found.num_rows < 2:
        return (), ()
    like = likeness(to_vectors(found))
    ids, order = found["id"].to_pylist(), np.argsort(-like, kind="stable")
    ranked = [Odd(ids[at], float(like[at])) for at in order]
    # Of few objects none is both.
    few = len(ranked) // 2
    return tuple(ranked[: min(count, len(ranked) - few)]), tuple(ranked[::-1][: min(count, few)])
