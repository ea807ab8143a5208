"""Exports: one at a time, in the run's folder, and as an archive to take away."""

import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import StreamingResponse

from heap.base.errors import InputError
from heap.base.progress import OnProgress
from heap.export.command import Choices, export
from heap.export.formats import FORMATS, FormatName
from heap.export.selection import Selection
from heap.export.splits import Splits
from heap.serving.answers import ExportAnswer, ExportRequest
from heap.serving.background import Background
from heap.serving.browsing import Served
from heap.serving.correcting import writable
from heap.serving.wording import run_name
from heap.store.place import folder_of

router = APIRouter(prefix="/api", tags=["export"])
_PIECE = 2**20
_IDS_BYTES = 16 * 2**20
"""Most bytes of a request, which may name many objects."""


class Exporter:
    """Exports a run in the background."""

    def __init__(self) -> None:
        self.folder = Path()
        """Folder of the last finished export."""
        self._background = Background(ExportAnswer(state="none"))

    @property
    def answer(self) -> ExportAnswer:
        """Progress of the running export, or contents of the last one."""
        return self._background.answer

    def start(self, run: Path | str, wanted: ExportRequest, choices: Choices) -> ExportAnswer:
        """Begin an export; status 409 while another one is running."""
        with self._background.lock:
            last = self.answer
            if self._background.running:
                raise HTTPException(409, f"an export to {last.format} is running; wait")
            begun = ExportAnswer(state="running", number=last.number + 1, format=wanted.format)

            def compute(tell: OnProgress) -> ExportAnswer:
                return begun.model_copy(update=self._export(run, wanted, choices, tell))

            self._background.begin(begun, run, compute)
            return begun

    def _export(
        self, run: Path | str, wanted: ExportRequest, choices: Choices, tell: OnProgress
    ) -> dict[str, object]:
        """Export, and return what is to be told of it."""
        name = cast(FormatName, wanted.format)
        exported = export(run, name, None, choices, tell)
        folder = f"{run_name(run)}/{exported.folder.name}"
        self.folder = exported.folder
        return {
            "state": "done",
            "folder": folder,
            "images": sum(split.images for split in exported.splits.values()),
            "objects": sum(split.objects for split in exported.splits.values()),
            "classes": list(exported.classes),
            "crops": exported.crops,
            "unread": len(exported.failures),
            "reader": FORMATS[name].reader.replace("OUT", folder),
        }


@router.post(
    "/export", status_code=202, dependencies=[Depends(writable)], max_body_size=_IDS_BYTES
)  # fmt: skip
def start(request: Request, served: Served, wanted: ExportRequest) -> ExportAnswer:
    """Begin an export to `export-FORMAT` in the run; it takes the place of an earlier one there.

    A selection, by `where` or `ids`, goes to `export-FORMAT-selection`.
    """
    if wanted.format not in FORMATS:
        raise InputError(f"{wanted.format!r} is no format; choose one of {', '.join(FORMATS)}")
    if folder_of(served.run) is None:
        raise InputError(
            "this run is in an object store, where no export is written; use `heap export` with "
            "--out FOLDER"
        )
    choices = Choices(
        categories=wanted.categories,
        min_score=wanted.min_score,
        selection=Selection(wanted.where, None if wanted.ids is None else frozenset(wanted.ids)),
        images=wanted.images,
        splits=Splits.parse(wanted.split) if wanted.split else Splits(),
        crops=wanted.crops,
        photos=served.collection.photos.root,
        urls=served.collection.photos.urls,
    )
    exporter: Exporter = request.app.state.exporter
    return exporter.start(served.run, wanted, choices)


@router.get("/export")
def state(request: Request) -> ExportAnswer:
    """Progress of the running export, or contents of the last one."""
    exporter: Exporter = request.app.state.exporter
    return exporter.answer


@router.get("/export/archive", response_class=StreamingResponse)
async def archive(request: Request, served: Served) -> StreamingResponse:
    """The last export as a ZIP archive."""
    exporter: Exporter = request.app.state.exporter
    answer = exporter.answer
    if answer.state != "done":
        raise HTTPException(404, "there is no export that is done; begin one first")
    name = f"{run_name(served.run)}-{exporter.folder.name.removeprefix('export-')}.zip"
    # Headers are ASCII, and a quotation mark would end the name.
    safe = name.encode("ascii", "replace").decode().replace('"', "_").replace("?", "_")
    headers = {"Content-Disposition": f'attachment; filename="{safe}"'}
    file = await served.looking.take(_write_archive, exporter.folder)
    return StreamingResponse(_pieces(file), media_type="application/zip", headers=headers)


def _write_archive(folder: Path) -> IO[bytes]:
    """Write an archive without a name on the disk, which vanishes even if the client does."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  # closed where it is sent
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    file.seek(0)
    return file


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece
