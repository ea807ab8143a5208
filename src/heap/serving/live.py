"""Stream of events: what changes while a page is open, so that no page has to ask again and again.

An event comes when anything of it has changed: the version of the run, the work of another process
on it, or an export.
"""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import psutil
from anyio import Event, move_on_after, to_thread
from fastapi import APIRouter, Request
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel, ValidationError

from heap.base.lock import read_holder
from heap.serving.answers import ExportAnswer
from heap.serving.browsing import Served
from heap.serving.exporting import Exporter
from heap.serving.served import ServedRun
from heap.store.place import folder_of

router = APIRouter(prefix="/api", tags=["browse"])
_PAUSE = 0.5
"""Seconds between two looks at the run."""


class Work(BaseModel):
    """Work of another process on the run, such as `heap discover`; corrections wait for its end."""

    stage: str
    done: int
    total: int | None
    """Null: nobody knows."""
    rate: float | None
    """What is done in a second."""


class Now(BaseModel):
    """State of the run at a moment."""

    version: str
    """Version of the run, as in `/api/run`."""
    work: Work | None
    export: ExportAnswer


class Ending:
    """End of the application, for which open streams must not wait."""

    def __init__(self) -> None:
        self._event: Event | None = None

    def begin(self) -> None:
        """Let all streams end."""
        self._events().set()

    @property
    def has_begun(self) -> bool:
        """Whether it has come."""
        return self._event is not None and self._event.is_set()

    async def wait(self, seconds: float) -> bool:
        """Wait for the end, but no longer than that; returns whether it has come."""
        with move_on_after(seconds):
            await self._events().wait()
        return self.has_begun

    def _events(self) -> Event:
        # Made in the loop that waits for it.
        self._event = self._event or Event()
        return self._event


@router.get("/events", response_class=EventSourceResponse)
async def events(request: Request, served: Served) -> AsyncIterator[Now]:
    """The run as it is now, and again whenever that changes, as server-sent events."""
    exporter: Exporter = request.app.state.exporter
    ending: Ending = request.app.state.ending
    last = None
    while True:
        now = await to_thread.run_sync(_look, served, exporter)
        if now != last:
            yield now
        last = now
        if await ending.wait(_PAUSE):
            return


def _look(served: ServedRun, exporter: Exporter) -> Now:
    version = "-".join(map(str, served.recent().versions))
    return Now(version=version, work=_work_on(served), export=exporter.answer)


def _work_on(served: ServedRun) -> Work | None:
    folder = folder_of(served.run)
    holder = None if folder is None else read_holder(folder)
    if holder is None or not holder.progress:
        return None
    here = holder.host == socket.gethostname()
    if here and (holder.pid == os.getpid() or not psutil.pid_exists(holder.pid)):
        return None
    with suppress(ValidationError):  # It may be read while it is being written.
        return Work.model_validate_json(holder.progress)
    return None
