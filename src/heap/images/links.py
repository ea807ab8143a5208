"""Walk of a folder of this machine through symbolic links, each file once and no loop twice."""

import os
import stat
from collections.abc import Callable
from pathlib import Path, PurePath

from heap.images.formats import suffixes
from heap.images.outputs import WrittenFolders
from heap.images.skipped import NO_FILE, NOWHERE, OURS, TWICE, Skipped
from heap.images.walking import Walk, Wanted, join_path


class LocalWalk:
    """Walk of one folder.

    A file or folder that is listed under its own name is not listed through a link too; what lies
    elsewhere is listed through the first link that leads there.
    """

    def __init__(
        self,
        wanted: Wanted,
        skipped: Skipped,
        written: WrittenFolders,
        fail: Callable[[OSError], None],
    ) -> None:
        self._wanted = wanted
        self._skipped = skipped
        self._written = written
        self._fail = fail
        self._root = os.path.realpath(wanted.base)
        self._walked: set[str] = set()
        """Real paths of folders."""
        self._linked: set[str] = set()
        """Real paths of files that were listed through a link of their own."""

    def folders(self) -> Walk:
        """Folders with the names in them, as `os.walk` gives them."""
        # A stack, not recursion: folders may be nested deeper than Python's own stack.
        waiting = [self._wanted.base]
        while waiting:
            folder = waiting.pop()
            if not self._enters(folder, os.path.realpath(folder)):
                continue
            try:
                with os.scandir(folder) as entries:
                    kinds = {entry.name: _is_folder(entry) for entry in entries}
            except OSError as error:
                self._fail(error)
                continue
            inside = [name for name, is_folder in kinds.items() if is_folder]
            yield folder, inside, [name for name, is_folder in kinds.items() if not is_folder]
            # The caller may have removed and sorted names in the meantime; the first is the next.
            waiting += reversed([join_path(folder, name) for name in inside])

    def lists(self, path: str) -> bool:
        """Whether a file that the walk has met is to be listed; counts it if not."""
        try:
            linked = stat.S_ISLNK(Path(path).lstat().st_mode)
        except OSError:  # it vanished while the folder was listed
            return False
        reason = self._refusal(path, linked)
        self._skipped.update([reason] if reason else [])
        return not reason

    def _enters(self, folder: str, real: str) -> bool:
        reason = ""
        if real in self._walked:
            reason = TWICE
        elif folder != self._wanted.base and Path(folder).is_symlink():
            reason = OURS if self._written.hold(Path(real)) else self._loop_reason(real)
        self._walked.add(real)
        self._skipped.update([reason] if reason else [])
        return not reason

    def _loop_reason(self, real: str) -> str:
        """Reason not to follow a link to a folder that is walked anyway; else empty."""
        below = self._below(real)
        own = below is not None and self._wanted.depth is None and _is_visible(below)
        return TWICE if own or PurePath(self._root).is_relative_to(real) else ""

    def _refusal(self, path: str, linked: bool) -> str:
        """Reason not to list a file; else empty."""
        try:
            if not stat.S_ISREG(Path(path).stat().st_mode):
                return NO_FILE
        except OSError:
            return NOWHERE
        # Without any link so far nothing can be listed twice: most walks never resolve a path.
        if not linked and not self._linked:
            return ""
        real = os.path.realpath(path)
        if real in self._linked:
            return TWICE
        if linked:
            if self._written.hold(Path(real).parent):
                return OURS
            if self._has_own_name(real):
                return TWICE
            self._linked.add(real)
        return ""

    def _has_own_name(self, real: str) -> bool:
        """Whether a file is listed under its own name, so that links to it need not be."""
        path = PurePath(real)
        if path.name.startswith(".") or path.suffix.lower() not in suffixes():
            return False
        below = self._below(real)
        if below is None:
            return str(path.parent) in self._walked
        return _is_visible(below) and self._wanted.takes(below.as_posix())

    def _below(self, real: str) -> PurePath | None:
        """Real path relative to the root, or None if it lies elsewhere."""
        path = PurePath(real)
        return path.relative_to(self._root) if path.is_relative_to(self._root) else None


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_visible(path: PurePath) -> bool:
    return not any(name.startswith(".") for name in path.parts)
