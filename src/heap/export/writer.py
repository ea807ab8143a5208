"""What all formats have in common: images come one by one, and something may come last."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from heap.export.items import Item

Add = Callable[[Item, str, str], None]
"""Writes an image of a split; last comes the path of its copy or link, below the folder that the
format has for images of that split; empty if there is none."""

Writer = Callable[[Path, Sequence[str], Sequence[str]], AbstractContextManager[Add]]
"""Writes into a folder, for the classes and the splits named; what is to be written when all images
are known is written when its block ends without an error."""


def file_in(folder: Path, name: str) -> Path:
    """The path of a file, whose name may have folders; they are made."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
