"""Approximate index of the objects' embeddings, for collections too large to compare every object.

The index is LanceDB's IVF-SQ: embeddings quantised to 8 bits a number, in about as many partitions
("parts") as the square root of their number. A search compares the objects of the parts nearest to
the query, and ranks twice as many objects as are wanted again by their full embeddings. Objects
that were written after the index was made are all compared.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from math import ceil
from typing import Any, cast

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from heap.base.progress import OnProgress, silent
from heap.store import schema
from heap.store.database import Database, Table, find_table, put_table
from heap.store.lance import lancedb
from heap.store.recall import Questions, mean_recall, sample_questions

SIZE = 200_000
"""Objects up to which every one is compared: with embeddings of 192 numbers that takes a tenth of a
second on one core, so an index would save nothing that a person notices."""
FINDABLE = "NOT rejected"
"""Filter of the objects that a search may find."""
WANTED = 0.98
"""Recall for which the number of probes is chosen, on one half of the queries; on the other half,
where it is reported, it comes out at 0.95 and more."""
QUERIES = 100
"""Objects in each half of the queries."""
_PROBES = 10
"""Parts to probe at least: fewer save no time."""
_REFINE = 2
"""Times as many objects as are wanted that are ranked again by their full embeddings."""
_NAME = "vector_idx"
_STALE = 0.1
"""Share of the objects that may be new, rewritten or gone before the index is renewed."""
_PIECES = 8
"""Additions to an index after which it is made again: each is a piece of its own, and a search
looks into every piece."""
_READERS = timedelta(hours=1)
"""Time that files of earlier versions are kept for those who are reading them."""


@dataclass(frozen=True)
class Index:
    """Size of the index of a collection, how it is searched, and its measured recall."""

    objects: int
    """Objects in it when it was made."""
    probes: int
    """Parts that a search looks through."""
    recall: float
    """Share of the 20 nearest objects that were found, mean over objects as queries, in [0, 1]."""
    queries: int
    """Objects that the recall was measured on."""

    def probes_among(self, fitting: int) -> int:
        """Parts to probe under a condition: as many fitting objects are compared as without one."""
        return ceil(self.probes * max(1.0, self.objects / max(fitting, 1)))


def find_index(database: Database) -> Index | None:
    """Return the index of a store; None while there is none, or it is being made."""
    table = find_table(database, schema.INDEX)
    known = [] if table is None else table.to_arrow().to_pylist()
    return Index(**known[0]) if known else None


def index_for(database: Database, fitting: int, exact: bool | None) -> Index | None:
    """Return the index to search with if `fitting` objects fit; None: compare every object."""
    if exact or (exact is None and fitting <= SIZE):
        return None
    return find_index(database)


def refresh_index(database: Database, on_progress: OnProgress = silent) -> None:
    """Make the index if there are more than `SIZE` objects, or bring an outdated one up to date.

    Searches go on meanwhile; until the index is there they compare every object.
    """
    table = find_table(database, schema.OBJECTS)
    if table is None or (objects := table.count_rows(FINDABLE)) <= SIZE:
        return
    known, state = find_index(database), table.index_stats(_NAME)
    if (
        known is None
        or state is None
        or (state.num_indices or 0) > _PIECES
        or abs(objects - known.objects) > _STALE * known.objects
    ):
        make_index(database, table, on_progress)
    elif state.num_unindexed_rows > _STALE * known.objects:
        on_progress("index", 0, 1)
        table.optimize(cleanup_older_than=_READERS)
        on_progress("index", 1, 1)


def make_index(database: Database, table: Table, on_progress: OnProgress = silent) -> Index:
    """Make the index of a table of at least two objects, and measure its recall."""
    on_progress("index", 0, 2)
    _write(database, [])  # No index is used until the new one is measured.
    parts = max(1, round(table.count_rows() ** 0.5))
    table.create_index(
        "vector", config=lancedb.index.IvfSq(distance_type="cosine", num_partitions=parts)
    )
    # Without an index of `rejected`, a search reads this column of all objects, which takes longer
    # than everything else that it does.
    table.create_index("rejected", config=lancedb.index.Bitmap())
    on_progress("index", 1, 2)
    index = _measure(table, parts)
    _write(database, [index])
    on_progress("index", 2, 2)
    return index


def find_nearest(
    table: Table,
    vector: Float32[np.ndarray, " dim"],
    count: int,
    *,
    columns: list[str],
    condition: str = FINDABLE,
    probes: int | None = None,
) -> list[dict[str, Any]]:
    """Return the rows nearest to a vector with their cosine `_distance`, nearest first.

    `probes` is the number of parts of the index to look through; None compares every row.
    """
    search = cast(lancedb.query.LanceVectorQueryBuilder, table.search(vector.astype(np.float32)))
    query = search.distance_type("cosine").where(condition, prefilter=True)
    if probes is None:
        query = query.bypass_vector_index()
    else:
        query = query.nprobes(probes).refine_factor(_REFINE)
    nearest_rows: list[dict[str, Any]] = (
        query.limit(count).select([*columns, "_distance"]).to_list()
    )
    return nearest_rows


def _write(database: Database, known: Sequence[Index]) -> None:
    """Replace the row that describes the index."""
    rows = pa.Table.from_pylist([asdict(index) for index in known], schema=schema.INDEX_SCHEMA)
    put_table(database, schema.INDEX, rows)


def _measure(table: Table, parts: int) -> Index:
    """Choose the number of probes with some objects, and measure the recall with others."""
    questions = sample_questions(table, FINDABLE, 2 * QUERIES)
    choosing, reporting = questions[: len(questions) // 2], questions[len(questions) // 2 :]
    probes = _PROBES
    while probes < parts and _recall(table, choosing, probes) < WANTED:
        probes *= 2
    recall_reported = _recall(table, reporting, probes)
    return Index(table.count_rows(FINDABLE), min(probes, parts), recall_reported, len(reporting))


def _recall(table: Table, questions: Questions, probes: int) -> float:
    def search(vector: Float32[np.ndarray, " dim"], count: int) -> list[float]:
        nearest = find_nearest(table, vector, count, columns=["id"], probes=probes)
        return [1 - row["_distance"] for row in nearest]

    return mean_recall(questions, search)
