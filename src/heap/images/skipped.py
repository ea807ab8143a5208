"""Count of the files and folders that a listing passes over, by the reason."""

from collections import Counter
from pathlib import PurePosixPath

from heap.images.formats import ABSENT, suffixes

HIDDEN = "hidden"
NOWHERE = "links that lead nowhere"
NO_FILE = "neither files nor folders"
TWICE = "listed already"
OURS = "folders that heap has written"
UNREADABLE = "folders that cannot be read"

_MOST = 8
"""Reasons that are named on a line; there is one for every suffix, and folders may have many."""


class Skipped(Counter[str]):
    """Numbers of files and folders that were passed over, by the reason."""

    def refuses(self, name: str) -> bool:
        """Whether a file is passed over for its name; counts it."""
        suffix = PurePosixPath(name).suffix.lower()
        if name.startswith("."):
            self[HIDDEN] += 1
        elif suffix in suffixes():
            return False
        elif suffix in ABSENT:
            self[f"{suffix}, which needs {ABSENT[suffix]}"] += 1
        else:
            self[f"not images by their names ({suffix or 'without a suffix'})"] += 1
        return True

    def __str__(self) -> str:
        """One line with the most frequent reasons first."""
        named = [f"{count} {reason}" for reason, count in self.most_common(_MOST)]
        rest = sum(self.values()) - sum(count for _, count in self.most_common(_MOST))
        return ", ".join([*named, *([f"{rest} for other reasons"] if rest else [])])
