"""Write the rooms and their picture into ARCHITECTURE.md, from the order and the imports.

Usage: python tools/architecture.py [--check]; with --check nothing is written, and 1 is the exit
code where the file is not what it would be.

The order of the rooms is that of `tests/unit/test_rooms.py`, and the line of a room is the first
of its docstring. An arrow leads from a room to one that uses it, unless it is used by way of
another room anyway.
"""

import ast
import sys
from pathlib import Path

from counts import imports, order_of, room_of

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- rooms: written by tools/architecture.py -->\n", "<!-- end of rooms -->\n"


def main(arguments: list[str]) -> int:
    """Write the page, or see that it is written."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    new = before + BEGIN + rooms() + END + after
    if arguments == ["--check"]:
        if new != page:
            print("ARCHITECTURE.md is out of date; run python tools/architecture.py")
        return int(new != page)
    PAGE.write_text(new, encoding="utf-8")
    return 0


def rooms() -> str:
    """Picture and table of the rooms as Markdown."""
    order = order_of(ROOT / "tests" / "unit" / "test_rooms.py")
    uses: dict[str, set[str]] = {room: set() for room in order}
    for module, targets in imports(ROOT / "src").items():
        if room_of(module) in uses:
            uses[room_of(module)] |= {room_of(target) for target in targets} & uses.keys()
    arrows = [
        f"  {lower} --> {room}\n"
        for room in order
        for lower in order
        if lower in uses[room] - {room} and not _by_way_of_another(lower, room, uses)
    ]
    lines = [f"| `{room}` | {_line(room)} |\n" for room in order]
    picture = "```mermaid\nflowchart TD\n" + "".join(arrows) + "```\n"
    return picture + "\n| Room | |\n| --- | --- |\n" + "".join(lines)


def _by_way_of_another(lower: str, room: str, uses: dict[str, set[str]]) -> bool:
    """Whether `room` uses a room that needs `lower` itself, directly or further down."""
    return any(_needs(other, lower, uses) for other in uses[room] - {room, lower})


def _needs(room: str, lower: str, uses: dict[str, set[str]]) -> bool:
    others = uses[room] - {room}
    return lower in others or any(_needs(other, lower, uses) for other in others)


def _line(room: str) -> str:
    path = ROOT / "src" / "heap" / room
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
