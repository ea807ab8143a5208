"""`heap map`: all objects of a run on a plane."""

from typing import Annotated

from cyclopts import Parameter

from heap.cli.app import err_console
from heap.cli.bars import Bars
from heap.cli.printing import AsJson, print_json
from heap.cli.reading import Seed


def map(
    run: str,
    /,
    *,
    again: Annotated[bool, Parameter(negative=())] = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Draw a map of all objects of a run, alike ones beside each other, for its gallery and pages.

    It is kept with the run. Objects that are new since get places among those most similar to
    them; once these are a fifth of all, it is drawn again.

    Example: heap map RUN

    Args:
        run: Folder or URL of a run.
        again: Draw it again from the beginning.
        seed: Of the projection.
        as_json: Print the objects with x and y, from 0 to 1 and y downwards, as JSON.
    """
    from heap.run import Run

    with Bars(err_console) as progress:
        drawn = Run(run).map(again=again, seed=seed, on_progress=progress)
    if as_json:
        places = zip(drawn.ids, drawn.places.tolist(), strict=True)
        print_json([{"id": id, "x": round(x, 5), "y": round(y, 5)} for id, (x, y) in places])
    else:
        err_console.print(f"{len(drawn.ids)} objects are on the map")
