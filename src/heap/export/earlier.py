"""Protection of an earlier export from a new one that holds less because photos are missing."""

import re
from collections.abc import Sequence
from pathlib import Path

from heap.base.errors import InputError
from heap.base.folder import MARKER
from heap.images.failures import Failure

_IMAGES = re.compile(r"^.*: (\d+) images, \d+ objects$", re.MULTILINE)
_CROPS = "\ncrops: "
_SHOWN = 3
"""Photos that a message names."""


def refuse_less(
    out: Path, images: int, crops: int, brought: int, failures: Sequence[Failure]
) -> None:
    """Refuse an export in which the photos of `failures` are missing, if `out` holds more.

    One for which not a single photo could be brought is refused too.

    Raises:
        InputError: then; it says what to do.
    """
    had_images, had_crops = _read_counts(out)
    if brought and images >= had_images and crops >= had_crops:
        return
    holds = f"the export would hold {images} images and {crops} crops"
    if had_images:
        holds += f", and the one that is there holds {had_images} and {had_crops}"
    names = [f"{failure.key} ({failure.stage})" for failure in failures[:_SHOWN]]
    more = ", ..." if len(failures) > _SHOWN else ""
    raise InputError(
        f"{out} stays as it was: {len(failures)} photos could not be read again, "
        f"{', '.join(names)}{more}; {holds}. Name the folder where the photos are now with "
        "--photos, or another --out for what is left"
    )


def _read_counts(out: Path) -> tuple[int, int]:
    """Numbers of images and crops in an export, as its marker says; 0 if there is none."""
    try:
        text = (out / MARKER).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0, 0
    splits, _, rest = text.partition(_CROPS)
    crops = re.match(r"\d+", rest)
    return sum(map(int, _IMAGES.findall(splits))), int(crops[0]) if crops else 0
