"""Cells of CSV that a spreadsheet shows and never runs."""

import pyarrow as pa
from pyarrow.csv import CSVWriter

_RUN = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A cell that begins with one of them may be a formula; some languages write them wide."""
_QUOTE = "'"


class InertWriter(CSVWriter):  # type: ignore[misc]  # pyarrow has no annotations
    """Writes tables whose texts are no formulas, see `text`; run lengths are of the same mask."""

    def write_table(self, table: pa.Table, max_chunksize: int | None = None) -> None:
        """Add the rows of a table."""
        for place, field in enumerate(table.schema):
            if pa.types.is_string(field.type):
                change = runs if field.name == "mask_counts" else text
                cells = [
                    None if cell is None else change(cell) for cell in table[place].to_pylist()
                ]
                table = table.set_column(place, field, pa.array(cells, field.type))
        super().write_table(table, max_chunksize)


def text(cell: str) -> str:
    """With a ' before what could be a formula, and before a ': without one ' it is as it was."""
    return _QUOTE + cell if cell.startswith((*_RUN, _QUOTE)) else cell


def runs(counts: str) -> str:
    """COCO's run lengths of the same mask, which do not begin with a =.

    That is a first run of 13. It becomes runs of 1, 0 and 12; each run but the first three is
    written as its difference to the last but one, so that only one other run is written anew.
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
    """The number that is written from a place on, and the place after it.

    Five bits for each letter, the lowest first; the sixth says that more follow.
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
