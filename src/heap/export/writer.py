"""Writers of the formats: they take images one by one, and may write something last."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from heap.export.items import Item

Add = Callable[[Item, str, str], None]
"""Function that writes an image, given its split and the path of its copy or link, below the folder
that the format has for images of that split; empty if there is none."""

Writer = Callable[[Path, Sequence[str], Sequence[str]], AbstractContextManager[Add]]
"""Context manager that writes into a folder, for these classes and splits; what can be written only
when all images are known is written when its block ends without an error."""


def file_in(folder: Path, name: str) -> Path:
    """Path of a file whose name may have folders, which are made."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
