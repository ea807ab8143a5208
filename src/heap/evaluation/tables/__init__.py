"""The tables of results: what was measured, beside what others have published."""

from heap.evaluation.tables.build import KINDS, Kind, make_tables
from heap.evaluation.tables.layout import Cell, Column, Line, Table
from heap.evaluation.tables.markdown import tables

__all__ = ["KINDS", "Cell", "Column", "Kind", "Line", "Table", "make_tables", "tables"]
