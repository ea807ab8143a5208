"""How many of the nearest objects a search finds, by comparing some objects with all others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from heap.store.columns import directions, rows, vectors
from heap.store.database import Table

NEAREST = 20
"""Recall is that of so many objects."""
_BLOCK = 16_384
"""Objects that are compared at a time."""
_ROUNDING = 1e-5
"""Of cosines: objects that are as alike as the last one wanted are as good."""

Search = Callable[[Float32[np.ndarray, " dim"], int], list[float]]
"""From a vector and a number to the cosines of so many objects."""


@dataclass(frozen=True)
class Questions:
    """Objects of a table, and how like the least of their nearest others is."""

    vectors: Float32[np.ndarray, "question dim"]
    least: Float32[np.ndarray, " question"]
    """Cosine with the `NEAREST` nearest other, or with the farthest if they are fewer."""
    wanted: int
    """How many others are to be found."""

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, part: slice) -> "Questions":
        return Questions(self.vectors[part], self.least[part], self.wanted)


def ask(table: Table, condition: str, count: int, seed: int = 0) -> Questions:
    """Take up to `count` objects that fit a condition by chance, and compare each with all others.

    Only a block of objects is in memory at a time.
    """
    asked = _sample(table, condition, count, seed)
    unit = directions(asked)
    best = np.full((len(asked), 0), np.nan, dtype=np.float32)
    for block in _blocks(table, condition):
        best = _largest(np.concatenate([best, unit @ directions(block).T], axis=1))
    # Nearest to each is the object itself.
    return Questions(asked, best.min(axis=1), best.shape[1] - 1)


def recall(questions: Questions, search: Search) -> float:
    """Mean share of the nearest others that a search finds."""
    found = [
        (np.array(search(vector, questions.wanted + 1)) >= least - _ROUNDING).sum() - 1
        for vector, least in zip(questions.vectors, questions.least, strict=True)
    ]
    return float(np.clip(found, 0, questions.wanted).mean() / questions.wanted)


def _largest(cosines: Float32[np.ndarray, "question object"]) -> Float32[np.ndarray, "question _"]:
    """Those with the object itself and with its nearest others, in no order."""
    place = max(0, cosines.shape[1] - NEAREST - 1)
    return np.partition(cosines, place, axis=1)[:, place:]


def _sample(
    table: Table, condition: str, count: int, seed: int
) -> Float32[np.ndarray, "question dim"]:
    places = rows(table, ["rejected"], condition, with_row_id=True)["_rowid"].to_numpy()
    chosen = np.random.default_rng(seed).permutation(places)[:count]
    return vectors(table.take_row_ids(chosen.tolist()).select(["vector"]).to_arrow())


def _blocks(table: Table, condition: str) -> Iterator[Float32[np.ndarray, "object dim"]]:
    query = table.search().select(["vector"]).where(condition)
    for batch in query.to_batches(_BLOCK):
        yield vectors(pa.Table.from_batches([batch]))
