"""Pictures for the documentation: overlays of runs on the demo photos, side by side."""

from collections.abc import Sequence
from pathlib import Path

import cyclopts
from PIL import Image

WIDTH = 420
GAP = 8


def side_by_side(out: Path, photos: list[str], *, runs: list[Path]) -> None:
    """Draw a row for each photo: the photo, then its overlay in each run.

    Args:
        out: The JPEG to write.
        photos: Names of demo photos, without their suffix.
        runs: Folders that `heap discover demo/photos` has written.
    """
    rows = []
    for name in photos:
        paths = [next((run / "overlays").glob(f"{name}-*.jpg")) for run in runs]
        rows.append([_open(Path("demo/photos") / f"{name}.jpg"), *map(_open, paths)])
    stack(rows).save(out, quality=82)


def stack(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """One page of rows of pictures; those of a row have one height, all of them one width."""
    width = rows[0][0].width + GAP
    height = sum(row[0].height + GAP for row in rows) - GAP
    page = Image.new("RGB", (len(rows[0]) * width - GAP, height), "white")
    top = 0
    for row in rows:
        for column, picture in enumerate(row):
            page.paste(picture.resize(row[0].size), (column * width, top))
        top += row[0].height + GAP
    return page


def _open(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        whole = picture.convert("RGB")
    return whole.resize((WIDTH, round(whole.height * WIDTH / whole.width)))


if __name__ == "__main__":
    cyclopts.run(side_by_side)
