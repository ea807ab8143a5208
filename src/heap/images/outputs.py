"""Tells pictures that this package has written from those of the user: they are never listed."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import get_args

from heap.base.files import MARKER
from heap.config import Saved

_TABLES = ("store/config.lance", "store/images.lance")
_WRITTEN = ("store", *get_args(Saved))
"""Are in the folder of a run; what else is there may be the user's own."""


class Outputs:
    """Remembers for one listing what it has looked at, for there are many images in a folder."""

    def __init__(self) -> None:
        self._ours: dict[Path, bool] = {}

    def hold(self, folder: Path) -> bool:
        """Whether we have written what is in a folder, or in one of those that it is in."""
        if folder not in self._ours:
            inside = folder != folder.parent and self.hold(folder.parent)
            self._ours[folder] = inside or _is_ours(folder)
        return self._ours[folder]


def written_in(folder: str, folders: Collection[str], exists: Callable[[str], bool]) -> set[str]:
    """Which folders in a folder a run has written, if it is that of a run; for any file system."""
    written = {name for name in folders if name in _WRITTEN}
    return written if written and all(exists(f"{folder}/{table}") for table in _TABLES) else set()


def _is_ours(folder: Path) -> bool:
    written = written_in(str(folder.parent), [folder.name], lambda path: Path(path).exists())
    return bool(written) or (folder / MARKER).exists()
