"""What a listing passes over, and why."""

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


class Skipped(Counter[str]):
    """How many files and folders were passed over, by the reason."""

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
        """On one line, the most frequent reasons first."""
        told = [f"{count} {reason}" for reason, count in self.most_common(_MOST)]
        rest = sum(self.values()) - sum(count for _, count in self.most_common(_MOST))
        return ", ".join([*told, *([f"{rest} for other reasons"] if rest else [])])
