"""Migration of stores of earlier schema versions, in place."""

import json
from collections.abc import Callable
from importlib.metadata import version

import pyarrow as pa

from heap.store import schema
from heap.store.checked import CHECKSUM, checksums
from heap.store.columns import read_rows
from heap.store.database import Database, find_table


def migrate(database: Database, since: int) -> None:
    """Bring a store of the schema version `since` to the current one, one version at a time.

    The next call finishes what a kill leaves half done: the version is raised last, and a step
    leaves alone what is done already.
    """
    for step in range(since, schema.SCHEMA_VERSION):
        _STEPS[step](database)
        table = database.open_table(schema.CONFIG)
        table.update(values={"schema_version": step + 1, "heap_version": version("heap")})


def _add(database: Database, name: str, columns: dict[str, str]) -> None:
    """Add the columns that a table lacks; values are SQL expressions."""
    table = find_table(database, name)
    if table is not None:
        missing = {column: of for column, of in columns.items() if column not in table.schema.names}
        if missing:
            table.add_columns(missing)


def _from_1(database: Database) -> None:
    """Add the places of images and the model, and the columns of categories."""
    _add(database, schema.CONFIG, {"model": "CAST('' AS STRING)"})
    _add(database, schema.IMAGES, {"source": "CAST('' AS STRING)"})
    _add(
        database,
        schema.OBJECTS,
        {
            "category": "CAST(NULL AS BIGINT)",
            "similarity": "CAST(NULL AS FLOAT)",
            "rejected": "FALSE",
        },
    )


def _from_2(database: Database) -> None:
    """Add the stamps that show changed files; while empty, `heap discover` reads each file once."""
    _add(database, schema.IMAGES, {"stamp": "CAST('' AS STRING)"})


def _from_3(database: Database) -> None:
    """Add checksums to the rows of objects, as they are now."""
    _add(database, schema.OBJECTS, {CHECKSUM: "CAST(NULL AS BIGINT)"})
    table = find_table(database, schema.OBJECTS)
    if table is not None:
        rows = read_rows(table, table.schema.names, f"{CHECKSUM} IS NULL")
        columns = {"id": rows["id"], CHECKSUM: pa.array(checksums(rows))}
        table.merge_insert("id").when_matched_update_all().execute(pa.table(columns))


def _from_4(database: Database) -> None:
    """Mark all objects as not reviewed, in the history too.

    The column adds nothing to the checksums of its rows: the bits of False are 0.
    """
    _add(database, schema.OBJECTS, {"reviewed": "FALSE"})
    table = find_table(database, schema.HISTORY)
    if table is None:
        return
    for entry in read_rows(table, ["number", "before", "after"]).to_pylist():
        values = {side: _as_not_reviewed(entry[side]) for side in ("before", "after")}
        table.update(where=f"number = {entry['number']}", values=values)


def _as_not_reviewed(state: str) -> str:
    """JSON of a state of the history, whose objects are not reviewed unless it says otherwise."""
    if not state:  # of an entry that was begun
        return state
    rows = json.loads(state)
    rows["objects"] = {id: {"reviewed": False} | row for id, row in rows["objects"].items()}
    return json.dumps(rows)


def _from_5(database: Database) -> None:
    """Mark no mask as drawn by a person, and no embedding as outdated.

    These columns add nothing to the checksums of their rows either.
    """
    _add(database, schema.OBJECTS, {"drawn": "FALSE", "outdated": "FALSE"})


_STEPS: dict[int, Callable[[Database], None]] = {
    1: _from_1, 2: _from_2, 3: _from_3, 4: _from_4, 5: _from_5,
}  # fmt: skip
