"""Corrections of the categories of a run and of its objects, by one writer at a time."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from heap.base.errors import InputError
from heap.base.lock import Closing, RunLock
from heap.store import history, place, schema
from heap.store.checked import replace_columns
from heap.store.columns import read_rows
from heap.store.database import Database, Table, put_table, writing
from heap.store.index import refresh_index
from heap.store.redrawing import redraw
from heap.store.state import State
from heap.store.store import RunStore


class Editor(Closing):
    """Writes categories and what belongs to them, and masks that a person corrects.

    A context manager: it holds the lock of the run until it is closed. Each call is one step that
    a kill does or does not let happen; those inside `correct` are one together. All of them raise
    `StoreError` if the store is damaged, and `WriteError` if it cannot be written.

    Raises:
        StoreError: if there is no run, or a damaged one, or one of a newer schema version.
        BusyError: at once if another process is writing there.
    """

    def __init__(self, run: Path | str) -> None:
        self.store = RunStore.open(run)
        folder = place.folder_of(run)
        self._lock = None if folder is None else RunLock(folder)
        try:
            with writing(self.store.run):
                history.roll_back(self.store.database)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the lock; nothing can be written after it."""
        if self._lock is not None:
            self._lock.close()

    @contextmanager
    def correct(self, what: str, who: str = "", *, redrawn: Collection[str] = ()) -> Iterator[None]:
        """Make what is written inside one correction: all of it or nothing, for a kill too.

        The history keeps `what` was done, and `who` did it. Masks are corrected only of the images
        in `redrawn`.
        """
        database = self.store.database
        with writing(self.store.run):
            before = State.read(database, redrawn)
            number = history.begin(database, what, who)
        try:
            yield
            with writing(self.store.run):
                history.finish(database, number, before, redrawn)
        except BaseException:
            with writing(self.store.run):
                history.roll_back(database)
            raise

    def undo(self) -> history.Entry:
        """Take back the last correction that stands.

        Raises:
            InputError: if there is none.
        """
        return self._travel(history.undo, "there is no correction to take back")

    def redo(self) -> history.Entry:
        """Make again the correction that was taken back last.

        Raises:
            InputError: if there is none.
        """
        return self._travel(history.redo, "nothing was taken back that could be made again")

    def _travel(
        self, travel: Callable[[Database], history.Entry | None], nothing: str
    ) -> history.Entry:
        try:
            with writing(self.store.run):
                entry = travel(self.store.database)
        except BaseException:
            with writing(self.store.run):
                history.roll_back(self.store.database)
            raise
        if entry is None:
            raise InputError(nothing)
        return entry

    def merge_objects(self, columns: pa.Table) -> None:
        """Replace the given columns of the objects whose `id` is in `columns`, each once."""
        with writing(self.store.run):
            replace_columns(self._objects(), columns)

    def redraw(self, key: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Replace whole rows of objects of an image by their `id`, and add those that are new."""
        with writing(self.store.run):
            redraw(self.store.database, key, rows)

    def update_objects(self, where: str, values: Mapping[str, Any]) -> None:
        """Set columns of the objects that fit the filter `where`."""
        with writing(self.store.run):
            columns = read_rows(self._objects(), ["id", *values], where)
        for name, value in values.items():
            place = columns.column_names.index(name)
            cells = pa.array([value] * columns.num_rows, columns[name].type)
            columns = columns.set_column(place, name, cells)
        self.merge_objects(columns)

    def write_categories(self, categories: Sequence[Mapping[str, Any]]) -> None:
        """Put rows in the place of all rows of the table of categories."""
        with writing(self.store.run):
            history.write_categories(self.store.database, categories)

    def replace_categories(self, categories: Sequence[Mapping[str, Any]]) -> None:
        """Replace all categories by new ones, which no object has yet.

        Objects lose their categories first, so that a kill in between leaves no object with the
        number of an earlier category.
        """
        self.update_objects("category IS NOT NULL", {"category": None, "similarity": None})
        self.write_categories(categories)

    def write_map(self, rows: pa.Table) -> None:
        """Put rows in the place of all rows of the map, which is no part of the history."""
        with writing(self.store.run):
            put_table(self.store.database, schema.MAP, rows)

    def refresh_index(self) -> None:
        """Bring the index of very many objects up to date, see `heap.store.index`."""
        with writing(self.store.run):
            refresh_index(self.store.database)

    def _objects(self) -> Table:
        return self.store.table(schema.OBJECTS)
