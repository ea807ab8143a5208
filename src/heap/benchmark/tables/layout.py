"""A table before it is printed or drawn: numbers in their places, as they are in the files."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """A number, and how sure it is."""

    value: float
    low: float | None = None
    high: float | None = None
    """Ends of the 95 % interval over images; of a single seed."""
    deviation: float | None = None
    """Sample standard deviation over seeds, where there are several."""


@dataclass(frozen=True)
class Column:
    """What the cells of a column are."""

    heading: str
    protocol: str = ""
    """Which it is measured by; empty for what belongs to no protocol."""
    scale: float = 100.0
    """Printed is the value times this."""
    digits: int = 1
    least: bool = False
    """The smallest value is the best."""
    ranked: bool = True
    """Whether there is a best value at all."""

    def text(self, value: float) -> str:
        """The value as it is printed."""
        return f"{value * self.scale:,.{self.digits}f}"


@dataclass(frozen=True)
class Line:
    """One method."""

    method: str
    encoder: str
    cells: tuple[Cell | None, ...]
    """None where it has no value."""
    variant: str = ""
    """Of its protocols, in words; empty where the title of the table says it."""
    source: str | None = None
    """Who says so; None for what was measured."""


@dataclass(frozen=True)
class Table:
    """Methods that are measured alike."""

    kind: str
    name: str
    """What the file of its figure is called."""
    title: str
    about: tuple[str, ...]
    """Protocols, data and whatever else holds for all of it."""
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    first: str = "method"
    """Heading of the first column."""
    notes: tuple[str, ...] = field(default=())

    def best(self, index: int) -> set[Line]:
        """The measured lines with the best value of a column, among those of each encoder.

        Values that print alike are equally good; where nothing stands beside it, none is best.
        """
        column, found = self.columns[index], set()
        for encoder in {line.encoder for line in self.lines}:
            values = {
                line: cell.value
                for line in self.lines
                if line.source is None and line.encoder == encoder and (cell := line.cells[index])
            }
            if column.ranked and len(values) > 1:
                top = (min if column.least else max)(values.values())
                found |= {
                    line for line, value in values.items() if column.text(value) == column.text(top)
                }
        return found
