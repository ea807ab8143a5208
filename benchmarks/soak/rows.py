"""Rows of a soak, kept as they come, so that it goes on where it was stopped."""

import json
import sys
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Rows:
    """Rows of one part in a file of lines; a line that was not written whole is passed over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            path.write_text(whole, encoding="utf-8")
        self.all: list[Row] = [json.loads(line) for line in whole.splitlines()]

    def add(self, row: Row) -> None:
        """Keep a row, and show it."""
        line = json.dumps(row)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
        self.all.append(row)
        sys.stderr.write(f"{line[:300]}\n")
