"""Downloading, against a small hub of our own; each client is a process of its own."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from heap.encoder.hub import TIMEOUT_S

COMMIT = "c0ffee" + "0" * 34
CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"


class Hub(ThreadingHTTPServer):
    """Serves one repository, owner/tiny, the way the hub does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files = {CONFIG: b"{}", PREPROCESSOR: b"{}", "model.safetensors": b"weights"}
        self.asked: list[str] = []
        self.gated = False
        self.answers = threading.Event()
        """Until it is set, the hub says that it is there, and no more."""
        self.answers.set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self.wfile.write(self._answer())

    def _answer(self) -> bytes:
        self.server.asked.append(self.path)
        if self.path != "/":
            self.server.answers.wait()
        head, _, name = self.path.rpartition("/")
        content = self.server.files.get(name, b"")
        if self.path == "/":
            self._head(200, b"")
        elif self.server.gated:
            self._head(403, b"", {"X-Error-Code": "GatedRepo"})
        elif not head.startswith("/owner/tiny/resolve/"):
            self._head(404, b"", {"X-Error-Code": "RepoNotFound"})
        elif name not in self.server.files:
            self._head(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        else:
            etag = hashlib.sha256(content).hexdigest()
            self._head(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
            return content
        return b""

    def _head(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(code: str, cache: Path, patience: float = 60.0, **environment: str) -> str:
    """What `code` writes to its output, or its error's kind and message.

    The hub has so many seconds to answer: few only where it never does.
    """
    program = f"""
import sys
from heap.encoder import getting, hub
from heap.base.errors import HeapError
hub.TIMEOUT_S = {patience}
try:
    print({code}, end="")
except HeapError as error:
    print(type(error).__name__, error, end="")
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    settings = {"HF_HOME": str(cache), "HF_HUB_DISABLE_TELEMETRY": "1", **environment}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=clean | settings, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


FETCH = "hub.fetch('owner/tiny')"


def test_what_is_downloaded_once_is_never_asked_for_again(hub: Hub, tmp_path: Path) -> None:
    folder = Path(run(FETCH, tmp_path, HF_ENDPOINT=hub.address))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == hub.files
    asked = len(hub.asked)
    assert Path(run(FETCH, tmp_path, HF_ENDPOINT=hub.address)) == folder
    assert len(hub.asked) == asked
    assert Path(run(FETCH, tmp_path, HF_HUB_OFFLINE="1")) == folder
    assert run("hub.cached_folder('owner/tiny')", tmp_path) == str(folder)
    assert run("hub.cached_folder('owner/other')", tmp_path) == "None"


def test_a_repository_without_safetensors_gives_its_pickle(hub: Hub, tmp_path: Path) -> None:
    hub.files = {CONFIG: b"{}", "pytorch_model.bin": b"pickle"}
    folder = Path(run(FETCH, tmp_path, HF_ENDPOINT=hub.address))
    assert {path.name for path in folder.iterdir()} == {CONFIG, "pytorch_model.bin"}
    assert Path(run(FETCH, tmp_path, HF_HUB_OFFLINE="1")) == folder


def test_a_repository_with_shards_gives_all_of_them(hub: Hub, tmp_path: Path) -> None:
    places = {"x": "a.safetensors", "y": "b.safetensors"}
    hub.files = {
        CONFIG: b"{}",
        "model.safetensors.index.json": json.dumps({"weight_map": places}).encode(),
        "a.safetensors": b"a",
        "b.safetensors": b"b",
    }
    folder = Path(run(FETCH, tmp_path, HF_ENDPOINT=hub.address))
    assert {path.name for path in folder.iterdir()} == set(hub.files)


def test_a_preprocessor_that_was_never_asked_for_is_still_fetched(hub: Hub, tmp_path: Path) -> None:
    folder = Path(run(FETCH, tmp_path, HF_ENDPOINT=hub.address))
    (folder / PREPROCESSOR).unlink()
    assert "cannot be fetched" in run(FETCH, tmp_path, HF_HUB_OFFLINE="1")
    run(FETCH, tmp_path, HF_ENDPOINT=hub.address)
    assert (folder / PREPROCESSOR).read_bytes() == b"{}"


def test_a_repository_that_does_not_exist(hub: Hub, tmp_path: Path) -> None:
    message = run("hub.fetch('owner/none')", tmp_path, HF_ENDPOINT=hub.address)
    assert message.startswith("WeightsError the weights of owner/none")
    assert "no such repository" in message


def test_a_gated_repository(hub: Hub, tmp_path: Path) -> None:
    hub.gated = True
    message = run(FETCH, tmp_path, HF_ENDPOINT=hub.address)
    assert "licence has to be accepted" in message


def test_a_repository_without_weights(hub: Hub, tmp_path: Path) -> None:
    hub.files = {CONFIG: b"{}"}
    message = run(FETCH, tmp_path, HF_ENDPOINT=hub.address)
    assert message.startswith("WeightsError")
    assert "\n" not in message


def assert_says_what_to_do(message: str) -> None:
    assert message.startswith("WeightsError the weights of owner/tiny are not on this machine")
    assert "\n" not in message
    for word in (CONFIG, PREPROCESSOR, "model.safetensors", "<folder>/tiny", "HEAP_WEIGHTS_DIR"):
        assert word in message


@pytest.mark.fault("F25")
def test_offline(tmp_path: Path) -> None:
    assert_says_what_to_do(run(FETCH, tmp_path, HF_HUB_OFFLINE="1"))


@pytest.mark.fault("F25")
def test_a_hub_that_refuses_connections(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    assert_says_what_to_do(run(FETCH, tmp_path, HF_ENDPOINT=f"http://127.0.0.1:{port}"))


@pytest.mark.fault("F25")
def test_a_hub_that_never_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert_says_what_to_do(run(FETCH, tmp_path, 0.5, HF_ENDPOINT=address))


@pytest.mark.fault("F25")
@pytest.mark.parametrize("kind", ["offline", "refusing"])
def test_f25_the_command_line_ends_with_2_and_what_to_do(kind: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        server.close()
        own = {"HF_HUB_OFFLINE": "1"} if kind == "offline" else {"HF_ENDPOINT": address}
        environment = {name: value for name, value in os.environ.items() if name[:3] != "HF_"}
        places = {name: str(tmp_path / name) for name in ("HF_HOME", "HEAP_CACHE_DIR")}
        photo = tmp_path / "a.jpg"
        Image.new("RGB", (64, 64), "red").save(photo)
        command = [sys.executable, "-m", "heap", "fit", str(photo), "--out", str(tmp_path / "out"),
                   "--encoder", "owner/tiny"]  # fmt: skip
        ended = subprocess.run(
            command, env=environment | places | own, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
    assert ended.returncode == 2
    assert "heap: the weights of owner/tiny are not on this machine" in ended.stderr
    assert "HEAP_WEIGHTS_DIR" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.fault("F25")
def test_f25_nobody_waits_for_a_hub_longer_than_ten_seconds() -> None:
    # Whether it is there is asked once, and then for the first file.
    assert 2 * TIMEOUT_S < 10


GET = "getting.get_encoder('owner/tiny').fresh"


def test_an_encoder_is_got_once_and_compared_with_its_hash(hub: Hub, tmp_path: Path) -> None:
    assert run(GET, tmp_path, HF_ENDPOINT=hub.address) == "True"
    asked = len(hub.asked)
    assert run(GET, tmp_path, HF_ENDPOINT=hub.address) == "False"
    assert len(hub.asked) == asked
    (weights,) = tmp_path.rglob("model.safetensors")
    weights.resolve().write_bytes(b"damaged")
    message = run(GET, tmp_path, HF_HUB_OFFLINE="1")
    assert message.startswith(f"WeightsError {weights} is not what the hub has")
    assert f"delete {weights.resolve()}" in message


def test_of_a_gated_encoder_it_is_said_what_to_do_and_what_to_take_instead(
    hub: Hub, tmp_path: Path
) -> None:
    hub.gated = True
    message = run("getting.get_encoder('dinov3-vits16')", tmp_path, HF_ENDPOINT=hub.address)
    page = f"{hub.address}/facebook/dinov3-vits16-pretrain-lvd1689m"
    assert f"accept its licence on {page} with an account, `hf auth login`" in message
    assert message.endswith("`heap models get dinov2-vits14-reg`")
    other = run(GET, tmp_path, HF_ENDPOINT=hub.address)
    assert other.endswith("`hf auth login`, and repeat this")


def test_what_cannot_be_got_is_said_as_ever(tmp_path: Path) -> None:
    assert_says_what_to_do(run(GET, tmp_path, HF_HUB_OFFLINE="1"))


def test_a_hub_that_stops_answering(hub: Hub, tmp_path: Path) -> None:
    hub.answers.clear()
    message = run(FETCH, tmp_path, 0.5, HF_ENDPOINT=hub.address)
    head = run("hub.fetch_head('owner/tiny')", tmp_path, 0.5, HF_ENDPOINT=hub.address)
    hub.answers.set()
    assert_says_what_to_do(message)
    for said in (message, head):
        assert "it takes longer than 0.5 seconds" in said
    assert head.startswith("InputError")


def test_a_model_is_downloaded_once(hub: Hub, tmp_path: Path) -> None:
    fetch = "hub.fetch_head('owner/tiny')"
    folder = Path(run(fetch, tmp_path, HF_ENDPOINT=hub.address))
    assert {path.name for path in folder.iterdir()} == {CONFIG, "model.safetensors"}
    assert Path(run(fetch, tmp_path, HF_HUB_OFFLINE="1")) == folder
    assert run("hub.fetch_head('no name')", tmp_path).startswith("InputError Repo id must")


@pytest.mark.fault("F52")
def test_local_weights_and_the_cards_ask_no_network(folder: Path, tmp_path: Path) -> None:
    program = f"""
import sys
# Not every socket: urllib3 binds one to this machine, to see whether it has IPv6.
NETWORK = {{"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}}
def refuse(event, arguments):
    if event in NETWORK:
        raise SystemExit(f"{{event}} {{arguments}}")
from heap.encoder.registry import CARDS, is_local
from heap.encoder.load import load_encoder
sys.addaudithook(refuse)
load_encoder({str(folder)!r})
sys.exit(any(is_local(card) for card in CARDS.values() if card.repo))
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment = clean | {"HF_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
