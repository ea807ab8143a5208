"""Runs of very many objects that no model has found: embeddings by chance, into the store."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from heap.store import schema
from heap.store.checked import CHECKSUM, with_checksums
from heap.store.store import RunStore

KINDS, SORTS = 500, 10
"""Kinds of things, and sorts of each; how many objects a sort has is Zipf's law."""
SPREAD = 0.7
"""Spread of sorts around their kind, and of objects around their sort; that of kinds is 1."""
PER_IMAGE = 3
_BLOCK = 50_000

Vectors = Float32[np.ndarray, "object dim"]
Draw = Callable[[int, int, np.random.Generator], Vectors]
"""From a number, a dimension and a generator to vectors."""


def clustered(count: int, dim: int, random: np.random.Generator) -> Vectors:
    """Vectors of things that are of different kinds, as those of objects are."""
    fixed = np.random.default_rng(0)
    kinds = fixed.normal(size=(KINDS, dim))
    sorts = np.repeat(kinds, SORTS, axis=0) + SPREAD * fixed.normal(size=(KINDS * SORTS, dim))
    share = 1.0 / fixed.permutation(np.arange(1, len(sorts) + 1))
    of = random.choice(len(sorts), size=count, p=share / share.sum())
    drawn = sorts.astype(np.float32)[of]
    drawn += SPREAD * random.standard_normal(drawn.shape, dtype=np.float32)
    return drawn


def unstructured(count: int, dim: int, random: np.random.Generator) -> Vectors:
    """Directions by chance, each as unlike all others as can be: the worst case of any index."""
    return random.standard_normal((count, dim), dtype=np.float32)


VECTORS: dict[str, Draw] = {"clustered": clustered, "unstructured": unstructured}


def make_run(run: Path, draw: Draw, count: int, dim: int) -> None:
    """Write a run of so many objects in the place of whatever `run` is; it has no images.

    Scores are uniform in [0, 1], so that a condition on them fits any share of the objects.
    """
    shutil.rmtree(run, ignore_errors=True)
    with RunStore.create_or_open(run, {}) as store:
        layout = schema.objects_schema(dim)
        table = store.database.create_table(schema.OBJECTS, schema=layout)
        for block in _blocks(draw, count, dim):
            table.add(with_checksums(block.select(layout.names).cast(layout)))
        table.optimize()


def _blocks(draw: Draw, count: int, dim: int) -> Iterator[pa.Table]:
    random = np.random.default_rng(1)
    for start in range(0, count, _BLOCK):
        places = np.arange(start, min(start + _BLOCK, count))
        vectors = draw(len(places), dim, random)
        keys = [f"{place // PER_IMAGE:07d}.jpg" for place in places]
        index = places % PER_IMAGE
        same = {
            "x1": 16.0, "y1": 16.0, "x2": 112.0, "y2": 112.0, "region": 0, "mask_height": 480,
            "mask_width": 640, "category": None, "similarity": None, "rejected": False,
            "reviewed": False, "drawn": False, "outdated": False, CHECKSUM: 0,
            "mask_counts": "PP1" + 90 * "0",
        }  # fmt: skip
        columns = {
            "id": [f"{key}#{number}" for key, number in zip(keys, index, strict=True)],
            "key": keys,
            "index": index,
            "score": random.random(len(places), dtype=np.float32),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dim),
        }
        repeated = {name: pa.array([value] * len(places)) for name, value in same.items()}
        yield pa.table(columns | repeated)
