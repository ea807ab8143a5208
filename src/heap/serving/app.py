"""The application: routes, errors, and the pages that it comes with."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import cast

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from heap.base.errors import (
    BusyError,
    ConfigError,
    HeapError,
    ImageError,
    InputError,
    WriteError,
)
from heap.report.outlines import load_drawing
from heap.run import Run
from heap.serving import (
    browsing,
    correcting,
    exporting,
    live,
    mapping,
    masking,
    pictures,
    searching,
    several,
)
from heap.serving.access import Access
from heap.serving.exporting import Exporter
from heap.serving.guard import Guard
from heap.serving.live import Ending
from heap.serving.served import ServedRun, StaleError
from heap.serving.several import Runs, find_runs
from heap.serving.wording import message_of
from heap.view.gallery import PAGE

logger = logging.getLogger(__name__)

PARTS = (browsing, live, pictures, mapping, searching, correcting, masking, exporting)
"""Modules that have the routes of the interface, in the order of its description."""
_TEXT_BYTES = 2**20
"""Most bytes in the body of a request that brings no image."""


def make_app(
    *runs: Path | str,
    model: str | None = None,
    encoder: str | None = None,
    access: Access | None = None,
    read_only: bool = False,
    photos: Path | None = None,
    urls: bool = False,
    ending: Ending | None = None,
) -> ASGIApp:
    """Make the application for a run, or for several; without `access` for this machine only.

    Of several, and of a folder of runs, there is a page of all, and each run is at `/runs/NAME/`,
    as a single one is at `/`; they are opened when they are first asked for. `ending` is told when
    the application ends, before its connections are closed.

    Photos are read where they were, or below the folder `photos`; from URLs only with `urls`.

    Raises:
        InputError: if `photos` is no folder, or `model` or `encoder` is given for several runs.
        StoreError: if there is no run, or a single one is damaged, or of a newer schema version.
        BusyError: if it is of an earlier version, and another process is writing there.
    """
    load_drawing()
    ending = ending or Ending()
    places = find_runs(runs)
    is_single = len(runs) == 1 and list(places.values()) == list(runs)
    if not is_single and (model or encoder):
        raise InputError("the models of several runs cannot be named; serve one run at a time")

    def serve(place: Path | str) -> ServedRun:
        collection = Run(place, photos=photos, urls=urls)
        return ServedRun(
            collection, model, encoder=encoder, read_only=read_only,
            is_one_of_several=not is_single,
        )  # fmt: skip

    def make(served: ServedRun) -> FastAPI:
        return _make_run_app(served, ending)

    app = make(serve(runs[0])) if is_single else _make_start(Runs(places, serve, make))
    return Guard(app, access or Access.at("127.0.0.1"))


def _make_run_app(served: ServedRun, ending: Ending) -> FastAPI:
    app = _make(_keep_gallery, "A run of heap: what was found in unlabelled images.", "index.html")
    app.state.served = served
    app.state.exporter = Exporter()
    app.state.ending = ending
    for part in PARTS:
        app.include_router(part.router)
    return app


def _make_start(runs: Runs) -> FastAPI:
    """Make the application of the page of all runs, with those of the runs below it."""
    app = _make(_close_runs, "Runs of heap: what was found in unlabelled images.", "start.html")
    app.state.runs = runs
    app.include_router(several.router)
    app.mount("/runs/{name}", runs)
    return app


def _make(
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]], description: str, page: str
) -> FastAPI:
    """Make an application with a page, the files of pages, and answers to errors."""
    app = FastAPIOffline(
        lifespan=lifespan,
        redoc_url=None,
        title="heap serve",
        description=description,
        version=version("heap"),
        max_body_size=_TEXT_BYTES,
    )
    app.add_exception_handler(HeapError, _explain)
    app.add_exception_handler(RequestValidationError, _explain_invalid)
    app.add_exception_handler(ClientDisconnect, _answer_nobody)
    app.add_exception_handler(Exception, _admit_failure)
    app.mount("/static", StaticFiles(directory=PAGE), name="static")

    def show() -> FileResponse:
        return FileResponse(PAGE / page, headers={"Cache-Control": "no-cache"})

    app.add_api_route("/", show, include_in_schema=False, response_class=FileResponse)
    return app


@asynccontextmanager
async def _keep_gallery(app: FastAPI) -> AsyncIterator[None]:
    served: ServedRun = app.state.served
    served.gallery.start()
    yield
    await to_thread.run_sync(served.gallery.close)


@asynccontextmanager
async def _close_runs(app: FastAPI) -> AsyncIterator[None]:
    yield
    await to_thread.run_sync(app.state.runs.close)


def _explain(request: Request, error: Exception) -> JSONResponse:
    kinds: dict[type[HeapError], int] = {
        StaleError: 409, BusyError: 409, WriteError: 507, InputError: 400, ConfigError: 400
    }  # fmt: skip
    status = next((code for kind, code in kinds.items() if isinstance(error, kind)), 500)
    if isinstance(error, ImageError):
        status = 410 if error.stage == "read" else 422
    if status == 500:
        logger.error("%s", error)
    served: ServedRun | None = getattr(request.app.state, "served", None)
    answer = {"detail": message_of(cast(HeapError, error), "" if served is None else served.run)}
    if isinstance(error, StaleError):
        answer["version"] = error.version
    return JSONResponse(answer, status)


def _explain_invalid(request: Request, error: Exception) -> JSONResponse:
    """Answer with status 422, without the values sent: not all of them can be written as JSON."""
    faults = cast(RequestValidationError, error).errors()
    said = [{name: fault[name] for name in ("type", "loc", "msg")} for fault in faults]
    return JSONResponse({"detail": said}, 422)


def _answer_nobody(request: Request, error: Exception) -> Response:
    """Answer to a client that left before all of its request had come: nobody reads it."""
    return Response(status_code=400)


def _admit_failure(request: Request, error: Exception) -> JSONResponse:
    """Answer with status 500; the traceback is only printed, for it tells of this machine."""
    return JSONResponse({"detail": "heap serve has failed at this; it has printed why"}, 500)
