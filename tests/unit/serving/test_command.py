"""An application by one call of the public face; its answers are tested elsewhere."""

import socket
from pathlib import Path

import pytest

import heap
from heap.base.errors import InputError
from heap.serving.command import Address


class Ready(Exception):
    """Ends an application before it answers anything."""


def address_of(run: Path, host: str) -> Address:
    seen: list[Address] = []

    def stop(address: Address) -> None:
        seen.append(address)
        raise Ready

    with pytest.raises(Ready):
        heap.serve(run, host=host, port=0, on_ready=stop)
    return seen[0]


def test_the_address_is_told_when_it_can_be_opened(found_run: Path) -> None:
    address = address_of(found_run, "127.0.0.1")
    assert address.token is None
    assert address.page == address.url
    assert address.url.startswith("http://127.0.0.1:")


def test_the_page_for_other_machines_has_the_token(found_run: Path) -> None:
    address = address_of(found_run, "0.0.0.0")  # noqa: S104
    assert address.token
    assert address.page == f"{address.url}/?token={address.token}"


def test_a_port_that_is_taken_is_refused(found_run: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"127.0.0.1:{port} cannot be listened at"):
            heap.serve(found_run, port=port)
