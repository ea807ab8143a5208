"""Who is answered where other machines come in; nothing of it needs a run of real photos."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from runs import make_run, ring

from heap.serving.access import Access, address_of, own_addresses
from heap.serving.app import make_app

PORT = 8750
ANY = "0.0.0.0"  # noqa: S104


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("served"), {"a.png": [ring((60, 80), (30, 40), 9, 3)]})


@pytest.fixture
def access() -> Access:
    return Access.at(ANY, ["Photos.Example"])


@pytest.fixture
def stranger(run: Path, access: Access) -> Iterator[TestClient]:
    """A browser elsewhere that has not seen the token."""
    with TestClient(
        make_app(run, access=access), base_url=f"http://photos.example:{PORT}",
        follow_redirects=False,
    ) as client:  # fmt: skip
        yield client


@pytest.mark.fault("F48")
@pytest.mark.parametrize(
    "path", ["/", "/static/main.js", "/api/run", "/pictures/thumbnail?key=a.png", "/docs",
             "/openapi.json", "/nothing"],
)  # fmt: skip
@pytest.mark.parametrize("token", [None, "", "wrong", "wröng"])
def test_without_the_token_nothing_is_answered(
    stranger: TestClient, path: str, token: str | None
) -> None:
    answer = stranger.get(path) if token is None else stranger.get(path, params={"token": token})
    assert answer.status_code == 401
    assert "address that heap serve has printed" in answer.json()["detail"]
    assert "set-cookie" not in answer.headers


def test_the_address_with_the_token_opens_the_page_for_good(
    stranger: TestClient, access: Access
) -> None:
    first = stranger.get("/", params={"token": access.token, "view": "a b"})
    assert first.status_code == 303
    assert first.headers["location"] == "./?view=a+b"
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert stranger.get("/").status_code == 200
    assert stranger.get("/api/run").json()["images"] == 1
    stranger.cookies.clear()
    assert stranger.get("/api/run").status_code == 401


def test_the_address_with_the_token_leads_nowhere_else(
    stranger: TestClient, access: Access
) -> None:
    address = f"http://photos.example:{PORT}//evil.example/"
    answer = stranger.get(address, params={"token": access.token})
    assert answer.headers["location"] == "./"


def test_programs_give_the_token_as_jupyter_takes_it(stranger: TestClient, access: Access) -> None:
    headers = {"Authorization": f"Bearer {access.token}"}
    assert stranger.get("/api/run", headers=headers).status_code == 200
    path = f"/api/objects/rejected?token={access.token}"
    assert stranger.post(path, json={"ids": ["a.png#0"], "rejected": False}).status_code == 200
    wrong = {"Authorization": f"Bearer {access.token}x"}
    assert stranger.get("/api/run", headers=wrong).status_code == 401


@pytest.mark.fault("F48")
@pytest.mark.parametrize("host", ["evil.example", "photos.example.evil.example", "", "[::1", "a b"])
def test_a_foreign_name_is_refused_with_the_token_and_its_own_origin(
    stranger: TestClient, access: Access, host: str
) -> None:
    headers = {"Host": host, "Origin": f"http://{host}", "Authorization": f"Bearer {access.token}"}
    assert stranger.get("/api/run", headers=headers).status_code == 400
    change = {"ids": ["a.png#0"], "rejected": True}
    assert stranger.post("/api/objects/rejected", json=change, headers=headers).status_code == 400
    del headers["Host"], headers["Origin"]
    assert stranger.get("/api/run", headers=headers).json()["rejected"] == 0


def test_the_machine_goes_by_its_addresses_and_by_the_names_that_are_given() -> None:
    names = Access.at(ANY, ["Photos.Example", "[2001:DB8::1]"]).names
    assert {"localhost", "127.0.0.1", "::1", "photos.example", "2001:db8::1"} < names
    assert set(own_addresses()) < names
    assert ANY not in names


def test_a_name_that_a_proxy_serves_it_by_asks_for_the_token_too() -> None:
    assert Access.at("127.0.0.1").token is None
    assert Access.at("127.0.0.1", ["photos.example"]).token
    assert Access.at("192.168.1.9").token


def test_tokens_are_long_differ_and_are_not_shown() -> None:
    first, second = Access.at(ANY), Access.at(ANY)
    assert first.token != second.token
    assert len(str(first.token)) >= 32
    assert str(first.token) not in repr(first)


@pytest.mark.parametrize(
    ("host", "allowed", "address"),
    [("127.0.0.1", [], "http://127.0.0.1:80"), ("::1", [], "http://[::1]:80"),
     ("192.168.1.9", [], "http://192.168.1.9:80"), (ANY, ["me.example"], "http://me.example:80"),
     (ANY, [], f"http://{own_addresses()[0]}:80")],
)  # fmt: skip
def test_the_address_is_one_that_others_can_open(
    host: str, allowed: list[str], address: str
) -> None:
    assert address_of(host, 80, allowed) == address
    assert not address_of(ANY, 80).startswith("http://0.0.0.0")
