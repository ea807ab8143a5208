"""An index of the objects' embeddings, for collections so large that looking at all takes long.

It is LanceDB's: the embeddings in about as many parts as the square root of their number, each
number in 8 bits. A search looks through the parts nearest to what is looked for and compares twice
as many objects as are wanted by their full embeddings; objects written since are all looked at.
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
from heap.store.database import Database, Table, find_table
from heap.store.lance import lancedb
from heap.store.recall import Questions, ask, recall

SIZE = 200_000
"""Among so many objects all are looked at: with 192 numbers each it takes a tenth of a second on
one core, which nobody waits for, and more of them would make people wait."""
FINDABLE = "NOT rejected"
WANTED = 0.98
"""As many parts are looked through as this recall takes with the objects that they are chosen with;
with the others, on which it is reported, it comes out at 0.95 and more."""
QUERIES = 100
_PROBES = 10
"""Parts to begin with: fewer save no time."""
_REFINE = 2
_NAME = "vector_idx"
_STALE = 0.1
"""Share of the objects that may be new, rewritten or gone until it is worth an effort."""
_PIECES = 8
"""Each addition to an index is a piece of its own, and every search looks into all of them."""
_READERS = timedelta(hours=1)
"""What earlier versions need is kept so long for those that read them."""


@dataclass(frozen=True)
class Index:
    """What is known of the index of a collection."""

    objects: int
    """Objects in it when it was made."""
    probes: int
    """How many of its parts a search looks through."""
    recall: float
    """Share of the 20 nearest objects that were found, mean over objects as queries, in [0, 1]."""
    queries: int
    """On how many of its objects this was measured."""

    def probes_among(self, fitting: int) -> int:
        """Parts in which as many objects fit a condition as are looked at without one."""
        return ceil(self.probes * max(1.0, self.objects / max(fitting, 1)))


def find_index(database: Database) -> Index | None:
    """The index of a store, if it can be used."""
    table = find_table(database, schema.INDEX)
    found = [] if table is None else table.to_arrow().to_pylist()
    return Index(**found[0]) if found else None


def usable(database: Database, fitting: int, exact: bool | None) -> Index | None:
    """The index to search with where so many objects fit; None: every one is looked at."""
    if exact or (exact is None and fitting <= SIZE):
        return None
    return find_index(database)


def refresh(database: Database, on_progress: OnProgress = silent) -> None:
    """Make the index if there are more than `SIZE` objects, and again if it is out of date.

    Nobody waits for it: searches go on, and look at all objects until it is there.
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
        make(database, table, on_progress)
    elif state.num_unindexed_rows > _STALE * known.objects:
        on_progress("index", 0, 1)
        table.optimize(cleanup_older_than=_READERS)
        on_progress("index", 1, 1)


def make(database: Database, table: Table, on_progress: OnProgress = silent) -> Index:
    """Make the index of a table of at least two objects, and measure its recall."""
    on_progress("index", 0, 2)
    _write(database, [])  # Until the new one is measured there is none that could be used.
    parts = max(1, round(table.count_rows() ** 0.5))
    table.create_index(
        "vector", config=lancedb.index.IvfSq(distance_type="cosine", num_partitions=parts)
    )
    # Without it a search reads this column of all objects, which takes longer than all the rest.
    table.create_index("rejected", config=lancedb.index.Bitmap())
    on_progress("index", 1, 2)
    index = _measured(table, parts)
    _write(database, [index])
    on_progress("index", 2, 2)
    return index


def look(
    table: Table,
    vector: Float32[np.ndarray, " dim"],
    count: int,
    *,
    columns: list[str],
    condition: str = FINDABLE,
    probes: int | None = None,
) -> list[dict[str, Any]]:
    """The rows nearest to a vector with their cosine `_distance`, nearest first.

    `probes` is the number of parts of the index to look through; None looks at every row.
    """
    asked = cast(lancedb.query.LanceVectorQueryBuilder, table.search(vector.astype(np.float32)))
    query = asked.distance_type("cosine").where(condition, prefilter=True)
    if probes is None:
        query = query.bypass_vector_index()
    else:
        query = query.nprobes(probes).refine_factor(_REFINE)
    found: list[dict[str, Any]] = query.limit(count).select([*columns, "_distance"]).to_list()
    return found


def _write(database: Database, known: Sequence[Index]) -> None:
    """Say what is known; those who read it at the moment are not disturbed."""
    rows = pa.Table.from_pylist([asdict(each) for each in known], schema=schema.INDEX_SCHEMA)
    # LanceDB warns where there is nothing to overwrite.
    mode = "create" if find_table(database, schema.INDEX) is None else "overwrite"
    database.create_table(schema.INDEX, rows, mode=mode)


def _measured(table: Table, parts: int) -> Index:
    """Choose the number of probes with some objects, and measure the recall with others."""
    asked = ask(table, FINDABLE, 2 * QUERIES)
    choosing, reporting = asked[: len(asked) // 2], asked[len(asked) // 2 :]
    probes = _PROBES
    while probes < parts and _recall(table, choosing, probes) < WANTED:
        probes *= 2
    found = _recall(table, reporting, probes)
    return Index(table.count_rows(FINDABLE), min(probes, parts), found, len(reporting))


def _recall(table: Table, questions: Questions, probes: int) -> float:
    def search(vector: Float32[np.ndarray, " dim"], count: int) -> list[float]:
        found = look(table, vector, count, columns=["id"], probes=probes)
        return [1 - row["_distance"] for row in found]

    return recall(questions, search)
