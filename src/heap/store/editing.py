"""Corrections of the categories of a run and of its objects, by one writer at a time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from heap.base.lock import Closing, lock_run
from heap.store import place, schema
from heap.store.columns import embedding_dim
from heap.store.database import Table, writing
from heap.store.index import refresh_index
from heap.store.store import RunStore

_EDITED = (schema.OBJECTS, schema.CATEGORIES, schema.INDEX)


class Editor(Closing):
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

    def close(self) -> None:
        """Release the lock; nothing can be written after it."""
        if self._lock is not None:
            self._lock.close()

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Take back all that was written inside, if anything inside fails.

        A kill takes nothing back: what was written before it stays.
        """
        before = self._versions()
        try:
            yield
        except BaseException:
            with writing(self.store.run):
                self._go_back(before)
            raise

    def merge_objects(self, columns: pa.Table) -> None:
        """Replace the given columns of the objects whose `id` is in `columns`."""
        with writing(self.store.run):
            self._objects().merge_insert("id").when_matched_update_all().execute(columns)

    def update_objects(self, where: str, values: Mapping[str, Any]) -> None:
        """Set columns of the objects that fit the filter `where`."""
        with writing(self.store.run):
            self._objects().update(where=where, values=dict(values))

    def write_categories(self, categories: Sequence[Mapping[str, Any]]) -> None:
        """Put rows in the place of all rows of the table of categories."""
        with writing(self.store.run):
            dim = embedding_dim(self._objects())
            columns = pa.Table.from_pylist(list(categories), schema=schema.categories_schema(dim))
            # LanceDB warns where there is nothing to overwrite.
            mode = "create" if self.store.find(schema.CATEGORIES) is None else "overwrite"
            self.store.database.create_table(schema.CATEGORIES, columns, mode=mode)

    def replace_categories(self, categories: Sequence[Mapping[str, Any]]) -> None:
        """Replace all categories by new ones, which no object has yet.

        Objects lose their categories first, so that a kill in between leaves no object with the
        number of an earlier category.
        """
        nothing = {"category": "CAST(NULL AS BIGINT)", "similarity": "CAST(NULL AS FLOAT)"}
        with writing(self.store.run):
            self._objects().update(where="category IS NOT NULL", values_sql=nothing)
        self.write_categories(categories)

    def refresh_index(self) -> None:
        """Bring the index of very many objects up to date, see `heap.store.index`."""
        with writing(self.store.run):
            refresh_index(self.store.database)

    def _versions(self) -> dict[str, int | None]:
        tables = {name: self.store.find(name) for name in _EDITED}
        return {
            name: None if table is None else int(table.version) for name, table in tables.items()
        }

    def _go_back(self, before: Mapping[str, int | None]) -> None:
        for name, version in before.items():
            table = self.store.find(name)
            if table is None or table.version == version:
                continue
            if version is None:
                self.store.database.drop_table(name)
            else:
                table.restore(version)

    def _objects(self) -> Table:
        return self.store.table(schema.OBJECTS)
