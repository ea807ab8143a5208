"""Tables, for people on a terminal and otherwise for programs; JSON; images that were left out."""

import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from heap.cli.app import err_console, out_console

if TYPE_CHECKING:
    from heap.images.skipped import Skipped

AsJson = Annotated[bool, Parameter(name="--json", negative=())]
"""Option of all commands that print a table."""

_INSIDE = {ord(sign): repr(sign)[1:-1] for sign in "\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"}
"""Signs that would end a cell or a line, as Python writes them in a text."""


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under the names of their columns.

    On a terminal they are aligned, and cells that are too long go on in the next line. Elsewhere
    each row is one line with tabs between its cells, the names of the columns first; nothing is
    cut, and tabs and line breaks in cells are escaped.
    """
    if not sys.stdout.isatty():
        for cells in (columns, *rows):
            sys.stdout.write("\t".join(cell.translate(_INSIDE) for cell in cells) + "\n")
        sys.stdout.flush()  # So that it comes before later lines on standard error.
        return
    table = Table(box=None)
    for name in columns:
        table.add_column(name, overflow="fold", min_width=len(name))
    for cells in rows:
        table.add_row(*map(Text, cells))
    out_console.print(table, soft_wrap=False)


def print_json(value: Any) -> None:
    """Print a value as one line of JSON; nan and infinity, which JSON lacks, are null."""
    sys.stdout.write(json.dumps(_finite(value), allow_nan=False) + "\n")


def say_skipped(skipped: "Skipped") -> None:
    """Print what a listing has passed over, and why."""
    err_console.print(f"Passed over: {skipped}")


def say_failed(path: Path) -> None:
    """Print how many images could not be used, if any, and that `path` lists the reasons."""
    if path.is_file() and (count := len(path.read_bytes().splitlines())):
        err_console.print(f"{count} images could not be used: {path}")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value
