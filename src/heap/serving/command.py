"""The whole of `heap serve` but printing: an application at an address, until Ctrl+C."""

import asyncio
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, SupportsIndex

from heap.base.errors import InputError
from heap.base.numbers import whole_number

if TYPE_CHECKING:
    from starlette.types import ASGIApp


@dataclass(frozen=True)
class Address:
    """Address of an application that is ready."""

    url: str
    token: str | None
    """Secret that other machines need; None where only this machine can connect."""

    @property
    def page(self) -> str:
        """URL of the page, with the token if there is one."""
        return f"{self.url}/?token={self.token}" if self.token else self.url


def serve(
    run: Path | str,
    *,
    host: str = "127.0.0.1",
    port: SupportsIndex = 8750,
    allow_hosts: Iterable[str] = (),
    model: str | None = None,
    encoder: str | None = None,
    read_only: bool = False,
    browser: bool = False,
    photos: Path | str | None = None,
    urls: bool = False,
    on_ready: Callable[[Address], None] = lambda address: None,
) -> None:
    """Serve a run to browsers until Ctrl+C; `on_ready` gets the address when it can be opened.

    Port 0 takes any that is free. Unless only this machine can connect, a token is asked for, which
    the address has. `allow_hosts` are further names by which browsers reach it, such as that of a
    proxy. `model` says where the model of the run is now, and `encoder` where its encoder is;
    `read_only` refuses changes and exports;
    `browser` opens the page on this machine. Photos are read where they were, or below the folder
    `photos`; those that came from URLs only with `urls`.

    Raises:
        InputError: if a loop of asyncio is running, the port cannot be had, `photos` is no folder,
            or the packages of the extra `serve` are not installed.
        StoreError: if there is no run, or a damaged one, or one of a newer version.
    """
    try:
        import uvicorn  # noqa: F401  # so that its lack is reported before anything is opened

        from heap.serving.access import Access, address_of
        from heap.serving.app import make_app
    except ModuleNotFoundError as error:
        raise InputError(
            f"heap serve needs {error.name}, which is not installed: pip install 'heap[serve]'"
        ) from error

    _refuse_loop(run)
    number, names = whole_number("port", port, 0, 65_535), list(allow_hosts)
    access = Access.at(host, names)
    app = make_app(
        run,
        model=model,
        encoder=encoder,
        access=access,
        read_only=read_only,
        photos=None if photos is None else Path(photos),
        urls=urls,
    )
    with _listen(host, number) as listener:
        address = Address(address_of(host, listener.getsockname()[1], names), access.token)
        on_ready(address)
        if browser:
            import webbrowser

            webbrowser.open(address.page)
        _run_server(app, listener)


def _refuse_loop(run: Path | str) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise InputError(
        "heap.serve waits for Ctrl+C, which it cannot while a loop of asyncio is running, as in a "
        f"notebook; start `heap serve {run}` in a terminal"
    )


def _run_server(app: "ASGIApp", listener: socket.socket) -> None:
    import uvicorn

    from heap.serving.patience import PatientProtocol

    # No websockets: there are none in the application. On Ctrl+C, answers that are being sent have
    # three seconds to end.
    config = uvicorn.Config(
        app, http=PatientProtocol, ws="none", log_level="warning", server_header=False,
        timeout_graceful_shutdown=3,
    )  # fmt: skip
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    # So that the same port can be had again right after the last server there has ended.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Listen at once: whoever comes before the application is ready waits, and is not refused.
        listener.listen()
    except OSError as error:
        listener.close()
        raise InputError(
            f"{host}:{port} cannot be listened at ({error.strerror}); choose another --port, or 0 "
            "for any that is free"
        ) from error
    return listener
