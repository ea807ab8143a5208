"""Recognition of pictures that this package has written, which are never listed as images."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import get_args

from heap.base.folder import MARKER
from heap.config import ORIGINALS, Saved

_TABLES = ("store/config.lance", "store/images.lance")
"""Tables that every run has, which tell its folder from one with like names."""
_WRITTEN = ("store", ORIGINALS, *get_args(Saved))
"""Folders in the folder of a run that we have written; others there may be the user's own."""


class WrittenFolders:
    """Folders that one listing has asked about, remembered: there are many images in a folder."""

    def __init__(self) -> None:
        self._ours: dict[Path, bool] = {}

    def hold(self, folder: Path) -> bool:
        """Whether we have written a folder, or one of those that it is in."""
        if folder not in self._ours:
            inside = folder != folder.parent and self.hold(folder.parent)
            self._ours[folder] = inside or _is_ours(folder)
        return self._ours[folder]


def find_written(folder: str, folders: Collection[str], exists: Callable[[str], bool]) -> set[str]:
    """Names of the `folders` in a folder that a run has written, if it is that of a run.

    `exists` asks the file system, which may be a remote one.
    """
    written = {name for name in folders if name in _WRITTEN}
    return written if written and all(exists(f"{folder}/{table}") for table in _TABLES) else set()


def _is_ours(folder: Path) -> bool:
    written = find_written(str(folder.parent), [folder.name], lambda path: Path(path).exists())
    return bool(written) or (folder / MARKER).exists()
