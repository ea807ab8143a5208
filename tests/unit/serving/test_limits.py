"""What is asked too much, too often, or of a run that somebody else has changed meanwhile."""

import io
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import anyio
import pytest
from fastapi import HTTPException
from fastapi.testclient import TestClient
from PIL import Image
from runs import make_run, ring, sort_into

import heap
from heap.base.errors import HeapError
from heap.serving import guard
from heap.serving.app import make_app
from heap.serving.turns import Turns
from heap.store.editing import Editor
from heap.store.store import RunStore

from .conftest import BASE

MASKS = [ring((60, 80), (30, x), 12, 4) for x in (15, 40, 65)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of made-up objects, which is there in a moment."""
    made = make_run(tmp_path, {"a.png": MASKS, "b.png": MASKS[:1]})
    sort_into(made, {1: "", 2: ""}, {"a.png#0": 1, "a.png#1": 2, "b.png#0": 2})
    return made


@pytest.fixture
def client(run: Path) -> Iterator[TestClient]:
    with TestClient(make_app(run), base_url=BASE, raise_server_exceptions=False) as client:
        yield client


def post(client: TestClient, path: str, **body: Any) -> Any:
    return client.post(f"/api/{path}", json=body)


def version(client: TestClient) -> str:
    told: str = client.get("/api/run").json()["version"]
    return told


def test_of_two_windows_the_second_does_not_overwrite_the_first(
    client: TestClient, run: Path
) -> None:
    seen = version(client)
    first = post(client, "categories/1/name", name="pets", version=seen)
    assert first.status_code == 200
    second = post(client, "categories/1/name", name="cats", version=seen)
    assert second.status_code == 409
    assert "changed meanwhile" in second.json()["detail"]
    assert heap.open(run).categories[0].name == "pets"
    assert second.json()["version"] == first.json()["version"] == version(client)
    again = post(client, "categories/1/name", name="cats", version=first.json()["version"])
    assert again.json()["categories"][0]["name"] == "cats"


@pytest.mark.parametrize(
    ("path", "body"),
    [("categories/sort", {}), ("categories/merge", {"ids": [1, 2]}),
     ("categories/rejected", {"ids": [1], "rejected": True}),
     ("objects/rejected", {"ids": ["a.png#0"], "rejected": True})],
)  # fmt: skip
def test_what_another_program_has_changed_is_not_corrected_unseen(
    client: TestClient, run: Path, path: str, body: dict[str, Any]
) -> None:
    seen = version(client)
    with Editor(run) as editor:
        editor.update_objects("id = 'b.png#0'", {"rejected": True})
    assert post(client, path, version=seen, **body).status_code == 409
    assert [each.rejected for each in heap.open(run).categories] == [False, False]
    assert RunStore.open(run).table("objects").count_rows("rejected") == 1
    assert post(client, path, version=version(client), **body).status_code == 200


@pytest.mark.parametrize(
    "name",
    ["x" * 121, "two\nlines", "nul\0", "\x1b[31m", "half \ud800", "turned \u202e", "a\u2028x"],
)
def test_names_that_cannot_be_shown_are_refused(client: TestClient, name: str) -> None:
    content, kind = f'{{"name": {quoted(name)}}}', {"Content-Type": "application/json"}
    answer = client.post("/api/categories/1/name", content=content, headers=kind)
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]
    assert client.get("/api/categories").json()[0]["name"] == ""


def quoted(text: str) -> str:
    return '"' + "".join(f"\\u{ord(letter):04x}" for letter in text) + '"'


@pytest.mark.parametrize("name", ["x" * 120, "犬 et chat", "👩‍🚀", "<b>", "=1+1"])
def test_names_of_all_languages_are_taken(client: TestClient, name: str) -> None:
    told = post(client, "categories/1/name", name=name).json()
    assert told["categories"][0]["name"] == name


def test_what_is_named_twice_is_changed_once(client: TestClient, run: Path) -> None:
    body = {"ids": ["a.png#0", "a.png#0"], "rejected": True}
    assert post(client, "objects/rejected", **body).status_code == 200
    assert post(client, "objects/rejected", ids=[], rejected=True).status_code == 200
    table = RunStore.open(run).table("objects")
    assert (table.count_rows(), table.count_rows("rejected")) == (4, 1)


def test_requests_of_too_many_things_or_letters_are_refused(client: TestClient) -> None:
    many = ["a.png#0"] * 10_001
    assert post(client, "objects/rejected", ids=many, rejected=True).status_code == 422
    assert post(client, "categories/1/name", name="x" * 2**21).status_code == 413


@pytest.mark.fault("F48")
@pytest.mark.parametrize("path", ["/api/broken", "/nothing", "/api/outlines", "/static/../x"])
def test_answers_to_errors_have_the_headers_too(
    client: TestClient, run: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heap.serving.served.ServedRun.now", lambda served: 1 / 0)
    answer = client.get("/api/run" if path == "/api/broken" else path)
    assert answer.status_code == (500 if path == "/api/broken" else answer.status_code)
    assert answer.status_code >= 400
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    if answer.status_code == 500:
        assert answer.json() == {"detail": "heap serve has failed at this; it has printed why"}


def test_answers_name_no_place_process_or_machine(
    client: TestClient, run: Path, tmp_path: Path
) -> None:
    def check(answer: Any, status: int) -> None:
        assert answer.status_code == status, answer.text
        assert str(tmp_path) not in answer.text
        assert not re.search(r"process \d|/(home|tmp|root|var)/", answer.text), answer.text

    check(client.get("/api/run"), 200)
    check(client.get("/api/outlines", params={"key": "no"}), 404)
    check(client.get("/pictures/regions", params={"key": "no"}), 404)
    check(client.get("/api/nearest/object", params={"id": "no"}), 404)
    check(post(client, "categories/9/name", name="x"), 400)
    check(post(client, "export", format="csv"), 202)
    while (told := client.get("/api/export")).json()["state"] == "running":
        pass
    check(told, 200)
    with Editor(run):
        check(post(client, "categories/1/name", name="x"), 409)
    (tmp_path / "photos" / "0.png").unlink()
    check(client.get("/api/nearest/box", params={"key": "a.png", "box": "1,1,9,9"}), 410)
    shutil.rmtree(run / "store" / "images.lance")
    check(client.get("/api/run"), 500)


def test_some_work_at_once_some_waits_and_the_rest_is_sent_away() -> None:
    refused = "503 {'Retry-After': '5'}"

    async def main() -> list[str]:
        turns, go = Turns(at_once=2, waiting=3), Event()
        ended: list[str] = []

        async def ask() -> None:
            try:
                ended.append(await turns.take(lambda: "done" if go.wait(20) else "late"))
            except HTTPException as error:
                ended.append(f"{error.status_code} {error.headers}")

        async with anyio.create_task_group() as group:
            for _ in range(9):
                group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            assert ended == [refused] * 4
            assert await anyio.to_thread.run_sync(lambda: "browsing") == "browsing"
            go.set()
        assert await turns.take(lambda: "next") == "next"
        return ended

    assert anyio.run(main) == [refused] * 4 + ["done"] * 5


@pytest.mark.fault("F48")
def test_while_the_model_is_busy_others_browse_and_too_many_are_sent_away(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, go = Event(), Event()

    def model(served: object) -> None:
        busy.set()
        assert go.wait(60)
        raise HeapError("the model has no time")

    monkeypatch.setattr("heap.serving.served.ServedRun.model", model)
    file = io.BytesIO()
    Image.new("RGB", (20, 20)).save(file, "PNG")
    with ThreadPoolExecutor(50) as threads:
        bring = [
            threads.submit(client.post, "/api/discover", content=file.getvalue()) for _ in range(50)
        ]
        assert busy.wait(60)
        for _ in range(20):
            assert client.get("/api/run").status_code == 200
        while sum(each.done() for each in bring) < 40:
            assert client.get("/api/categories").status_code == 200
        go.set()
    answers = [each.result() for each in bring]
    assert sorted(each.status_code for each in answers) == [500] * 10 + [503] * 40
    refused = next(each for each in answers if each.status_code == 503)
    assert int(refused.headers["retry-after"]) > 0


@pytest.mark.fault("F20", "F48")
def test_a_body_that_does_not_come_is_not_waited_for(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.2)
    sent: list[Any] = []
    scope = {
        "type": "http", "method": "POST", "path": "/api/discover", "raw_path": b"/api/discover",
        "query_string": b"", "headers": [(b"host", b"localhost")], "server": ("localhost", 80),
        "scheme": "http", "http_version": "1.1", "root_path": "",
    }  # fmt: skip

    async def main() -> None:
        pieces = iter([{"type": "http.request", "body": b"GIF8", "more_body": True}])

        async def receive() -> Any:
            for piece in pieces:
                return piece
            return await anyio.sleep_forever()

        async def send(message: Any) -> None:
            sent.append(message)

        await make_app(run)(scope, receive, send)

    anyio.run(main)
    assert sent[0]["status"] == 408
    assert b"send it again" in sent[1]["body"]
