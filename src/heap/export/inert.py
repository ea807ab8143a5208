"""CSV whose cells a spreadsheet shows and never runs as formulas.

Names of files and categories come from others, and a formula can read files and open addresses.
"""

import pyarrow as pa
from pyarrow.csv import CSVWriter

_RUN = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""First signs of a formula; spreadsheets of some languages take full-width signs too."""
_QUOTE = "'"


class InertWriter(CSVWriter):  # type: ignore[misc]  # pyarrow has no annotations
    """Writer of tables whose texts are no formulas; run lengths stay those of the mask."""

    def write_table(self, table: pa.Table, max_chunksize: int | None = None) -> None:
        """Add the rows of a table."""
        for place, field in enumerate(table.schema):
            if pa.types.is_string(field.type):
                change = inert_runs if field.name == "mask_counts" else inert_text
                cells = [
                    None if cell is None else change(cell) for cell in table[place].to_pylist()
                ]
                table = table.set_column(place, field, pa.array(cells, field.type))
        super().write_table(table, max_chunksize)


def inert_text(cell: str) -> str:
    """Return a text with a ' before what could be a formula, and before a '.

    Readers get the text back by removing one ' from the front.
    """
    return _QUOTE + cell if cell.startswith((*_RUN, _QUOTE)) else cell


def inert_runs(counts: str) -> str:
    """Return COCO's run lengths of the same mask, which do not begin with a =.

    A = stands for a first run of 13, which becomes runs of 1, 0 and 12. All runs but the first
    three are written as the difference to the run before the last, so that only one more run has
    to be written anew.
    """
    if not counts.startswith("="):
        return counts
    _, second = _number(counts, 1)
    begun = "10<" + counts[1:second]
    if second == len(counts):
        return begun
    third, rest = _number(counts, second)
    return begun + _digits(third - 12) + counts[rest:]


def _number(counts: str, at: int) -> tuple[int, int]:
    """Read the number that begins at a place; returns it and the place after it.

    A letter has five bits, the lowest first; the sixth says that more letters follow.
    """
    value = shift = 0
    while at < len(counts):
        bits = ord(counts[at]) - 48
        value |= (bits & 31) << shift
        at, shift = at + 1, shift + 5
        if not bits & 32:
            return value - (1 << shift if bits & 16 else 0), at
    return value, at


def _digits(value: int) -> str:
    written = ""
    while True:
        bits, value = value & 31, value >> 5
        if value == (-1 if bits & 16 else 0):
            return written + chr(bits + 48)
        written += chr(bits + 32 + 48)
