"""`heap serve` as people run it: beside a process that writes, and with what must be refused."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from serving import serving
from store_writer import CONFIG, record, write

from heap.collection.records import Finished
from heap.collection.store import RunStore
from heap.serve.searching import UPLOAD

WRITER = Path(__file__).with_name("store_writer.py")
PHOTOS = Path(__file__).parents[2] / "demo" / "photos"
IMAGES, CHUNK = 240, 4


def heap(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "heap", *map(str, arguments)]


def get(client: httpx.Client, path: str, **values: Any) -> Any:
    answer = client.get(path, params=values)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_discovering_goes_on_while_another_process_serves(tmp_path: Path) -> None:
    run = tmp_path / "run"
    subprocess.run(heap("discover", PHOTOS, "--out", run, "--limit", 3), check=True, timeout=300)
    with serving(run) as address, httpx.Client(base_url=address, timeout=60) as client:
        assert get(client, "/api/run")["images"] == 3
        child = subprocess.Popen(heap("discover", PHOTOS, "--out", run))
        seen, refused, answered = 3, 0, 0
        while child.poll() is None:
            told = get(client, "/api/run")
            assert told["images"] >= seen, "something was lost"
            seen = told["images"]
            for image in get(client, "/api/images")["images"]:
                get(client, "/api/image", key=image["key"])
                answered += 1
            change = {"ids": ["astronaut.jpg#0"], "rejected": False}
            refused += client.post("/api/objects/rejected", json=change).status_code == 409
        assert child.wait() == 0
        assert answered
        assert refused
        photos = sorted(path.name for path in PHOTOS.iterdir())
        images = get(client, "/api/images")["images"]
        assert [each["key"] for each in images] == photos
        change = {"ids": ["astronaut.jpg#0"], "rejected": True}
        assert client.post("/api/objects/rejected", json=change).status_code == 204


def test_reads_and_writes_at_the_same_moment(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write(run, CHUNK, CHUNK)
    stored = [CHUNK]

    def add(store: RunStore) -> None:
        for start in range(CHUNK, IMAGES, CHUNK):
            store.add([record(place) for place in range(start, start + CHUNK)])
            stored.append(start + CHUNK)
            if start % 40 == 0:
                store.compact()

    with (
        serving(run) as address,
        httpx.Client(base_url=address, timeout=60) as client,
        RunStore.create_or_open(run, CONFIG) as store,
    ):
        thread = Thread(target=add, args=(store,))
        thread.start()
        while thread.is_alive():
            least = stored[-1]
            told = get(client, "/api/run")
            assert least <= told["images"] + told["failed"] <= IMAGES
            images = get(client, "/api/images", order="score", limit=500)["images"]
            assert len(images) >= told["images"]
            detail = get(client, "/api/image", key=images[least % len(images)]["key"])
            assert len(detail["shapes"]) == detail["image"]["objects"]
            for shape in detail["shapes"][:1]:
                assert get(client, "/api/nearest/object", id=shape["object"]["id"])
        thread.join()
        second = subprocess.run(
            [sys.executable, str(WRITER), str(run), str(IMAGES), str(CHUNK)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert second.returncode == 2
        assert "being written by process" in second.stderr
        wanted = [item for item in map(record, range(IMAGES)) if isinstance(item, Finished)]
        found = {
            each["key"]: each["objects"] for each in get(client, "/api/images", limit=500)["images"]
        }
        assert found == {item.key: len(item.result.objects) for item in wanted}


def test_a_large_upload_is_refused_before_it_has_come(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write(run, 4, CHUNK)
    with serving(run) as address:
        place = urlsplit(address)
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=60)
        connection.putrequest("POST", "/api/discover")
        connection.putheader("Content-Length", str(UPLOAD.byte_count * 100))
        connection.endheaders()
        assert connection.getresponse().status == 413
        connection.close()


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write(run, 4, CHUNK)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = heap("serve", run, "--port", port)
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "--port" in ended.stderr


@pytest.mark.parametrize("missing", ["nothing", "folder"])
def test_what_is_no_run_is_not_served(tmp_path: Path, missing: str) -> None:
    (tmp_path / "folder").mkdir()
    command = heap("serve", tmp_path / missing)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 3
    assert "heap discover" in ended.stderr


def test_interrupting_it_ends_it(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write(run, 4, CHUNK)
    child = subprocess.Popen(heap("serve", run, "--port", 0), stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    assert "Ctrl+C" in child.stderr.readline()
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=30)
    assert child.returncode in (0, 130)
    assert "Traceback" not in told


def test_its_interface_can_be_read_by_programs(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write(run, 4, CHUNK)
    with serving(run) as address:
        described = json.loads(httpx.get(f"{address}/openapi.json").text)
        assert described["info"]["title"] == "heap serve"
