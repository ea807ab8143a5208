"""The application: routes, errors, and the pages that it comes with."""

from importlib import import_module
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline

from heap.collection.collection import Collection
from heap.errors import BusyError, ConfigError, HeapError, InputError
from heap.serve import browsing, correcting, exporting, pictures, searching
from heap.serve.exporting import Exporter
from heap.serve.guard import guard
from heap.serve.served import ServedRun

_DRAWING = ("supervision", "contourpy", "matplotlib.path")
"""Imported where they are first needed, which requests in several threads would do at once and see
them half made; so they are imported before any request comes."""
STATIC = Path(str(files("heap.serve"))) / "static"


def make_app(
    run: Path | str,
    *,
    model: str | None = None,
    host: str = "127.0.0.1",
    read_only: bool = False,
    photos: Path | None = None,
    urls: bool = False,
) -> FastAPI:
    """The application over a run, to be reached at `host`.

    Photos are read where they were, or below the folder `photos`; from URLs only with `urls`.

    Raises:
        InputError: if `photos` is no folder.
        StoreError: if there is no run, or a damaged one, or one of a newer schema version.
        BusyError: if it is of an earlier version, and another process is writing there.
    """
    for name in _DRAWING:
        import_module(name)
    app = FastAPIOffline(
        redoc_url=None,
        title="heap serve",
        description="A run of heap: what was found in unlabelled images.",
        version=version("heap"),
        max_body_size=searching.UPLOAD.byte_count,
    )
    app.state.served = ServedRun(
        Collection(run, photos=photos, urls=urls), model, read_only=read_only
    )
    app.state.exporter = Exporter()
    for part in (browsing, pictures, searching, correcting, exporting):
        app.include_router(part.router)
    app.add_exception_handler(HeapError, _explain)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_api_route("/", _page, include_in_schema=False, response_class=FileResponse)
    guard(app, host)
    return app


def _page() -> FileResponse:
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})


def _explain(request: Request, error: Exception) -> JSONResponse:
    kinds = {BusyError: 409, InputError: 400, ConfigError: 400}
    status = next((code for kind, code in kinds.items() if isinstance(error, kind)), 500)
    return JSONResponse({"detail": str(error)}, status)
