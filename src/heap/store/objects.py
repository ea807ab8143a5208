"""Objects of a run as a table for other programs."""

from typing import TYPE_CHECKING

import pyarrow as pa

from heap.store import schema
from heap.store.database import reading
from heap.store.store import RunStore

if TYPE_CHECKING:
    import pandas as pd


class ObjectTable:
    """The objects of a run as a table, see `heap.store.schema`; read when it is asked for."""

    def __init__(self, store: RunStore) -> None:
        self._store = store

    def __len__(self) -> int:
        """Number of objects, rejected ones included."""
        objects = self._store.checked_objects()
        with reading(self._store.run):
            return 0 if objects is None else objects.count()

    def to_arrow(self, where: str | None = None) -> pa.Table:
        """All columns, masks as COCO's run lengths.

        `where` is a condition such as `score > 0.5 AND NOT rejected`, see
        `heap.store.condition`.

        Raises:
            InputError: if `where` is no such condition.
            StoreError: if the store is damaged.
        """
        condition = None
        if where is not None:
            # The parser of SQL takes a while to import, and few searches have a condition.
            from heap.store.condition import STORED, read_condition

            condition = read_condition(where, STORED)
        objects = self._store.checked_objects()
        if objects is None:
            return schema.objects_schema(1).empty_table()
        with reading(self._store.run):
            return objects.read(objects.table.schema.names, condition)

    def to_pandas(self, where: str | None = None) -> "pd.DataFrame":
        """The same for pandas, which must be installed."""
        return self.to_arrow(where).to_pandas()
