"""`heap serve` as people run it: beside a process that writes, and with what must be refused."""

import http.client
import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import uvicorn
from servers import serving
from store_writer import CONFIG, record, write

from heap.serving import patience
from heap.serving.live import Ending
from heap.serving.searching import UPLOAD
from heap.store.records import Finished
from heap.store.store import RunStore

WRITER = Path(__file__).with_name("store_writer.py")
PHOTOS = Path(__file__).parents[2] / "demo" / "photos"
IMAGES, CHUNK = 240, 4

Heap = Callable[..., list[str]]


@pytest.fixture
def heap(python: list[str]) -> Heap:
    """The command line of `heap` with these arguments."""
    return lambda *arguments: [*python, "-m", "heap", *map(str, arguments)]


def get(client: httpx.Client, path: str, **values: Any) -> Any:
    answer = client.get(path, params=values)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_discovering_goes_on_while_another_process_serves(
    heap: Heap, python: list[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    discover = heap("discover", PHOTOS, "--out", run, "--encoder", "embedded-small")
    subprocess.run([*discover, "--limit", "3"], check=True, timeout=300)
    with (
        serving(run, python=python) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        assert get(client, "/api/run")["images"] == 3
        child = subprocess.Popen(discover)
        seen, refused, answered = 3, 0, 0
        while child.poll() is None:
            told = get(client, "/api/run")
            assert told["images"] >= seen, "something was lost"
            seen = told["images"]
            for key in get(client, "/api/contents")["images"]["key"]:
                get(client, "/api/outlines", key=key)
                answered += 1
            change = {"ids": ["astronaut.jpg#0"], "rejected": False}
            refused += client.post("/api/objects/rejected", json=change).status_code == 409
        assert child.wait() == 0
        assert answered
        assert refused
        photos = sorted(path.name for path in PHOTOS.iterdir())
        assert get(client, "/api/contents")["images"]["key"] == photos
        change = {"ids": ["astronaut.jpg#0"], "rejected": True}
        assert client.post("/api/objects/rejected", json=change).status_code == 200


def test_reads_and_writes_at_the_same_moment(python: list[str], tmp_path: Path) -> None:
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
        serving(run, python=python) as address,
        httpx.Client(base_url=address, timeout=60) as client,
        RunStore.create_or_open(run, CONFIG) as store,
    ):
        thread = Thread(target=add, args=(store,))
        thread.start()
        while thread.is_alive():
            least = stored[-1]
            told = get(client, "/api/run")
            assert least <= told["images"] + told["failed"] <= IMAGES
            contents = get(client, "/api/contents")
            keys, image_of = contents["images"]["key"], contents["objects"]["image"]
            assert len(keys) >= told["images"]
            row = least % len(keys)
            paths = get(client, "/api/outlines", key=keys[row])["paths"]
            assert len(paths) == image_of.count(row)
            if paths:
                assert get(client, "/api/nearest/object", id=f"{keys[row]}#0")
        thread.join()
        second = subprocess.run(
            [*python, str(WRITER), str(run), str(IMAGES), str(CHUNK)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert second.returncode == 2
        assert "being written by process" in second.stderr
        wanted = [item for item in map(record, range(IMAGES)) if isinstance(item, Finished)]
        contents = get(client, "/api/contents")
        counts = np.bincount(contents["objects"]["image"], minlength=len(wanted)).tolist()
        assert dict(zip(contents["images"]["key"], counts, strict=True)) == {
            item.key: len(item.result.objects) for item in wanted
        }


@pytest.mark.fault("F48")
def test_a_large_upload_is_refused_before_it_has_come(python: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    write(run, 4, CHUNK)
    with serving(run, python=python) as address:
        place = urlsplit(address)
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=60)
        connection.putrequest("POST", "/api/discover")
        connection.putheader("Content-Length", str(UPLOAD.byte_count * 100))
        connection.endheaders()
        assert connection.getresponse().status == 413
        connection.close()


@pytest.mark.fault("F48")
def test_f48_others_need_the_address_that_is_printed(heap: Heap, tmp_path: Path) -> None:
    run = tmp_path / "run"
    write(run, 4, CHUNK)
    command = heap("serve", run, "--host", "0.0.0.0", "--port", 0)  # noqa: S104
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        told = child.stderr.readline()
        place = urlsplit(next(word for word in told.split() if word.startswith("http")).strip(","))
        assert "Whoever has this address" in child.stderr.readline()
        assert place.hostname != "0.0.0.0"  # noqa: S104
        # By the loopback address, as if the other machine were this one.
        base, name = f"http://127.0.0.1:{place.port}", {"Host": place.netloc}
        with httpx.Client(base_url=base, headers=name, timeout=60) as client:
            assert client.get("/").status_code == 401
            assert client.get(f"/?{place.query}").status_code == 303
            assert client.get("/api/run").json()["images"] == 3
            foreign = {"Host": "evil.example", "Origin": "http://evil.example"}
            assert client.get("/api/run", headers=foreign).status_code == 400
        assert httpx.get(f"{base}/api/run", headers=name).status_code == 401
        child.send_signal(signal.SIGTERM)
        assert child.stderr.read() == ""
    assert child.returncode == 0


@pytest.mark.fault("F48")
def test_f48_a_client_that_vanishes_leaves_nothing(
    python: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, temporary = tmp_path / "run", tmp_path / "temporary"
    write(run, 4, CHUNK)
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with serving(run, python=python) as address:
        place = urlsplit(address)
        for path in ("/api/discover", "/api/objects/rejected"):
            with socket.create_connection((place.hostname, place.port)) as client:
                head = f"POST {path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: 900000"
                client.sendall(head.encode() + b"\r\n\r\n" + b"x" * 500_000)
        assert httpx.get(f"{address}/api/run").json()["images"] == 3
        assert list(temporary.iterdir()) == []


@pytest.mark.fault("F48")
def test_f48_clients_that_are_silent_or_take_nothing_are_sent_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "SILENT_SECONDS", 0.5)

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * int(scope["path"][1:])})

    http = patience.protocol_until(Ending())
    config = uvicorn.Config(answer, http=http, lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = listener.getsockname()
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        silent, slow, deaf = (socket.create_connection(place, timeout=60) for _ in range(3))
        deaf.sendall(b"GET /50000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert is_ended(silent, b"")
        assert is_ended(slow, b"a")
        time.sleep(1)
        assert received(deaf) < 50_000_000
        assert httpx.get(f"http://127.0.0.1:{place[1]}/3").text == "xxx"
        server.should_exit = True
        thread.join()


def test_a_connection_that_comes_while_it_ends_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was accepted before the end, and is seen after all others were told to close."""
    monkeypatch.setattr(patience, "SILENT_SECONDS", 600)

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    ending = Ending()
    http_until_end = patience.protocol_until(ending)
    config = uvicorn.Config(answer, http=http_until_end, lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = listener.getsockname()
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        ending.begin()
        assert received(socket.create_connection(place, timeout=60)) == 0
        server.should_exit = True
        thread.join()


def received(client: socket.socket) -> int:
    """How many bytes come before the other side ends the connection."""
    total = 0
    with client, suppress(ConnectionError):
        while piece := client.recv(2**20):
            total += len(piece)
    return total


def is_ended(client: socket.socket, letter: bytes) -> bool:
    """Whether the other side ends a connection on which such letters come again and again."""
    client.settimeout(0.05)
    with client:
        for _ in range(1000):
            try:
                client.sendall(letter)
                if not client.recv(1):
                    return True
            except TimeoutError:
                continue
            except ConnectionError:
                return True
    return False


def test_a_port_that_is_taken_is_named(heap: Heap, tmp_path: Path) -> None:
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
def test_what_is_no_run_is_not_served(heap: Heap, tmp_path: Path, missing: str) -> None:
    (tmp_path / "folder").mkdir()
    command = heap("serve", tmp_path / missing)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 3
    assert "heap discover" in ended.stderr


def test_interrupting_it_ends_it(heap: Heap, tmp_path: Path) -> None:
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


def test_its_interface_can_be_read_by_programs(python: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    write(run, 4, CHUNK)
    with serving(run, python=python) as address:
        described = json.loads(httpx.get(f"{address}/openapi.json").text)
        assert described["info"]["title"] == "heap serve"
