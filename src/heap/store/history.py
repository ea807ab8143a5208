"""History of the corrections of a run: who changed what and when, and taking it back.

An entry keeps the rows that a correction has changed, as they were and as they became. So it does
not matter what was added to the run since, nor that old versions of tables are removed in time.

While tables are being changed, the entry also holds the versions that they had: what a kill has cut
short is rolled back to these by the next process that writes to the run. All functions but
`read_history` are for the only writer.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import pyarrow as pa

from heap.store import schema
from heap.store.checked import replace_columns
from heap.store.columns import embedding_dim, read_rows
from heap.store.database import Database, find_table, put_table
from heap.store.redrawing import Rows, redraw_back
from heap.store.state import CORRECTED, State

Side = Literal["before", "after"]
_LONGEST = 300
"""Characters of what was done that are kept."""
_CHANGED = (schema.IMAGES, schema.OBJECTS, schema.CATEGORIES, schema.INDEX)
"""Tables that corrections change."""


@dataclass(frozen=True)
class Entry:
    """A correction of the run."""

    number: int
    """From 1, in the order in which corrections were made."""
    time: str
    """UTC, in ISO 8601, to the second."""
    who: str
    """Empty if that is not known."""
    what: str
    """What was done, in words."""
    undone: bool
    """Whether it was taken back."""


def read_history(database: Database) -> list[Entry]:
    """The corrections of a run, oldest first; those that were taken back are the last."""
    table = find_table(database, schema.HISTORY)
    if table is None:
        return []
    rows = read_rows(table, ["number", "time", "who", "what", "state"], "state != 'begun'")
    return [
        Entry(row["number"], row["time"], row["who"], row["what"], row["state"] == "undone")
        for row in rows.sort_by("number").to_pylist()
    ]


def begin(database: Database, what: str, who: str) -> int:
    """Add an entry, with the versions of all tables; returns its number."""
    table = find_table(database, schema.HISTORY)
    if table is None:
        table = database.create_table(schema.HISTORY, schema=schema.HISTORY_SCHEMA)
    number = 1 + max(read_rows(table, ["number"])["number"].to_pylist(), default=0)
    row = {
        "number": number, "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "who": _plain(who), "what": _plain(what), "state": "begun",
        "versions": _versions(database), "before": "", "after": "",
    }  # fmt: skip
    table.add(pa.Table.from_pylist([row], schema=schema.HISTORY_SCHEMA))
    return number


def finish(database: Database, number: int, before: State, redrawn: Collection[str] = ()) -> None:
    """Keep what the entry `number` has changed since `before`; an entry without a change goes.

    So do those that were taken back: what they would change again is no longer there. `redrawn`
    are the images whose masks may have changed.
    """
    after, table = State.read(database, redrawn), database.open_table(schema.HISTORY)
    old, new = before.unlike(after), after.unlike(before)
    if old == new:  # both are empty
        table.delete(f"number = {number}")
        return
    values = {"state": "done", "versions": "", "before": old.to_json(), "after": new.to_json()}
    table.update(where=f"number = {number}", values=values)
    table.delete("state = 'undone'")


def undo(database: Database) -> Entry | None:
    """Take back the last correction that stands; None if there is none."""
    standing = [entry for entry in read_history(database) if not entry.undone]
    return _travel(database, standing[-1], "before") if standing else None


def redo(database: Database) -> Entry | None:
    """Make again the correction that was taken back last; None if there is none."""
    undone = [entry for entry in read_history(database) if entry.undone]
    return _travel(database, undone[0], "after") if undone else None


def roll_back(database: Database) -> None:
    """Take back what a kill, or an error, has left half done."""
    table = find_table(database, schema.HISTORY)
    if table is None:
        return
    for row in read_rows(table, ["number", "state", "versions"], "versions != ''").to_pylist():
        _go_back(database, json.loads(row["versions"]))
        where = f"number = {row['number']}"
        if row["state"] == "begun":
            table.delete(where)
        else:
            table.update(where=where, values={"versions": ""})


def _travel(database: Database, entry: Entry, side: Side) -> Entry:
    """Bring the rows of an entry to how they were before it, or to how they became."""
    table, where = database.open_table(schema.HISTORY), f"number = {entry.number}"
    # First of all, so that a kill in between is rolled back.
    table.update(where=where, values={"versions": _versions(database)})
    (row,) = read_rows(table, ["before", "after"], where).to_pylist()
    before, after = State.from_json(row["before"]), State.from_json(row["after"])
    old, new = (after, before) if side == "before" else (before, after)
    now = State.read(database)
    # What has changed otherwise since, such as objects of a photo that was worked on again, stays.
    objects = {id: row for id, row in new.objects.items() if now.objects.get(id) == old.objects[id]}
    _write_objects(database, objects)
    redraw_back(database, old.redrawn, new.redrawn)
    others = {id: row for id, row in now.categories.items() if id not in old.categories}
    _restore_categories(database, others | new.categories)
    undone = side == "before"
    table.update(where=where, values={"state": "undone" if undone else "done", "versions": ""})
    return replace(entry, undone=undone)


def _write_objects(database: Database, rows: Rows) -> None:
    if rows:
        table = database.open_table(schema.OBJECTS)
        columns = pa.schema([table.schema.field(name) for name in CORRECTED])
        changed = pa.Table.from_pylist(list(rows.values()), schema=columns)
        replace_columns(table, changed)


def write_categories(database: Database, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put rows in the place of all rows of the table of categories."""
    dim = embedding_dim(database.open_table(schema.OBJECTS))
    columns = pa.Table.from_pylist(list(rows), schema=schema.categories_schema(dim))
    put_table(database, schema.CATEGORIES, columns)


def _restore_categories(database: Database, rows: Rows) -> None:
    """Make these all categories that there are."""
    if rows:
        write_categories(database, sorted(rows.values(), key=lambda row: int(row["id"])))
    elif find_table(database, schema.CATEGORIES) is not None:
        # Without a table the objects count as never sorted, as they were.
        database.drop_table(schema.CATEGORIES)


def _versions(database: Database) -> str:
    """Versions of the tables that corrections change, as JSON; null: there is no such table."""
    tables = {name: find_table(database, name) for name in _CHANGED}
    return json.dumps({
        name: None if table is None else int(table.version) for name, table in tables.items()
    })  # fmt: skip


def _go_back(database: Database, versions: Mapping[str, int | None]) -> None:
    for name, version in versions.items():
        table = find_table(database, name)
        if table is None or table.version == version:
            continue
        if version is None:
            database.drop_table(name)
        else:
            table.restore(version)


def _plain(text: str) -> str:
    """Text that can be stored and listed: names in it are not yet known to be usable ones."""
    return text.encode(errors="replace").decode()[:_LONGEST]
