"""Commands that are killed at random moments, repeated, and compared with an uninterrupted one."""

import hashlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common import CACHES, images_in, run_heap
from benchmarks.killing import POLL
from benchmarks.report import rows_by
from benchmarks.soak.rows import Row, Rows
from heap.base.errors import InputError
from heap.base.lock import LOCK_NAME
from heap.categories.listing import categories
from heap.store import schema
from heap.store.place import STORE_NAME
from heap.store.store import RunStore

PHOTOS = Path("demo/photos")
_SIDE, _PIECES = 128, 32
SETTINGS = {
    "fit": {"steps": 60, "checkpoint_every": 5, "batch": 8, "learning_rate": 1e-2},
    "features": {"resolution": 64, "cues": ["colour", "boundary"]},
    "head": {"groups": 4, "blocks": 1, "heads": 2, "width": 16},
}
"""Settings of fits that take seconds, on an encoder without training: only the files count."""
_TABLES = (schema.IMAGES, schema.OBJECTS, schema.CATEGORIES)
_TEMPORARY = ("*.partial", ".*.partial", ".*.old", ".*.leaving", ".store-partial", LOCK_NAME)
"""Names of what must be gone at the end of a command."""
CHECKPOINT = "model/checkpoint.pt"
"""File that a fit goes on from; after a kill it holds the same in other bytes; it is no result."""
_PATIENCE = 600.0
"""Seconds that no command may take, however often it was killed."""


