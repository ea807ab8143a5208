"""Tables of results: own measurements beside published figures."""

from heap.benchmark.tables.build import KINDS, Kind, make_tables
from heap.benchmark.tables.layout import Cell, Column, Line, Table
from heap.benchmark.tables.markdown import to_markdown_page

__all__ = ["KINDS", "Cell", "Column", "Kind", "Line", "Table", "make_tables", "to_markdown_page"]
