"""Table before it is printed or drawn: numbers in their places, as they are in the files."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """A number with its uncertainty."""

    value: float
    low: float | None = None
    high: float | None = None
    """Ends of the 95 % interval over images, for a single seed."""
    deviation: float | None = None
    """Sample standard deviation over seeds, where there are several."""


@dataclass(frozen=True)
class Column:
    """Meaning of the cells of a column, and their print."""

    heading: str
    protocol: str = ""
    """Protocol of the metric; empty for costs, which belong to none."""
    scale: float = 100.0
    """Factor by which values are multiplied to be printed."""
    digits: int = 1
    least: bool = False
    """Whether the smallest value is the best."""
    ranked: bool = True
    """Whether there is a best value at all."""

    def text(self, value: float) -> str:
        """Return a value as it is printed."""
        return f"{value * self.scale:,.{self.digits}f}"


@dataclass(frozen=True)
class Line:
    """One method."""

    method: str
    encoder: str
    cells: tuple[Cell | None, ...]
    """None where the method has no value."""
    variant: str = ""
    """Variant of its protocols, in words; empty where the title of the table says it."""
    source: str | None = None
    """Source of published figures; None for own measurements."""


@dataclass(frozen=True)
class Table:
    """Methods that are measured alike."""

    kind: str
    name: str
    """Name of the file of its figure."""
    title: str
    about: tuple[str, ...]
    """Protocols, data and whatever else holds for the whole table."""
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    first: str = "method"
    """Heading of the first column."""
    notes: tuple[str, ...] = field(default=())

    def best(self, index: int) -> set[Line]:
        """Measured lines with the best value of a column, for every encoder.

        Values that print alike are equally good; a value alone is not marked as the best.
        """
        column, lines = self.columns[index], set()
        for encoder in {line.encoder for line in self.lines}:
            values = {
                line: cell.value
                for line in self.lines
                if line.source is None and line.encoder == encoder and (cell := line.cells[index])
            }
            if column.ranked and len(values) > 1:
                top = (min if column.least else max)(values.values())
                lines |= {
                    line for line, value in values.items() if column.text(value) == column.text(top)
                }
        return lines