@dataclass(frozen=True)
class Command:
    """A command that is killed again and again in `folder`."""

    name: str
    arguments: list[str | Path]
    folder: Path
    """All that it writes is in it."""
    fresh: Path | None
    """Contents of the folder before the command; None: nothing."""
    in_a_row: int
    """Kills before it may end."""
    writes: Callable[[float], bool]
    """Whether a process that was started at this time has begun to write."""

    def prepare(self) -> None:
        """Begin anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.fresh is None:
            self.folder.mkdir(parents=True)
        else:
            shutil.copytree(self.fresh, self.folder)


def kill(wanted: int, work: Path, rows: Rows, seed: int) -> None:
    """Kill each of the commands so often in all, always the one that was killed least so far."""
    truths: dict[str, tuple[dict[str, str], float]] = {}
    commands = _commands(work)
    with _Starter(work) as starter:
        while True:
            mine = {command.name: [row for row in rows.all if row["command"] == command.name]
                    for command in commands}  # fmt: skip
            done = {name: sum(row["kills"] for row in rows) for name, rows in mine.items()}
            command = min(commands, key=lambda command: done[command.name])
            if done[command.name] >= wanted:
                return
            if command.name not in truths:
                truths[command.name] = _uninterrupted(command, starter)
            draw = np.random.default_rng([seed, len(mine[command.name])])
            kills = min(command.in_a_row, wanted - done[command.name])
            rows.add(_round(command, kills, draw, truths[command.name], starter))


def about_kills(rows: list[Row]) -> Row:
    """Kills of each command, and whether they were seen in any result."""
    of = rows_by(rows, "command")
    return {
        name: {
            "kills": sum(row["kills"] for row in mine),
            "rounds": len(mine),
            "failed": sum(bool(row["failed"]) for row in mine),
            "other_results": sum(
                not row["identical"]
                for row in mine
                if set(row.get("differs", ("unknown",))) - {CHECKPOINT}
            ),
            "files_left": sum(len(row["left"]) for row in mine),
            # LanceDB makes one while it writes, and a killed process cannot remove it.
            "empty_temporary": max(row.get("empty_temporary", 0) for row in mine),
        }
        for name, mine in of.items()
    }


def sorted_run(work: Path, model: Path | str, photos: Path, count: int) -> Path:
    """A folder with a run that a model has made of photos, with so many categories."""
    partial, fresh = work / "partial", work / f"run-{Path(model).name}"
    if not fresh.exists():
        shutil.rmtree(partial, ignore_errors=True)
        run_heap("discover", photos, "--out", partial / "run", "--model", model)
        run_heap("categories", partial / "run", "--k", str(count), "--name", "1=first")
        partial.rename(fresh)
    return fresh


def _commands(work: Path) -> list[Command]:
    """The commands, with what they begin from."""
    photos, encoder, model = work / "photos", work / "encoder", work / "model"
    settings = work / "settings.json"
    if not photos.exists():
        _write_pieces(photos)
        _write_encoder(encoder)
    settings.write_text(json.dumps(SETTINGS), encoding="utf-8")
    fitting: list[str | Path] = [
        "--encoder",
        encoder,
        "--settings",
        settings,
        "--prior",
        "boundary",
    ]
    if not model.exists():
        run_heap("fit", photos, "--out", model, *fitting, "--cache", work / "cache")
    fresh = sorted_run(work, model, photos, 6)
    numbers = [category.id for category in categories(RunStore.open(fresh / "run"))]
    place = work / "killed"
    run, fitted = place / "run", place / "model"

    def merged(at: int) -> str:
        return f"{numbers[at]},{numbers[at + 1]}"

    return [
        Command(
            "discover",
            ["discover", photos, "--out", run, "--model", model, "--save", "overlays",
             "--save", "masks"],
            place, None, 5, _locked(run),
        ),
        Command(
            "fit",
            ["fit", photos, "--out", fitted, *fitting, "--cache", place / "cache"],
            place, None, 5, _locked(fitted),
        ),
        Command(
            "categories",
            ["categories", run, "--merge", merged(0), "--merge", merged(2), "--name",
             f"{numbers[2]}=both"],
            place, fresh, 2, _locked(run),
        ),
        Command(
            "export",
            ["export", run, "--format", "yolo", "--categories", "--crops", "--out", place / "out"],
            place, fresh, 2, _made_since(place / ".out.partial"),
        ),
    ]  # fmt: skip


def _write_pieces(folder: Path) -> None:
    """Squares cut out of the demo photos, each at another place."""
    draw = np.random.default_rng(0)
    photos = images_in(PHOTOS)
    partial = folder.with_name(f"{folder.name}-partial")
    partial.mkdir(parents=True, exist_ok=True)
    for number in range(_PIECES):
        with Image.open(photos[number % len(photos)]) as photo:
            side = min(_SIDE, *photo.size)
            left, top = (int(draw.integers(size - side + 1)) for size in photo.size)
            piece = photo.crop((left, top, left + side, top + side)).convert("RGB")
        piece.save(partial / f"{number:02d}.jpg", quality=90)
    partial.rename(folder)


def _write_encoder(folder: Path) -> None:
    """A tiny vision transformer with random weights."""
    import torch
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48,
        patch_size=8, image_size=64,
    )  # fmt: skip
    model = ViTModel(config, add_pooling_layer=False)
    for weight in model.parameters():
        if weight.ndim > 1:
            weight.data = 0.2 * torch.randn(weight.shape)
    model.save_pretrained(folder)
    colours = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(colours), encoding="utf-8")


def _locked(folder: Path) -> Callable[[float], bool]:
    return _made_since(folder / LOCK_NAME)


def _made_since(path: Path) -> Callable[[float], bool]:
    def has_changed(began: float) -> bool:
        try:
            return path.stat().st_mtime > began
        except OSError:
            return False

    return has_changed


def _uninterrupted(command: Command, starter: "_Starter") -> tuple[dict[str, str], float]:
    """Files that the command leaves, and the seconds from its first write to its end."""
    command.prepare()
    starter.start(command)
    began = time.monotonic()
    starter.end(command)
    return _contents(command.folder), time.monotonic() - began


def _round(
    command: Command,
    kills: int,
    draw: np.random.Generator,
    uninterrupted: tuple[dict[str, str], float],
    starter: "_Starter",
) -> Row:
    """Kill the command a few times, let it end, and compare what it leaves."""
    truth, seconds = uninterrupted
    command.prepare()
    moments: list[float] = []
    began, failed = time.monotonic(), ""
    while len(moments) < kills:
        # Of several in a row, each gets its share of the work.
        moment = draw.uniform(0, seconds * min(1, 2 / command.in_a_row))
        starter.start(command)
        if not starter.kill_after(moment):
            break
        moments.append(round(moment, 3))
    try:
        starter.start(command)
        starter.end(command)
    except InputError as error:
        failed = str(error)
    contents = _contents(command.folder)
    names = sorted(truth.keys() | contents.keys())
    return {
        "part": "kills",
        "command": command.name,
        "kills": len(moments),
        "after": moments,
        "seconds": round(time.monotonic() - began, 1),
        "failed": failed,
        "identical": contents == truth,
        "differs": [name for name in names if truth.get(name) != contents.get(name)][:5],
        "left": _left(command.folder) + sorted(map(str, _files(starter.temporary))),
        "empty_temporary": sum(1 for _ in starter.temporary.iterdir()),
    }


class _Starter:
    """The process that starts the commands; it is gone at the end of the `with` block."""

    command = (sys.executable, "-m", "benchmarks.soak.starter")

    def __init__(self, work: Path) -> None:
        self.temporary, self._log = work / "temporary", work / "said.txt"
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir(parents=True)
        self._pid: int | None = None

    def __enter__(self) -> "_Starter":
        self._process = subprocess.Popen(
            self.command,
            # Unbuffered: a line that Python had read already, `select` would wait for in vain.
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
            env=os.environ | {"TMPDIR": str(self.temporary), **CACHES},
        )  # fmt: skip
        return self

    def __exit__(self, *error: object) -> None:
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
        self._process.communicate()

    def start(self, command: Command) -> None:
        """Start a command, and wait until it has begun to write or has ended."""
        began = time.time()
        assert self._process.stdin is not None
        line = json.dumps([list(map(str, command.arguments)), str(self._log)])
        self._process.stdin.write(f"{line}\n".encode())
        self._pid = int(self._line().removeprefix("pid "))
        while not self._ended(POLL) and not command.writes(began):
            pass

    def kill_after(self, seconds: float) -> bool:
        """Let the command go on for so long and kill it; says whether it was still alive."""
        if self._ended(seconds):
            return self.status() < 0
        assert self._pid is not None
        os.kill(self._pid, signal.SIGKILL)
        return self.status() < 0

    def end(self, command: Command) -> None:
        """Wait for the end of the command.

        Raises:
            InputError: if it fails, or takes too long.
        """
        if not self._ended(_PATIENCE):
            raise InputError(f"{command.name} has not ended in {_PATIENCE:.0f} seconds")
        if code := self.status():
            words = self._log.read_text(encoding="utf-8", errors="replace")[-300:].strip()
            raise InputError(f"{command.name} ended with exit code {code}: {words}")

    def status(self) -> int:
        """The exit code of the command, or the signal that ended it as a negative number."""
        code = int(self._line().removeprefix("end "))
        self._pid = None
        return code

    def _ended(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode()


def _contents(folder: Path) -> dict[str, str]:
    """A digest of every file that a user sees, and of every table of a store."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not {STORE_NAME, "cache"} & set(inside.parts):
            digests[inside.as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif path.name == STORE_NAME:
            digests |= _tables(path.parent)
    return digests


def _tables(run: Path) -> dict[str, str]:
    store = RunStore.open(run)
    digests = {}
    for name in _TABLES:
        table = store.find(name)
        if table is not None:
            rows = table.to_arrow()
            order = "key" if name == schema.IMAGES else "id"
            values = json.dumps(rows.sort_by(order).to_pylist(), default=repr)
            digests[f"table {name}"] = hashlib.sha256(values.encode()).hexdigest()
    return digests


def _files(folder: Path) -> list[Path]:
    return [path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir()]


def _left(folder: Path) -> list[str]:
    """Temporary files that a command has left."""
    left = {path for pattern in _TEMPORARY for path in folder.rglob(pattern)}
    return sorted(path.relative_to(folder).as_posix() for path in left)
