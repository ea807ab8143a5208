"""Recall of a search, measured by comparing some objects with all others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from heap.store.columns import read_rows, to_vectors, unit_vectors
from heap.store.database import Table

NEAREST = 20
"""Nearest objects that recall is measured on."""
_BLOCK = 16_384
"""Objects that are compared at a time, to bound memory."""
_ROUNDING = 1e-5
"""Tolerance of cosines: an object that is as alike as the last wanted one is as good."""

Search = Callable[[Float32[np.ndarray, " dim"], int], list[float]]
"""Function from a vector and a number to the cosines of so many objects."""


@dataclass(frozen=True)
class Questions:
    """Objects of a table, with the similarity of the last of their nearest others."""

    vectors: Float32[np.ndarray, "question dim"]
    least: Float32[np.ndarray, " question"]
    """Cosine with the `NEAREST` nearest other, or with the farthest if they are fewer."""
    wanted: int
    """Other objects that a search should find for each."""

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, part: slice) -> "Questions":
        return Questions(self.vectors[part], self.least[part], self.wanted)


def sample_questions(table: Table, condition: str, count: int, seed: int = 0) -> Questions:
    """Draw up to `count` objects that fit a condition, and compare each of them with all others.

    Only a block of objects is in memory at a time.
    """
    drawn = _sample(table, condition, count, seed)
    unit = unit_vectors(drawn)
    best = np.full((len(drawn), 0), np.nan, dtype=np.float32)
    for block in _blocks(table, condition):
        best = _largest(np.concatenate([best, unit @ unit_vectors(block).T], axis=1))
    # One less, for the nearest to each object is the object itself.
    return Questions(drawn, best.min(axis=1), best.shape[1] - 1)


def mean_recall(questions: Questions, search: Search) -> float:
    """Mean share of the nearest others that a search finds."""
    hits = [
        (np.array(search(vector, questions.wanted + 1)) >= least - _ROUNDING).sum() - 1
        for vector, least in zip(questions.vectors, questions.least, strict=True)
    ]
    return float(np.clip(hits, 0, questions.wanted).mean() / questions.wanted)


def _largest(cosines: Float32[np.ndarray, "question object"]) -> Float32[np.ndarray, "question _"]:
    """Largest cosines: with the object itself and with its nearest others, in no order."""
    place = max(0, cosines.shape[1] - NEAREST - 1)
    return np.partition(cosines, place, axis=1)[:, place:]


def _sample(
    table: Table, condition: str, count: int, seed: int
) -> Float32[np.ndarray, "question dim"]:
    places = read_rows(table, ["rejected"], condition, with_row_id=True)["_rowid"].to_numpy()
    chosen = np.random.default_rng(seed).permutation(places)[:count]
    return to_vectors(table.take_row_ids(chosen.tolist()).select(["vector"]).to_arrow())


def _blocks(table: Table, condition: str) -> Iterator[Float32[np.ndarray, "object dim"]]:
    query = table.search().select(["vector"]).where(condition)
    for batch in query.to_batches(_BLOCK):
        yield to_vectors(pa.Table.from_batches([batch]))
