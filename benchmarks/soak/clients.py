"""Many clients of one `heap serve`: they browse, search, upload, correct, export, and vanish."""

import io
import json
import shutil
import socket
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
from PIL import Image

import heap
from benchmarks.common import images_in
from benchmarks.serving import serving
from benchmarks.soak.kills import PHOTOS
from benchmarks.soak.rows import Row
from heap.store.store import RunStore

_SAMPLE = 2.0
"""Seconds between two looks at the memory of the server."""
_SLOW = 120.0
"""Seconds after which a request counts as one that hangs."""
_FORMATS = ("coco", "yolo", "csv", "labelme")
_USUAL = (200, 202)
_REFUSED = (409, 422, 503)
"""Others were first, what was sent is no image, or too many ask for the same at one time."""
_TABLES = ("images", "objects")


class Client(Thread):
    """One client, which owns some objects and perhaps a category that only it corrects."""

    def __init__(self, number: int, address: str, facts: "Facts", until: float, seed: int) -> None:
        super().__init__(daemon=True)
        self.took: defaultdict[str, list[float]] = defaultdict(list)
        self.statuses: Counter[tuple[str, str]] = Counter()
        self.rejected: dict[str, bool | None] = {}
        """Last correction of objects that it owns; None: the server may have heard it or not."""
        self.named: dict[int, str | None] = {}
        self._number, self._address, self._facts, self._until = number, address, facts, until
        self._draw = np.random.default_rng([seed, number])
        self._objects = facts.objects[number :: facts.clients]
        """Objects that only this client corrects; the last clients may have none."""
        self._category = facts.categories[number] if number < len(facts.categories) else None

    def run(self) -> None:
        """Do one thing after another until the time is over."""
        actions: Sequence[tuple[Callable[[httpx.Client], None], int]] = (
            (self._browse, 8), (self._look, 6), (self._like_object, 4), (self._upload, 4),
            (self._correct, 5), (self._rename, 3), (self._export, 1), (self._vanish, 4),
        )  # fmt: skip
        weights = np.array([weight for _, weight in actions], dtype=float)
        with httpx.Client(base_url=self._address, timeout=_SLOW) as client:
            while time.monotonic() < self._until:
                act, _ = actions[int(self._draw.choice(len(actions), p=weights / weights.sum()))]
                act(client)
                time.sleep(float(self._draw.exponential(0.2)))

    def _ask(
        self, client: httpx.Client, kind: str, method: str, path: str, **values: Any
    ) -> httpx.Response | None:
        began = time.monotonic()
        try:
            answer = client.request(method, path, **values)
        except httpx.HTTPError as error:
            self.statuses[kind, type(error).__name__] += 1
            return None
        self.took[kind].append(1000 * (time.monotonic() - began))
        self.statuses[kind, str(answer.status_code)] += 1
        return answer

    def _any(self, values: Sequence[Any]) -> Any:
        return values[int(self._draw.integers(len(values)))]

    def _browse(self, client: httpx.Client) -> None:
        places = ("/api/run", "/api/categories", "/api/contents", "/")
        self._ask(client, "browse", "GET", self._any(places))

    def _look(self, client: httpx.Client) -> None:
        places = ("/api/outlines", "/pictures/thumbnail", "/pictures/photo", "/pictures/regions")
        key = {"key": self._any(self._facts.keys)}
        self._ask(client, "look", "GET", self._any(places), params=key)

    def _like_object(self, client: httpx.Client) -> None:
        values = {"id": self._any(self._facts.objects), "where": "score > 0.2", "count": 24}
        self._ask(client, "search", "GET", "/api/nearest/object", params=values)

    def _upload(self, client: httpx.Client) -> None:
        path = self._any(("/api/discover", "/api/nearest/image"))
        data: bytes = self._any(self._facts.uploads)
        if self._draw.random() < 0.1:
            data = data[: len(data) // 2]
        self._ask(client, "upload", "POST", path, content=data)

    def _correct(self, client: httpx.Client) -> None:
        if not self._objects:
            return
        name, rejected = self._any(self._objects), bool(self._draw.random() < 0.5)
        change = {"ids": [name], "rejected": rejected}
        answer = self._ask(client, "correct", "POST", "/api/objects/rejected", json=change)
        self._settle(self.rejected, name, rejected, answer)

    def _rename(self, client: httpx.Client) -> None:
        if self._category is None:
            return
        name = f"name {self._number}-{self._draw.integers(10**6)}"
        path = f"/api/categories/{self._category}/name"
        answer = self._ask(client, "correct", "POST", path, json={"name": name})
        self._settle(self.named, self._category, name, answer)

    @staticmethod
    def _settle(
        said: dict[Any, Any], what: object, value: object, answer: httpx.Response | None
    ) -> None:
        """Remember a correction that was acknowledged; one that was refused changes nothing."""
        if answer is None or (answer.status_code >= 500 and answer.status_code != 503):
            said[what] = None
        elif answer.status_code in _USUAL:
            said[what] = value

    def _export(self, client: httpx.Client) -> None:
        wanted = {"format": self._any(_FORMATS), "crops": bool(self._draw.random() < 0.3)}
        self._ask(client, "export", "POST", "/api/export", json=wanted)
        state = self._ask(client, "browse", "GET", "/api/export")
        if state is not None and state.json().get("state") == "done":
            archive = self._ask(client, "archive", "GET", "/api/export/archive")
            if archive is not None and archive.status_code == 404:
                # Somebody else has begun the next one meanwhile.
                self.statuses["archive", "404"] -= 1

    def _vanish(self, client: httpx.Client) -> None:
        """Begin a request, and leave before it is answered, or before all of it was sent."""
        place, body = urlsplit(self._address), self._any(self._facts.uploads)
        way = int(self._draw.integers(5))
        path = ("/api/discover", "/api/discover", "/api/nearest/image", "/api/run", "/api/run")[way]
        method = "POST" if way < 3 else "GET"
        head = f"{method} {path} HTTP/1.1\r\nHost: {place.netloc}\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n" if way < 3 else "\r\n"
        sent = head.encode() + (body if way < 3 else b"")
        cut = {0: len(sent) // 2, 3: len(head) // 2}.get(way, len(sent))
        with (
            suppress(OSError),
            socket.create_connection((place.hostname, place.port), timeout=_SLOW) as connection,
        ):
            connection.sendall(sent[:cut])
            time.sleep(float(self._draw.exponential(0.3)))
        self.statuses["vanish", "gone"] += 1


class Facts:
    """Facts about the run that the clients know."""

    def __init__(self, run: Path, clients: int) -> None:
        table = heap.open(run).objects.to_arrow().sort_by("id")
        self.clients = clients
        self.objects: list[str] = table["id"].to_pylist()
        self.keys: list[str] = sorted(set(table["key"].to_pylist()))
        self.categories = [category.id for category in heap.open(run).categories]
        self.uploads = list(map(_upload, images_in(PHOTOS)))


def _upload(photo: Path) -> bytes:
    with Image.open(photo) as image:
        image.thumbnail((640, 640))
        file = io.BytesIO()
        image.convert("RGB").save(file, "JPEG")
    return file.getvalue()


def soak_server(fresh: Path, work: Path, clients: int, minutes: float, seed: int) -> list[Row]:
    """Serve a copy of the run `fresh` to so many clients for so long; rows of what happened."""
    place, temporary = work / "served", work / "temporary"
    for folder in (place, temporary):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(fresh, place)
    temporary.mkdir()
    run, before = place / "run", _counts(place / "run")
    facts = Facts(run, clients)
    with serving(run, temporary=temporary) as served:
        until = time.monotonic() + 60 * minutes
        crowd = [Client(number, served.address, facts, until, seed) for number in range(clients)]
        for client in crowd:
            client.start()
        samples = _memory(psutil.Process(served.process.pid), until)
        for client in crowd:
            client.join(2 * _SLOW)
        answers = httpx.get(f"{served.address}/api/run", timeout=_SLOW).status_code == 200
        _wait_for_export(served.address)
    rows: list[Row] = [{"part": "clients", **sample} for sample in samples]
    rows += _answers(crowd)
    rows.append(
        {
            "part": "clients",
            "clients": clients,
            "stuck": sum(client.is_alive() for client in crowd),
            "answers": answers,
            "exit_code": served.process.returncode,
            "said": [line[:200] for line in served.said[:5]],
            "lost": _lost(run, crowd) + [name for name, count in _counts(run).items()
                                         if count != before[name]],
            "corrections": sum(len(client.rejected) + len(client.named) for client in crowd),
            "left": [path.name for path in temporary.iterdir()]
            + [path.name for path in run.iterdir() if path.name.endswith((".partial", ".old"))],
        }
    )  # fmt: skip
    return rows


def about_clients(rows: list[Row]) -> Row:
    """Whether the memory stays within bounds, nothing is lost, and everybody is answered."""
    samples = [row for row in rows if "rss_mb" in row]
    answers = [row for row in rows if "statuses" in row]
    (end,) = (row for row in rows if "stuck" in row)
    fifth = max(1, len(samples) // 5)
    early = statistics.median(row["rss_mb"] for row in samples[fifth : 2 * fifth] or samples)
    late = statistics.median(row["rss_mb"] for row in samples[-fifth:])
    statuses: Counter[str] = Counter()
    for row in answers:
        statuses.update(row["statuses"])
    good = {"gone", *map(str, (*_USUAL, *_REFUSED))}
    return {
        "clients": end["clients"],
        "seconds": samples[-1]["second"],
        "requests": sum(statuses.values()),
        "unexpected": {code: count for code, count in statuses.items() if code not in good},
        "refused_for_now": statuses["503"],
        "browse_ms": {
            name: next((row[name] for row in answers if row["kind"] == "browse"), 0.0)
            for name in ("median", "p95", "longest")
        },
        "peak_mb": max(row["rss_mb"] for row in samples),
        "early_mb": early,
        "late_mb": late,
        "growth": late / early - 1,
        "corrections": end["corrections"],
        "lost": len(end["lost"]),
        "files_left": len(end["left"]),
        "ended_well": end["exit_code"] == 0 and not end["said"] and not end["stuck"]
        and end["answers"],
    }  # fmt: skip


def _memory(process: psutil.Process, until: float) -> list[Row]:
    """Resident memory of the server and what it has started, again and again."""
    began, samples = time.monotonic(), []
    while time.monotonic() < until:
        total = 0
        for member in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += member.memory_info().rss
        second = round(time.monotonic() - began, 1)
        samples.append({"second": second, "rss_mb": round(total / 1e6, 1)})
        time.sleep(_SAMPLE)
    return samples


def _answers(crowd: Sequence[Client]) -> list[Row]:
    """For each kind of request how it was answered, and how long that took."""
    statuses: defaultdict[str, Counter[str]] = defaultdict(Counter)
    took: defaultdict[str, list[float]] = defaultdict(list)
    for client in crowd:
        for (kind, status), count in client.statuses.items():
            statuses[kind][status] += count
        for kind, times in client.took.items():
            took[kind] += times
    return [
        {
            "part": "clients",
            "kind": kind,
            "statuses": dict(+statuses[kind]),
            "median": float(np.median(took[kind] or [0])),
            "p95": float(np.quantile(took[kind] or [0], 0.95)),
            "longest": float(max(took[kind], default=0)),
        }
        for kind in sorted(statuses)
    ]


def _wait_for_export(address: str) -> None:
    while httpx.get(f"{address}/api/export", timeout=_SLOW).json()["state"] == "running":
        time.sleep(0.2)


def _counts(run: Path) -> dict[str, int]:
    store = RunStore.open(run)
    return {name: store.table(name).count_rows() for name in _TABLES}


def _lost(run: Path, crowd: Sequence[Client]) -> list[str]:
    """Corrections that were acknowledged and are not in the store."""
    table = heap.open(run).store.table("objects").to_arrow()
    rejected = dict(zip(table["id"].to_pylist(), table["rejected"].to_pylist(), strict=True))
    named = {category.id: category.name for category in heap.open(run).categories}
    said = [(rejected, client.rejected) for client in crowd]
    said += [(named, client.named) for client in crowd]  # type: ignore[misc]
    return [
        json.dumps([str(what), value])
        for stored, acknowledged in said
        for what, value in acknowledged.items()
        if value is not None and stored[what] != value
    ]
