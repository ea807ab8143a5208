"""The whole of `heap serve` but printing: an application at an address, until Ctrl+C."""

import asyncio
import html
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, SupportsIndex

from heap.base.errors import InputError
from heap.base.numbers import whole_number

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from heap.serving.live import Ending


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


class Serving:
    """An application that is being served."""

    def __init__(
        self,
        app: "ASGIApp",
        listener: socket.socket,
        address: Address,
        root_path: str,
        ending: "Ending",
    ) -> None:
        import uvicorn

        from heap.serving.patience import protocol_until

        self.address = address
        # No websockets: there are none in the application. On Ctrl+C, answers that are being sent
        # have three seconds to end. Headers of proxies are our own business.
        config = uvicorn.Config(
            app, http=protocol_until(ending), ws="none", log_level="warning", server_header=False,
            timeout_graceful_shutdown=3, root_path=root_path, proxy_headers=False,
        )  # fmt: skip

        class Server(uvicorn.Server):
            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                # Streams have no end of their own, and would be waited for.
                ending.begin()
                await super().shutdown(sockets)

        self._server, self._listener = Server(config), listener
        self._thread: Thread | None = None

    def __repr__(self) -> str:
        return f"Serving({self.address.page!r})"

    def __enter__(self) -> "Serving":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _repr_html_(self) -> str:
        page = html.escape(self.address.page)
        return f'<a href="{page}" target="_blank" rel="noopener">{page}</a>'

    def run(self) -> None:
        """Serve until Ctrl+C."""
        with suppress(KeyboardInterrupt), self._listener:
            self._server.run(sockets=[self._listener])

    def start(self) -> None:
        """Serve in a thread until `close`, or the end of the process."""
        self._thread = Thread(target=self.run, name="heap.serve", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it; answers that are being sent have three seconds."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()


def serve(
    *runs: Path | str,
    host: str = "127.0.0.1",
    port: SupportsIndex = 8750,
    allow_hosts: Iterable[str] = (),
    root_path: str = "",
    proxies: Iterable[str] = (),
    model: str | None = None,
    encoder: str | None = None,
    read_only: bool = False,
    browser: bool = False,
    photos: Path | str | None = None,
    urls: bool = False,
    on_ready: Callable[[Address], None] = lambda address: None,
) -> "Serving":
    """Serve a run, or several, to browsers until Ctrl+C.

    `on_ready` gets the address when it can be opened. Of several runs, or of a folder of runs,
    there is a page of all, and each is below it; two of them are compared there.

    While a loop of asyncio is running, as in a notebook, it does not wait: it returns at once, and
    `close` of what it returns ends it.

    Port 0 takes any that is free. Unless only this machine can connect, a token is asked for, which
    the address has. `allow_hosts` are further names by which browsers reach it, such as that of a
    proxy. `root_path` is the path below which a proxy shows it, which the proxy takes away;
    `proxies` are the addresses of proxies whose X-Forwarded-Host and X-Forwarded-Proto are
    believed. `model` says where the model of the run is now, and `encoder` where its encoder is;
    `read_only` refuses changes and exports;
    `browser` opens the page on this machine. Photos are read where they were, or below the folder
    `photos`; those that came from URLs only with `urls`.

    Raises:
        InputError: if there is no run, `model` or `encoder` is given for several of them,
            `root_path` or an address of a proxy is none, the port cannot be had,
            `photos` is no folder, or the packages of the extra `serve` are not installed.
        StoreError: if there is no run, or a damaged one, or one of a newer version.
    """
    try:
        import uvicorn  # noqa: F401  # so that its lack is reported before anything is opened

        from heap.serving.access import Access, address_of
        from heap.serving.app import make_app
        from heap.serving.live import Ending
        from heap.serving.proxy import Proxied, clean_root_path, networks_of
    except ModuleNotFoundError as error:
        raise InputError(
            f"heap serve needs {error.name}, which is not installed: pip install 'heap[serve]'"
        ) from error

    if not runs:
        raise InputError("give a run to be served")
    number, names = whole_number("port", port, 0, 65_535), list(allow_hosts)
    root_path, networks = clean_root_path(root_path), networks_of(proxies)
    access = Access.at(host, names, through_proxy=bool(networks))
    ending = Ending()
    app = make_app(
        *runs,
        model=model,
        encoder=encoder,
        access=access,
        read_only=read_only,
        photos=None if photos is None else Path(photos),
        urls=urls,
        ending=ending,
    )
    listener = _listen(host, number)
    try:
        shown = () if networks else names
        address = Address(address_of(host, listener.getsockname()[1], shown), access.token)
        serving = Serving(Proxied(app, networks), listener, address, root_path, ending)
        on_ready(address)
        if browser:
            import webbrowser

            webbrowser.open(address.page)
        if _is_in_loop():
            serving.start()
        else:
            serving.run()
    except BaseException:
        listener.close()
        raise
    return serving


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


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
