"""Very many photos made of few: hard links, for studies of everything around a model."""

from collections.abc import Sequence
from pathlib import Path

_PER_FOLDER = 10_000


def link_photos(originals: Sequence[Path], count: int, folder: Path) -> Path:
    """Folder of so many hard links to copies of photos, in turns, in folders of 10,000."""
    copies = folder.with_name("originals")
    copies.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        original = originals[number % len(originals)]
        # Copied first, because hard links stay on one disk.
        copy = copies / original.name
        if not copy.exists():
            copy.write_bytes(original.read_bytes())
        link = folder / f"{number // _PER_FOLDER:04d}" / f"{number:08d}{original.suffix}"
        if not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.hardlink_to(copy)
    return folder
