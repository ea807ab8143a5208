"""Correcting what is said of the objects of a run, by its only writer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from heap.collection import place, schema
from heap.collection.database import Table, writing
from heap.collection.index import refresh
from heap.collection.lock import lock_run
from heap.collection.reading import width
from heap.collection.store import RunStore


class Editor:
    """Writes categories and what belongs to them; results of images stay as they are.

    A context manager: it holds the lock of the run until it is closed. Each call is one step that
    a kill does or does not let happen. All of them raise `StoreError` if the store is damaged or
    cannot be written.

    Raises:
        StoreError: if there is no run, or a damaged one, or one of a newer schema version.
        BusyError: at once if another process is writing there.
    """

    def __init__(self, run: Path | str) -> None:
        self.store = RunStore.open(run)
        folder = place.folder_of(run)
        self._lock = None if folder is None else lock_run(folder)

    def __enter__(self) -> "Editor":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the lock; nothing can be written after it."""
        if self._lock is not None:
            self._lock.release()

    def merge_objects(self, columns: pa.Table) -> None:
        """Replace some columns of the objects whose `id` is in a table."""
        with writing(self.store.run):
            self._objects().merge_insert("id").when_matched_update_all().execute(columns)

    def update_objects(self, where: str, values: Mapping[str, Any]) -> None:
        """Set columns of the objects that fit the filter `where`."""
        with writing(self.store.run):
            self._objects().update(where=where, values=dict(values))

    def write_categories(self, made: Sequence[Mapping[str, Any]]) -> None:
        """Put rows in the place of all rows of the table of categories."""
        with writing(self.store.run):
            dim = width(self._objects())
            columns = pa.Table.from_pylist(list(made), schema=schema.categories_schema(dim))
            # LanceDB warns where there is nothing to overwrite.
            mode = "create" if self.store.find(schema.CATEGORIES) is None else "overwrite"
            self.store.database.create_table(schema.CATEGORIES, columns, mode=mode)

    def replace_categories(self, made: Sequence[Mapping[str, Any]]) -> None:
        """The same with new categories, which no object has yet.

        Objects lose theirs first, so that a kill in between leaves none with a number of before.
        """
        nothing = {"category": "CAST(NULL AS BIGINT)", "similarity": "CAST(NULL AS FLOAT)"}
        with writing(self.store.run):
            self._objects().update(where="category IS NOT NULL", values_sql=nothing)
        self.write_categories(made)

    def refresh_index(self) -> None:
        """Bring the index of very many objects up to date, see `heap.collection.index`."""
        with writing(self.store.run):
            refresh(self.store.database)

    def _objects(self) -> Table:
        return self.store.table(schema.OBJECTS)
