"""Messages as others may read them: without places on this machine, its name or its processes."""

import re
from pathlib import Path

from heap.base.errors import BusyError, HeapError, ImageError, StoreError

_FOLDERS = re.compile(r"(?<![\w./:\\])(?:[A-Za-z]:)?[/\\](?:[^\s/\\'\"]+[/\\])+(?=[^\s/\\])")


def told(error: HeapError, run: Path | str) -> str:
    """What an error says, to whoever is at the page."""
    if isinstance(error, BusyError):
        return "the run is being written by another process; try again when that has ended"
    if isinstance(error, StoreError):
        return "the store of the run cannot be used; what heap serve has printed says why"
    if isinstance(error, ImageError):
        return f"{without_folders(error.key, run)}: {without_folders(error.reason, run)}"
    return without_folders(str(error), run)


def without_folders(text: str, run: Path | str) -> str:
    """The text with the names of files in place of their absolute paths."""
    for known in (Path(run).absolute(), Path(run).resolve()):
        text = text.replace(str(known), name_of(run))
    # Folders with spaces in their names are known by the run that is in them, or not at all.
    for parent in (Path(run).resolve().parent, Path.cwd(), Path.home()):
        if len(parent.parts) > 1:
            text = text.replace(f"{parent}/", "")
    return _FOLDERS.sub("", text)


def name_of(run: Path | str) -> str:
    """The name of a run, without where it is."""
    return Path(str(run)).resolve().name
