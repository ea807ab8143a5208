"""The rows of an evaluation that is under way, so that the same command goes on after a kill."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heap.config import differing_keys
from heap.errors import InputError

Row = dict[str, Any]


class Journal:
    """A file with a line that says what is evaluated, then a line for each image."""

    def __init__(self, path: Path, made_with: Mapping[str, Any]) -> None:
        """Open or begin the file.

        Raises:
            InputError: if it belongs to another evaluation.
        """
        self.path = path
        self.rows: dict[str, Row] = {}
        header = json.loads(json.dumps(made_with))
        if path.exists():
            self._read(header)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(header) + "\n", encoding="utf-8")

    def add(self, image: str, row: Row) -> Row:
        """Keep the row of an image; the row as it will be read again."""
        line = json.dumps({"image": image, "row": row})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        kept: Row = json.loads(line)["row"]
        self.rows[image] = kept
        return kept

    def remove(self) -> None:
        """It is not needed any more: the results are written."""
        self.path.unlink()

    def _read(self, header: Mapping[str, Any]) -> None:
        # A kill may have cut the last line; what follows the last newline is not whole.
        whole = self.path.read_bytes().rpartition(b"\n")[0]
        lines = whole.decode().splitlines()
        self.path.write_bytes(whole + b"\n" if lines else json.dumps(header).encode() + b"\n")
        if lines and (differing := differing_keys(json.loads(lines[0]), header)):
            raise InputError(
                f"{self.path} belongs to another evaluation: {', '.join(differing)}; delete it, "
                "or choose another --out"
            )
        for line in lines[1:]:
            kept = json.loads(line)
            self.rows[kept["image"]] = kept["row"]
