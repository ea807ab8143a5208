"""Journal of an evaluation under way, from which the same command goes on after a kill."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from heap.base.errors import InputError, StoreError
from heap.config import differing_keys

Row = dict[str, Any]


class Journal:
    """File with a line that says what is evaluated, then a line for every image.

    Rows are not kept in memory, which those of all methods of an evaluation would fill.
    """

    def __init__(self, path: Path, made_with: Mapping[str, Any]) -> None:
        """Open or begin the file.

        Raises:
            InputError: if it belongs to another evaluation.
            StoreError: if it is damaged.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._cut()
        lines, header = self._lines(), json.loads(json.dumps(made_with))
        first = next(lines, None)
        if first is None:
            self._append(header)
        elif differing := differing_keys(first, header):
            raise InputError(
                f"{path} belongs to another evaluation: {', '.join(differing)}; delete it, or "
                "choose another --out"
            )
        self.images: set[str] = {line["image"] for line in lines}

    def add(self, image: str, row: Row) -> None:
        """Keep the row of an image."""
        self._append({"image": image, "row": row})
        self.images.add(image)

    def rows(self) -> dict[str, Row]:
        """All rows by image."""
        lines = self._lines()
        next(lines)
        return {line["image"]: line["row"] for line in lines}

    def remove(self) -> None:
        """Delete the file, after the results are written."""
        self.path.unlink()

    def _append(self, values: Mapping[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")
            # Onto the disk, so that a loss of power costs no image that was counted as done.
            file.flush()
            os.fsync(file.fileno())

    def _cut(self) -> None:
        """Cut off the last line if it has no newline at its end: a kill has torn it."""
        with self.path.open("a+b") as file:
            file.seek(0)
            file.truncate(sum(len(line) for line in file if line.endswith(b"\n")))

    def _lines(self) -> Iterator[dict[str, Any]]:
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield dict(json.loads(line))
                except (ValueError, TypeError) as error:
                    raise StoreError(
                        f"{self.path} is damaged in line {number}; delete it to start again"
                    ) from error
