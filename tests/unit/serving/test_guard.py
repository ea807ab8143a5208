import pytest
from fastapi.testclient import TestClient

from heap.serving.access import is_loopback

from .conftest import BASE


@pytest.mark.fault("F48")
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.9:8750"])
def test_a_name_that_was_made_to_lead_here_is_refused(reader: TestClient, host: str) -> None:
    assert reader.get("/api/run", headers={"host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost:8750", "127.0.0.1", "[::1]:8750"])
def test_loopback_names_are_ours(reader: TestClient, host: str) -> None:
    assert reader.get("/api/run", headers={"host": host}).status_code == 200


@pytest.mark.fault("F48")
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999"])
@pytest.mark.parametrize("path", ["categories/1/name", "discover"])
def test_other_pages_change_nothing(client: TestClient, origin: str, path: str) -> None:
    before = client.get("/api/run").json()
    answer = client.post(f"/api/{path}", json={"name": "x"}, headers={"origin": origin})
    assert answer.status_code == 403
    assert client.get("/api/run").json() == before


def test_our_own_page_may(client: TestClient) -> None:
    ours = {"origin": BASE}
    answer = client.post("/api/categories/1/name", json={"name": "x"}, headers=ours)
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/run", "/static/main.js", "/pictures/thumbnail?key=no"])
def test_pages_may_only_do_what_ours_do(reader: TestClient, path: str) -> None:
    headers = reader.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.fault("F48")
def test_files_beside_those_of_the_page_are_not_served(reader: TestClient) -> None:
    assert reader.get("/static/main.js").status_code == 200
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py"):
        assert reader.get(path).status_code == 404


@pytest.mark.parametrize(
    ("host", "ours"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("127.9.9.9", True),
     ("::", False), ("10.0.0.1", False), ("192.168.0.2", False), ("machine", False)],
)  # fmt: skip
def test_what_is_loopback(host: str, ours: bool) -> None:
    assert is_loopback(host) == ours
