"""The tables of results: what was measured, beside what others have published."""

from heap.benchmark.tables.build import KINDS, Kind, make_tables
from heap.benchmark.tables.layout import Cell, Column, Line, Table
from heap.benchmark.tables.markdown import tables

__all__ = ["KINDS", "Cell", "Column", "Kind", "Line", "Table", "make_tables", "tables"]
