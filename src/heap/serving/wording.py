"""Messages for others: without places on this machine, its name or its processes."""

import re
from pathlib import Path

from heap.base.errors import BusyError, HeapError, ImageError, StoreError

_FOLDERS = re.compile(r"(?<![\w./:\\])(?:[A-Za-z]:)?[/\\](?:[^\s/\\'\"]+[/\\])+(?=[^\s/\\])")
"""Absolute folders in a text, of Unix and Windows; the name after them stays."""


def message_of(error: HeapError, run: Path | str) -> str:
    """Message of an error for the person at the page, who may be somebody else."""
    if isinstance(error, BusyError):
        return "the run is being written by another process; try again when that has ended"
    if isinstance(error, StoreError):
        return "the store of the run cannot be used; what heap serve has printed says why"
    if isinstance(error, ImageError):
        return f"{without_folders(error.key, run)}: {without_folders(error.reason, run)}"
    return without_folders(str(error), run)


def without_folders(text: str, run: Path | str) -> str:
    """Return the text with names of files in place of their absolute paths."""
    for known in (Path(run).absolute(), Path(run).resolve()):
        text = text.replace(str(known), run_name(run))
    # Folders with spaces in their names are known by the run that is in them, or not at all.
    for parent in (Path(run).resolve().parent, Path.cwd(), Path.home()):
        if len(parent.parts) > 1:
            text = text.replace(f"{parent}/", "")
    return _FOLDERS.sub("", text)


def run_name(run: Path | str) -> str:
    """Name of a run, without the place where it is."""
    return Path(str(run)).resolve().name
