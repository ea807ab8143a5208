"""Routes of what is computed of all objects: their map, and what stands out among them."""

from fastapi import APIRouter

from heap.base.progress import OnProgress
from heap.categories.inspection import inspect
from heap.serving.answers import InspectionAnswer, MapAnswer
from heap.serving.browsing import Served
from heap.view.contents import to_places
from heap.view.snapshot import Snapshot

router = APIRouter(prefix="/api", tags=["map"])
_ODD = 60
"""Objects of each kind that stand out."""


@router.get("/map")
def object_map(served: Served) -> MapAnswer:
    """The map of all objects: its places when they are computed, before that how far they are.

    The first request begins it. It is kept with the run, unless that is served to be looked at, or
    another process is writing there.
    """

    def compute(tell: OnProgress) -> MapAnswer:
        drawn = served.collection.map(on_progress=tell, keep=not served.read_only)
        return MapAnswer(state="done", **to_places(drawn).model_dump())

    return served.mapping.ask(served.run, _contents_of(served.now()), compute)


@router.get("/inspection")
def inspection(served: Served) -> InspectionAnswer:
    """What stands out in the run: copies of images, and unusual objects.

    The first request begins to look for it; before that is done, the answer is how far it is.
    """

    def compute(tell: OnProgress) -> InspectionAnswer:
        seen = inspect(served.collection.store, _ODD)
        return InspectionAnswer(
            state="done",
            copies=[list(group) for group in seen.duplicates],
            unusual=[odd.id for odd in seen.unusual],
        )

    return served.inspecting.ask(served.run, _contents_of(served.now()), compute)


def _contents_of(now: Snapshot) -> str:
    """Another text when there are other images or objects; corrections leave it as it is."""
    return f"{now.versions[0]}-{now.objects.num_rows}"
