"""Every request that the OpenAPI description allows, and odd ones: never an error of the server."""

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from fuzzing import tries
from hypothesis import given
from hypothesis import strategies as st
from runs import blobs, make_run, sort_into
from schemathesis.schemas import BaseSchema

from heap.serving import browsing, correcting, exporting, masking, pictures, searching
from heap.serving.access import Access
from heap.serving.app import make_app

# The application's threads draw random numbers while schemathesis makes a request.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")
ROUTERS = (browsing, pictures, searching, correcting, masking, exporting)
ODD = ["", "-1", "0", "1", "nan", "inf", "1e308", "9" * 40, "a#0", "b#1", "a", "c", "\udce9", "\0",
       "é\u202f\U0001f600", "../../etc/passwd", "x" * 5000, "0,0,1e308,1e308", "-1e308,0,9,9",
       "nan,nan,nan,nan", "0,0,40,40", "score > 0.3 --", "1 = 1", "true", "name"]  # fmt: skip
BODIES = [
    b"", b"null", b"[]", b"{}", b"[" * 20_000, b"\xff\xfe", b'{"name": "\\ud800"}',
    b'{"name": "a\\u0000b"}', b'{"count": 0}', b'{"count": -1}', b'{"count": NaN}',
    b'{"count": 2, "again": true}', b'{"ids": [1, 1]}', b'{"ids": []}', b'{"ids": [2, 1, 2]}',
    b'{"ids": [1' + b"0" * 300 + b', 2], "rejected": true}',
    b'{"ids": ["a#0", "a#0"], "rejected": true}', b'{"ids": ["\\ud800"], "rejected": true}',
    b'{"format": "coco", "min_score": NaN}', b'{"format": "csv", "split": "a=nan,b=1e308"}',
    b'{"key": "a", "added": [{"size": [60, 80], "counts": [0, 4800]}]}',
    b'{"key": "a", "replaced": {"a#0": {"size": [2, 3], "counts": [1, 2, 3]}}}',
    b'{"key": "a", "replaced": {"a#0": {"size": [1, 9' + b"9" * 40 + b'], "counts": [9]}}}',
    b'{"key": "b", "split": {"b#0": [{"size": [1, 2], "counts": [1, 1]}, {"size": [2, 1], '
    b'"counts": [0, 2]}]}}',
    b'{"key": "a", "replaced": {"\\ud800": {"size": [1, 1], "counts": [0, 1]}}}',
    b'{"version": "\\ud800", "ids": [1, 2]}', b'{"rejected": false, "ids": [1], "version": null}',
]  # fmt: skip


def described() -> dict[tuple[str, str], list[str]]:
    """The parameters in the address of each request that there is."""
    app = FastAPI()
    for part in ROUTERS:
        app.include_router(part.router)
    return {
        (path, method): [each["name"] for each in about.get("parameters", ())]
        for path, methods in app.openapi()["paths"].items()
        for method, about in methods.items()
    }


REQUESTS = described()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three objects in two images of three, in two categories."""
    masks = {"a": [blobs((60, 80), 1), blobs((60, 80), 2)], "b": [blobs((60, 80), 3)], "c": []}
    made = make_run(tmp_path_factory.mktemp("fuzzed"), masks)
    sort_into(made, {1: "one", 2: ""}, {"a#0": 1, "b#0": 2})
    return made


@pytest.fixture(scope="module")
def schema(run: Path) -> BaseSchema:
    access = Access(frozenset({"testserver"}))  # as schemathesis calls it
    return schemathesis.openapi.from_asgi("/openapi.json", make_app(run, access=access))


@pytest.fixture(scope="module")
def client(run: Path) -> TestClient:
    """It raises what the application lets through, so that a test shows where it came from."""
    return TestClient(make_app(run), base_url="http://127.0.0.1")


@pytest.mark.parametrize("request_", REQUESTS, ids=" ".join)
def test_what_the_description_allows(schema: BaseSchema, request_: tuple[str, str]) -> None:
    path, method = request_

    @given(case=schema[path][method].as_strategy())
    @tries()
    def check(case: schemathesis.Case[Any]) -> None:
        assert case.call().status_code < 500

    check()


@pytest.mark.parametrize("request_", REQUESTS, ids=" ".join)
def test_odd_values_are_refused_with_a_reason(
    client: TestClient, request_: tuple[str, str]
) -> None:
    path, method = request_
    values = st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(ODD) for name in REQUESTS[request_]}
    )

    @given(query=values, body=st.sampled_from(BODIES))
    @tries(4)
    def check(query: dict[str, Any], body: bytes) -> None:
        category = "".join(filter(str.isalnum, query.get("category", "1"))) or "0"
        # As a browser sends what is no text: by its bytes.
        sent = {name: value.encode("utf-8", "surrogateescape") for name, value in query.items()}
        answer = client.request(
            method, path.replace("{category}", category), params=sent,
            content=body if method == "post" else None,
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        assert answer.status_code < 500
        if answer.status_code >= 400:
            assert answer.json()["detail"], "it says why"

    check()


@pytest.mark.parametrize("body", BODIES)
def test_odd_bodies(client: TestClient, body: bytes) -> None:
    for path, method in REQUESTS:
        if method == "post":
            answer = client.post(
                path.replace("{category}", "1"), content=body,
                headers={"Content-Type": "application/json"},
            )  # fmt: skip
            assert answer.status_code < 500, path
