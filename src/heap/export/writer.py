"""What all formats have in common: images come one by one, and something may come last."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from heap.export.items import Item

Add = Callable[[Item, str, str], None]
"""Writes an image of a split; last comes the name of its file in the export, empty if none."""

Writer = Callable[[Path, Sequence[str], Sequence[str]], AbstractContextManager[Add]]
"""Writes into a folder, for the classes and the splits named; what is to be written when all images
are known is written when its block ends without an error."""
