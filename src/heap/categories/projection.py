"""Map of all objects: their embeddings projected to the plane, alike ones beside each other.

The projection is t-SNE on the graph of the nearest neighbours by cosine, with the FFT-accelerated
gradient of Linderman et al., "Fast interpolation-based t-SNE" (Nature Methods 2019), by openTSNE.
Each of its neighbours pulls at an object with the same force, by which a map of many objects is
nearly the same as by a perplexity (Böhm, Berens and Kobak, JMLR 2022) and much quicker.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Float64

from heap.base.forked import compute_after_fork, usable_threads
from heap.base.progress import OnProgress, silent
from heap.categories.members import read_members
from heap.results import Compared
from heap.store import schema
from heap.store.columns import unit_vectors
from heap.store.database import reading
from heap.store.store import RunStore

NEIGHBOURS = 15
"""Most similar objects that pull at an object."""
OLD = 0.8
"""Share of the objects that have a place already, below which the map is drawn again."""
_STEPS = 250
"""Iterations of each of the two phases."""
_FIRST, _SECOND = 12.0, 1.0
"""Exaggeration of attraction in the first phase, in which groups form, and in the second. With 1.5
in the second, groups stand further apart, but of the 15 nearest neighbours of 545 objects of VOC's
animals (embedded-small) a quarter stay neighbours instead of a third."""
_FEW = 40
"""Objects below which t-SNE, with hardly more objects than neighbours, keeps fewer of these than
the first two principal components, which place them then."""
_MANY = 3000
"""Objects above which the gradient is interpolated, which is quicker only then."""
_AROUND = 5
"""Placed objects between which a new one gets its place."""
_MARGIN = 0.02
"""Free part of the map at each side."""
_BLOCK = 4096

Places = Float32[np.ndarray, "object 2"]
"""x and y of objects in [0, 1], y downwards."""


@dataclass(frozen=True, eq=False)
class ObjectMap(Compared):
    """Places of all objects of a run on a plane, alike ones beside each other."""

    ids: tuple[str, ...]
    """Ids of the objects in order, rejected ones included."""
    places: Places
    """x and y of the objects in [0, 1], y downwards."""


@dataclass(frozen=True)
class Drawn:
    """A map, and what is to be kept of it."""

    map: ObjectMap
    rows: pa.Table | None
    """Rows of `MAP_SCHEMA`; None where those that are kept still say all."""


def draw_map(
    store: RunStore, *, again: bool = False, seed: int = 0, on_progress: OnProgress = silent
) -> Drawn:
    """Return the map of a run; computed only where none is kept, with `again`, or if few are on it.

    Places are kept by the embeddings that they belong to. Objects whose embedding has none, such as
    those of new photos, get the median place of the five most similar objects that have one; as
    soon as these are more than a fifth of all, the map is computed again.

    Raises:
        InputError: if there are no objects.
        StoreError: if the store is damaged.
    """
    members = read_members(store)
    unit = unit_vectors(members.vectors)
    if not members.ids:
        return Drawn(ObjectMap((), np.zeros((0, 2), dtype=np.float32)), None)
    digests = _digests(members.vectors)
    kept = {} if again else _read_places(store)
    known = np.array([digest in kept for digest in digests])
    if known.mean() >= OLD:
        places = np.array([kept.get(digest, (0, 0)) for digest in digests], dtype=np.float32)
        if not known.all():
            places[~known] = _between(unit[~known], unit[known], places[known])
    else:
        places = project(unit, seed, on_progress)
    rows = None
    if not known.all():
        # A place of its own for each embedding: of equal ones the last, as they lie together.
        by_digest = dict(zip(digests, places.tolist(), strict=True))
        x, y = zip(*by_digest.values(), strict=True)
        rows = pa.table({"digest": list(by_digest), "x": x, "y": y}, schema=schema.MAP_SCHEMA)
    return Drawn(ObjectMap(tuple(members.ids), places), rows)


def _read_places(store: RunStore) -> dict[bytes, tuple[float, float]]:
    table = store.find(schema.MAP)
    if table is None:
        return {}
    with reading(store.run):
        rows = table.to_arrow()
    columns = (rows[name].to_pylist() for name in ("digest", "x", "y"))
    return {digest: (x, y) for digest, x, y in zip(*columns, strict=True)}


def _digests(vectors: Float32[np.ndarray, "object dim"]) -> list[bytes]:
    """Digests of embeddings, by which their places are kept."""
    return [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in vectors]


def read_map(store: RunStore) -> ObjectMap | None:
    """Return the map as it is kept, without objects that it does not show; None if there is none.

    Raises:
        StoreError: if the store is damaged.
    """
    kept = _read_places(store)
    if not kept:
        return None
    members = read_members(store)
    placed = {
        id: kept[digest]
        for id, digest in zip(members.ids, _digests(members.vectors), strict=True)
        if digest in kept
    }
    return ObjectMap(tuple(placed), np.array(list(placed.values()), np.float32).reshape(-1, 2))


def project(
    unit: Float32[np.ndarray, "object dim"], seed: int = 0, on_progress: OnProgress = silent
) -> Places:
    """Places of unit vectors on a plane."""
    first_two = _principal(unit, seed)
    if len(unit) < _FEW:
        return _fit_square(first_two)
    compute_after_fork()
    # Half a second to import, and only needed for a new map.
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import Uniform

    on_progress("map", 0, 2 * _STEPS)
    # For few objects, threads wait for each other longer than they compute.
    threads = usable_threads() if len(unit) >= _MANY else 1
    affinities = Uniform(
        unit,
        k_neighbors=min(NEIGHBOURS, len(unit) - 1),
        method="exact" if len(unit) < _MANY else "annoy",
        metric="cosine",
        symmetrize="mean",
        n_jobs=threads,
        random_state=seed,
    )
    drawn = TSNEEmbedding(
        # So near to each other, points are moved by the gradient and not by where they began.
        first_two / max(float(first_two[:, 0].std()), 1e-12) * 1e-4,
        affinities,
        negative_gradient_method="bh" if len(unit) < _MANY else "fft",
        n_jobs=threads,
        random_state=seed,
    )
    for phase, exaggeration in enumerate((_FIRST, _SECOND)):

        def tell(step: int, error: float, embedding: object, *, before: int = phase) -> None:
            on_progress("map", before * _STEPS + step, 2 * _STEPS)

        drawn.optimize(
            _STEPS, exaggeration=exaggeration, momentum=0.8, inplace=True, callbacks=tell,
            callbacks_every_iters=10,
        )  # fmt: skip
    on_progress("map", 2 * _STEPS, 2 * _STEPS)
    return _fit_square(np.asarray(drawn))


def _principal(
    unit: Float32[np.ndarray, "object dim"], seed: int
) -> Float64[np.ndarray, "object 2"]:
    """First two principal components; zeros where there are fewer."""
    centred = unit - unit.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    places = np.zeros((len(unit), 2))
    count = min(2, unit.shape[1])
    places[:, :count] = centred @ directions[:, ::-1][:, :count]
    # Equal vectors would stay one point for ever.
    spread = max(float(places.std()), 1e-6)
    return places + np.random.default_rng(seed).normal(0, 1e-3 * spread, places.shape)


def _fit_square(places: Float64[np.ndarray, "object 2"]) -> Places:
    """Scale to the square from 0 to 1, the middle of the places in its middle."""
    low, high = places.min(axis=0), places.max(axis=0)
    size = max(float((high - low).max()), 1e-12)
    scaled = (places - (low + high) / 2) / size * (1 - 2 * _MARGIN) + 0.5
    return np.asarray(scaled, dtype=np.float32)


def _between(
    new: Float32[np.ndarray, "new dim"], unit: Float32[np.ndarray, "old dim"], places: Places
) -> Float32[np.ndarray, "new 2"]:
    """Median places of the objects that are most similar to new ones.

    A mean of places in two groups would be between them, where there is nothing.
    """
    count = min(_AROUND, len(unit))
    between = [
        places[np.argpartition(new[at : at + _BLOCK] @ unit.T, -count, axis=1)[:, -count:]]
        for at in range(0, len(new), _BLOCK)
    ]
    return np.asarray(np.median(np.concatenate(between), axis=1), dtype=np.float32)
