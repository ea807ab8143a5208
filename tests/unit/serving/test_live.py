"""The stream of events, from a server of its own: answers without an end need a real one."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers import serving

from heap.base.lock import RunLock
from heap.categories.edit import rename
from heap.discovery.announcing import Announced
from heap.store.editing import Editor
from heap.store.store import RunStore

Events = Iterator[dict[str, Any]]


@contextmanager
def events_of(address: str) -> Iterator[Events]:
    with httpx.stream("GET", f"{address}/api/events", timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield (json.loads(line[5:]) for line in answer.iter_lines() if line.startswith("data:"))


@pytest.fixture
def address(run: Path, python: list[str]) -> Iterator[str]:
    # That the server complains of nothing at its end shows that open streams end with it.
    with serving(run, python=python) as address:
        yield address


def test_an_event_comes_at_once_and_again_after_a_correction(address: str, run: Path) -> None:
    with events_of(address) as events:
        first = next(events)
        assert first["version"] == httpx.get(f"{address}/api/run").json()["version"]
        assert (first["work"], first["export"]["state"]) == (None, "none")
        with Editor(run) as editor:
            rename(editor, {1: "elsewhere"})
        assert next(events)["version"] != first["version"]


def test_an_export_tells_its_progress_and_its_end_also_if_it_is_like_the_one_before(
    address: str,
) -> None:
    with events_of(address) as events:
        next(events)
        for number in (1, 2):
            begun = httpx.post(f"{address}/api/export", json={"format": "csv"}).json()
            assert begun["number"] == number
            while (told := next(events)["export"])["state"] == "running":
                pass
            assert (told["state"], told["number"]) == ("done", number)


def test_the_work_of_another_process_is_told_until_it_ends(address: str, run: Path) -> None:
    with events_of(address) as events:
        assert next(events)["work"] is None
        with RunLock(run) as lock:
            lock.tell({"stage": "objects", "done": 3, "total": 9, "rate": 1.5})
            assert next(events)["work"] == {"stage": "objects", "done": 3, "total": 9, "rate": 1.5}
        assert next(events)["work"] is None


def test_a_process_that_was_killed_is_at_work_no_longer(address: str, run: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from heap.base.lock import RunLock\n"
        "with RunLock(Path(sys.argv[1])) as lock:\n"
        "    lock.tell({'stage': 'objects', 'done': 0, 'total': None, 'rate': None})\n"
        "    print(flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, str(run)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as child,
        events_of(address) as events,
    ):
        assert child.stdout is not None
        child.stdout.readline()
        while next(events)["work"] is None:
            pass
        child.kill()
        child.wait()
        assert next(events)["work"] is None
    assert (run / ".lock").exists()


def test_discover_notes_its_progress_with_the_rate_of_this_call(run: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    store = RunStore.create_or_open(run, RunStore.open(run).config)
    with store:
        report = Announced(lambda *news: told.append(news), store)
        report("objects", 100, 102)
        time.sleep(0.2)
        report("objects", 101, 102)  # Too soon after the one before: it is not noted.
        noted = json.loads((run / ".lock").read_text().splitlines()[2])
        assert noted == {"stage": "objects", "done": 100, "total": 102, "rate": None}
        report("objects", 102, 102)
        pid, _, text = (run / ".lock").read_text().splitlines()
    noted = json.loads(text)
    assert int(pid) == os.getpid()
    assert (noted["done"], noted["total"]) == (102, 102)
    assert 0 < noted["rate"] <= 10, "two images in 0.2 seconds or more"
    assert told == [("objects", 100, 102), ("objects", 101, 102), ("objects", 102, 102)]
    assert not (run / ".lock").exists()
