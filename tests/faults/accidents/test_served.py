"""Points 9, 11 to 13: what a server answers, and to whom."""

import csv
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import lancedb
import pytest
from servers import serving

from .conftest import Command, Photo

FIRST = "01.png#0"
JSON = {"Content-Type": "application/json"}


def client_at(address: str) -> httpx.Client:
    return httpx.Client(base_url=address, timeout=60)


@pytest.mark.accident(
    9, "Ids named twice, huge boxes, NaN and lone surrogates were answered with 500"
)
def test_odd_values(run: Path, python: list[str]) -> None:
    with serving(run, python=python) as address, client_at(address) as client:
        for path, content in (
            ("/api/objects/rejected", f'{{"ids": ["{FIRST}", "{FIRST}"], "rejected": true}}'),
            ("/api/categories/1/name", '{"name": "\\ud800"}'),
            ("/api/categories/sort", '{"count": NaN}'),
        ):
            answer = client.post(path, content=content, headers=JSON)
            assert answer.status_code < 500, answer.text
        box = {"key": "01.png", "box": "0,0,1e308,1e308"}
        answer = client.get("/api/nearest/box", params=box)
        assert answer.status_code < 500, answer.text


@pytest.mark.accident(9, "For a photo that moved the answer was 500 with its absolute path")
def test_photo_that_moved(
    photo: Photo, discover: Command, python: list[str], tmp_path: Path
) -> None:
    photo(0, "p/x.png")
    assert discover("p").returncode == 0
    (tmp_path / "p").rename(tmp_path / "q")
    with serving(tmp_path / "run", python=python) as address, client_at(address) as client:
        box = {"key": "x.png", "box": "0,0,60,60"}
        answer = client.get("/api/nearest/box", params=box)
    assert answer.status_code == 410
    assert str(tmp_path) not in answer.text


@pytest.mark.accident(11, "With --host 0.0.0.0 a foreign Host with its own Origin read the run")
def test_foreign_host(run: Path, python: list[str]) -> None:
    command = [*python, "-m", "heap", "serve", run, "--host", "0.0.0.0", "--port", "0"]  # noqa: S104
    with subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        for told in child.stderr:
            if printed := re.search(r"http://[^\s,]+", told):
                break
        try:
            place = urlsplit(printed[0] if printed else "")
            with client_at(f"http://127.0.0.1:{place.port}") as client:
                foreign = {"Host": "evil.example", "Origin": "http://evil.example"}
                name = {"name": "mine"}
                for answer in (
                    client.get("/api/run", headers=foreign),
                    client.post("/api/categories/1/name", json=name, headers=foreign),
                    client.get("/api/run"),
                ):
                    assert answer.status_code in (400, 401, 403)
            assert place.hostname != "0.0.0.0", "an address that others cannot open"  # noqa: S104
        finally:
            child.terminate()


@pytest.mark.accident(12, "The server showed any image of the machine that a run pointed at")
def test_run_that_points_at_another_file(
    photo: Photo, discover: Command, python: list[str], tmp_path: Path
) -> None:
    photo(0, "p/x.png"), photo(1, "p/y.png")
    secret = photo(3, "private/secret.png")
    assert discover("p").returncode == 0
    table = lancedb.connect(tmp_path / "run" / "store").open_table("images")
    table.update(where="key = 'x.png'", values={"source": str(secret), "digest": ""})
    with serving(tmp_path / "run", python=python) as address, client_at(address) as client:
        answer = client.get("/pictures/photo", params={"key": "x.png"})
    assert answer.status_code in (403, 404, 410)


@pytest.mark.accident(13, "Of two windows the second overwrote the correction of the first unseen")
def test_two_windows(run: Path, python: list[str]) -> None:
    with serving(run, python=python) as address, client_at(address) as client:
        told = client.get("/api/run").json()
        version = {"version": told["version"]} if "version" in told else {}
        first = client.post("/api/categories/1/name", json={"name": "dog", **version})
        assert first.status_code == 200
        second = client.post("/api/categories/1/name", json={"name": "cat", **version})
        assert second.status_code == 409


@pytest.mark.accident(13, "Names of any length and with any character were taken")
@pytest.mark.parametrize("name", ["x" * 100_000, "a\u202eb", "a\x00b"], ids=["long", "bidi", "nul"])
def test_names_that_cannot_be_shown(run: Path, python: list[str], name: str) -> None:
    with serving(run, python=python) as address, client_at(address) as client:
        answer = client.post("/api/categories/1/name", json={"name": name})
    assert 400 <= answer.status_code < 500


@pytest.mark.accident(13, "Answers to errors had no security headers")
def test_headers_of_errors(run: Path, python: list[str]) -> None:
    with serving(run, python=python) as address, client_at(address) as client:
        for path in ("/", "/nothing", "/pictures/photo?key=none"):
            headers = client.get(path).headers
            assert headers.get("x-content-type-options") == "nosniff", path
            assert "content-security-policy" in headers, path
        headers = client.get("/api/run", headers={"Host": "evil.example"}).headers
        assert headers.get("x-content-type-options") == "nosniff"


@pytest.mark.accident(13, "Many uploads at once held up everybody; none was sent away")
def test_many_uploads(run: Path, photos: Path, python: list[str]) -> None:
    upload = (photos / "00.png").read_bytes()
    with serving(run, python=python) as address, client_at(address) as client:

        def send(_: int) -> httpx.Response:
            return client.post(
                "/api/discover", content=upload, headers={"Content-Type": "image/png"}
            )

        with ThreadPoolExecutor(48) as pool:
            answers = list(pool.map(send, range(48)))
    refused = [answer for answer in answers if answer.status_code == 503]
    assert {answer.status_code for answer in answers} == {200, 503}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)


@pytest.mark.accident(13, "Names of categories were formulas in the cells of a CSV")
def test_cells_of_tables(run: Path, run_heap: Command) -> None:
    assert run_heap("categories", run, "--name", "1==1+1").returncode == 0
    assert run_heap("export", run, "--format", "csv", "--categories").returncode == 0
    text = (run / "export-csv" / "objects.csv").read_text(encoding="utf-8")
    cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
    assert any("=1+1" in cell for cell in cells)
    assert not any(cell.startswith("=") for cell in cells)
