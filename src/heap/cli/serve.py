"""`heap serve`."""

import socket
from contextlib import suppress
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from heap.base.errors import InputError
from heap.cli.app import err_console
from heap.cli.options import ANY_PHOTOS, PhotoOptions


def serve(
    run: str,
    /,
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=cyclopts.validators.Number(gte=0, lte=65535))] = 8750,
    allow_host: Annotated[list[str] | None, Parameter(negative=())] = None,
    model: str | None = None,
    read_only: bool = False,
    browser: Annotated[bool, Parameter(negative=())] = False,
    photos: PhotoOptions = ANY_PHOTOS,
) -> None:
    """Look at a run in the browser: browse, search, correct and export it.

    What is renamed, merged and rejected is written to the run at once. Another process may go on
    discovering into it. The HTTP interface is described at /docs. Ctrl+C ends it.

    Example: heap serve RUN --browser

    Args:
        run: Folder or URL of a run, see `heap discover`.
        host: Address to listen at; by default only this machine reaches it. With 0.0.0.0 others do
            too, if they open the address that is printed: it has a token, without which nothing is
            answered. With it, one sees all images and may change the run.
        port: Port to listen at; 0 takes any that is free.
        allow_host: Another name or address by which browsers reach it, such as that of a proxy;
            requests that name a host of neither this machine nor these are refused.
        model: Where the model of the run is now, if it was moved.
        read_only: Refuse changes and exports.
        browser: Open the page in the browser of this machine.
        photos: Where the photos of the run are read again.
    """
    try:
        import uvicorn

        from heap.serve.access import Access, address_of
        from heap.serve.app import make_app
        from heap.serve.patience import PatientProtocol
    except ModuleNotFoundError as error:
        raise InputError(
            f"heap serve needs {error.name}, which is not installed: pip install 'heap[serve]'"
        ) from error

    access = Access.at(host, allow_host or ())
    app = make_app(
        run,
        model=model,
        access=access,
        read_only=read_only,
        photos=photos.photos,
        urls=photos.urls,
    )
    with _listening(host, port) as listener:
        address = address_of(host, listener.getsockname()[1], allow_host or ())
        key = f"/?token={access.token}" if access.token else ""
        _say(f"{run} is at {address}{key}, its HTTP interface at {address}/docs; Ctrl+C ends it")
        if access.token:
            _say(
                f"Whoever has this address sees all images of {run}"
                f"{'' if read_only else ' and may change it'}; it is valid until heap serve ends."
            )
        if browser:
            import webbrowser

            webbrowser.open(address + key)
        config = uvicorn.Config(
            app, http=PatientProtocol, ws="none", log_level="warning", server_header=False,
            timeout_graceful_shutdown=3,
        )  # fmt: skip
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Whoever comes before the application is ready waits, and is not refused.
        listener.listen()
    except OSError as error:
        listener.close()
        raise InputError(
            f"{host}:{port} cannot be listened at ({error.strerror}); choose another --port, or 0 "
            "for any that is free"
        ) from error
    return listener


def _say(text: str) -> None:
    err_console.print(text, markup=False, highlight=False, soft_wrap=True)
