"""Several runs in one application: their cards, the pages of each, and two of them compared."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from anyio import to_thread
from fastapi import APIRouter, FastAPI, HTTPException, Request
from starlette.types import Receive, Scope, Send

from heap.base.errors import HeapError, StoreError
from heap.base.progress import OnProgress
from heap.serving.answers import DifferenceAnswer, PhotoDifferenceAnswer, RunCard
from heap.serving.background import OncePerVersion
from heap.serving.served import ServedRun
from heap.serving.wording import message_of, run_name, without_folders
from heap.store import schema
from heap.store.columns import read_rows
from heap.store.database import reading
from heap.store.difference import RunDifference, difference
from heap.store.place import STORE_NAME, folder_of, has_store

router = APIRouter(prefix="/api", tags=["runs"])
_THUMBNAILS = 4
_KEPT = 8
"""Comparisons whose results are kept."""


def find_runs(places: Iterable[Path | str]) -> dict[str, Path | str]:
    """Runs by their names: those that are named, and those in folders that are no runs.

    Of several with one name the later ones get a number.

    Raises:
        StoreError: if a folder is no run and has none in it.
    """
    runs: dict[str, Path | str] = {}
    for place in places:
        folder = folder_of(place)
        inside: list[Path | str] = [place]
        if folder is not None and folder.is_dir() and not has_store(folder):
            inside = sorted(path for path in folder.iterdir() if path.is_dir() and has_store(path))
            if not inside:
                raise StoreError(
                    f"{place} holds no run; give a folder that `heap discover` has written, or a "
                    "folder of such folders"
                )
        for run in inside:
            name, number = run_name(run) or "run", 2
            while name in runs:
                name, number = f"{run_name(run)}-{number}", number + 1
            runs[name] = run
    return runs


class Runs:
    """Applications of several runs, each made when it is first asked for; ASGI below `/runs`."""

    def __init__(
        self,
        places: dict[str, Path | str],
        serve: Callable[[Path | str], ServedRun],
        make: Callable[[ServedRun], FastAPI],
    ) -> None:
        self.places = places
        self._serve, self._make = serve, make
        self._served: dict[str, ServedRun] = {}
        self._apps: dict[str, FastAPI] = {}
        self._differences: dict[tuple[str, str], OncePerVersion[DifferenceAnswer]] = {}
        self._lock = Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a page or a route of a run."""
        app = await to_thread.run_sync(self._app, scope["path_params"]["name"])
        await app(scope, receive, send)

    def served(self, name: str) -> ServedRun:
        """The run of this name; status 404 if there is none.

        Raises:
            StoreError: if it cannot be opened.
        """
        if name not in self.places:
            raise HTTPException(404, f"no run {name!r} is served here")
        with self._lock:
            if name not in self._served:
                self._served[name] = self._serve(self.places[name])
            return self._served[name]

    def close(self) -> None:
        """End what was begun for the runs."""
        for served in self._served.values():
            served.gallery.close()

    def difference_of(self, first: str, second: str) -> DifferenceAnswer:
        """The comparison of two runs, or how far it is."""
        former, latter = self.served(first), self.served(second)

        def compute(tell: OnProgress) -> DifferenceAnswer:
            return _answer(difference(former.collection.store, latter.collection.store, tell))

        with self._lock:
            if (first, second) not in self._differences and len(self._differences) >= _KEPT:
                self._differences.pop(next(iter(self._differences)))
            kept = self._differences.setdefault((first, second), OncePerVersion(DifferenceAnswer))
        return kept.ask(former.run, f"{former.version} {latter.version}", compute)

    def _app(self, name: str) -> FastAPI:
        served = self.served(name)
        with self._lock:
            if name not in self._apps:
                self._apps[name] = self._make(served)
                served.gallery.start()
            return self._apps[name]


@router.get("/runs")
def runs(request: Request) -> list[RunCard]:
    """The runs that are served, by name."""
    several: Runs = request.app.state.runs
    return [_card(several, name) for name in several.places]


@router.get("/difference")
def compared(request: Request, first: str, second: str) -> DifferenceAnswer:
    """The difference between two runs of the same photos, most changed photos first.

    The first request begins to compare them; before that is done, the answer is how far it is.
    """
    several: Runs = request.app.state.runs
    return several.difference_of(first, second)


def _card(several: Runs, name: str) -> RunCard:
    place = several.places[name]
    try:
        served = several.served(name)
        store = served.collection.store
        counts = store.counts()
        with reading(store.run):
            images = read_rows(store.table(schema.IMAGES), ["key", "objects"], "objects > 0")
    except HeapError as error:
        return RunCard(name=name, reason=message_of(error, place))
    keys = images.sort_by([("objects", "ascending"), ("key", "ascending")])["key"].to_pylist()
    step = max(1, len(keys) // _THUMBNAILS)
    features = store.config.get("model", {}).get("features", {})
    return RunCard(
        name=name,
        images=counts.done + counts.empty,
        objects=counts.objects,
        failed=counts.failed,
        model=run_name(store.model) if store.model else "",
        encoder=without_folders(str(features.get("encoder", "")), served.run),
        changed=_changed(place),
        thumbnails=keys[step // 2 :: step][:_THUMBNAILS],
    )


def _changed(place: Path | str) -> str | None:
    """Time of the last write to a run on this machine, UTC in ISO 8601."""
    folder = folder_of(place)
    if folder is None:
        return None
    # Every write makes a version of a table, which is a file in this folder of it.
    written = [path.stat().st_mtime for path in (folder / STORE_NAME).glob("*.lance/_versions")]
    return datetime.fromtimestamp(max(written), UTC).isoformat("T", "seconds") if written else None


def _answer(told: RunDifference) -> DifferenceAnswer:
    both, first, second = told.counts
    return DifferenceAnswer(
        state="done",
        both=both,
        only=(first, second),
        alone=(list(told.alone[0]), list(told.alone[1])),
        photos=[PhotoDifferenceAnswer.from_photo(photo) for photo in told.photos],
    )
