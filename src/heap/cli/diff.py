"""`heap diff`: what two runs of the same photos have in common, and what not."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import cyclopts
from cyclopts import Parameter

from heap.cli.app import err_console
from heap.cli.bars import Bars
from heap.cli.printing import AsJson, print_json, print_table

if TYPE_CHECKING:
    from heap.store.difference import PhotoDifference


def diff(
    run: str,
    other: str,
    /,
    *,
    count: Annotated[int, Parameter(validator=cyclopts.validators.Number(gte=1))] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what differs between two runs of the same photos, most changed photos first.

    Photos are matched by the content of their files. Two objects are the same if the IoU of their
    masks is 0.5 or more. Rejected ones are left out. `heap serve RUN OTHER` shows it in pictures.

    Example: heap diff RUN OTHER --json > difference.json

    Args:
        run: Folder or URL of a run.
        other: Folder or URL of another one.
        count: How many photos to list; as JSON all are in it.
        as_json: Print it as JSON on standard output.
    """
    from heap.run import Run

    with Bars(err_console) as progress:
        told = Run(run).difference(Run(other), on_progress=progress)
    both, first, second = told.counts
    if as_json:
        photos = [asdict(photo) | {"change": round(photo.change, 4)} for photo in told.photos]
        counts = {"both": both, "first": first, "second": second}
        print_json({"objects": counts, "photos": photos, "alone": told.alone})
        return
    header = ("photo", "change", "in both", "only in the first", "only in the second")
    print_table(header, map(_row, told.photos[:count]))
    alone = [len(keys) for keys in told.alone]
    err_console.print(
        f"{len(told.photos)} photos of both: {both} objects in both, {first} only in {run}, "
        f"{second} only in {other}; photos only in {run}: {alone[0]}, only in {other}: {alone[1]}"
    )


def _row(photo: "PhotoDifference") -> tuple[str, ...]:
    first, second = ([seen.iou is None for seen in side] for side in photo.objects)
    counts = (first.count(False), sum(first), sum(second))
    return (photo.keys[0], f"{photo.change:.2f}", *map(str, counts))
