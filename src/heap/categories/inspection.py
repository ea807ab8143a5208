"""Inspection of a run: copies of images, typical and unusual objects, empty and lost images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Int64
from PIL import Image

from heap.base.errors import InputError
from heap.store import schema
from heap.store.columns import BLOCK, decode_texts, read_rows, to_vectors, unit_vectors
from heap.store.database import Table, reading
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
_PICTURES = 256
"""The same of pictures: 400 MB of pairs for 100,000 that are all alike."""
_NO_PICTURE: Float32[np.ndarray, " pixel"] = np.zeros(SIDE * SIDE, dtype=np.float32)
"""Signature that is like no other."""
_USABLE = "status != 'failed'"


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
    images = store.table(schema.IMAGES)
    with reading(store.run):
        kept = read_rows(images, ["key", "status", "digest"], _USABLE).sort_by("key")
        pictures = _read_signatures(images)
    keys = decode_texts(kept["key"])
    status = kept["status"].to_pylist()
    typical, unusual = _rank_objects(store, count)
    return Inspection(
        _group_duplicates(
            keys,
            decode_texts(kept["digest"]),
            np.array([pictures.get(key, _NO_PICTURE) for key in keys]).reshape(-1, SIDE * SIDE),
        ),
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
    unit: Float32[np.ndarray, "row dim"], rows: int = _BLOCK
) -> Iterator[tuple[int, Float32[np.ndarray, "block row"]]]:
    """First row of every block, and cosines of its rows with all rows; -inf with itself."""
    for start in range(0, len(unit), rows):
        cosines = unit[start : start + rows] @ unit.T
        block = np.arange(len(cosines))
        cosines[block, start + block] = -np.inf
        yield start, cosines


def signature(thumbnail: bytes) -> Float32[np.ndarray, " pixel"]:
    """A picture in grey at 16 × 16 pixels, mean 0 and length 1.

    Zeros if it is of one colour, or if it is none: a store may be damaged, or come from elsewhere.
    """
    try:
        with Image.open(BytesIO(thumbnail), formats=["JPEG"]) as image:
            small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    except (OSError, ValueError, Image.DecompressionBombError):
        return _NO_PICTURE
    grey = np.asarray(small, dtype=np.float32).ravel()
    grey -= grey.mean()
    length = float(np.linalg.norm(grey))
    # All that is left of a picture of one colour is noise of its encoding.
    return grey / length if length > SIDE else _NO_PICTURE


def _read_signatures(images: Table) -> dict[str, Float32[np.ndarray, " pixel"]]:
    """Signatures of the pictures by their keys, without holding all thumbnails in memory."""
    signatures = {}
    query = images.search().select(["key", "thumbnail"]).where(_USABLE)
    for batch in query.to_batches(BLOCK):
        rows = pa.Table.from_batches([batch])
        for key, thumbnail in zip(
            decode_texts(rows["key"]), rows["thumbnail"].to_pylist(), strict=True
        ):
            signatures[key] = signature(thumbnail or b"")
    return signatures


def _group_duplicates(
    keys: Sequence[str], digests: Sequence[str], pictures: Float32[np.ndarray, "image pixel"]
) -> tuple[tuple[str, ...], ...]:
    first: dict[str, int] = {}
    same = [first.setdefault(digest, at) if digest else at for at, digest in enumerate(digests)]
    group = np.array(same, dtype=np.int64)
    told = np.flatnonzero(pictures.any(axis=1))
    for start, cosines in _cosine_blocks(pictures[told], _PICTURES):
        rows, others = np.nonzero(cosines >= ALIKE)
        if len(rows):
            # Block by block: of pictures that are all alike there are too many pairs to keep.
            group = _join_groups(group, told[start + rows], told[others])
    order = np.argsort(group, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    named = [tuple(keys[int(at)] for at in members) for members in groups if len(members) > 1]
    return tuple(sorted(named, key=lambda members: (-len(members), members)))


def _join_groups(
    group: Int64[np.ndarray, " image"],
    left: Int64[np.ndarray, " pair"],
    right: Int64[np.ndarray, " pair"],
) -> Int64[np.ndarray, " image"]:
    """Group of each image, called by its first one, after images in pairs have been joined."""
    # Imported here: it takes a fifth of a second, and most runs have no two images alike.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(group)
    ends = np.concatenate([np.arange(count), left]), np.concatenate([group, right])
    joined = coo_array((np.ones(len(ends[0]), dtype=bool), ends), shape=(count, count))
    _, label = connected_components(joined, directed=False)
    _, first = np.unique(label, return_index=True)
    named: Int64[np.ndarray, " image"] = first[label]
    return named


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
