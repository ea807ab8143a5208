"""`heap serve`."""

import socket
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from heap.cli.app import err_console
from heap.cli.options import ANY_PHOTOS, PhotoOptions
from heap.errors import InputError


def serve(
    run: str,
    /,
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=cyclopts.validators.Number(gte=0, lte=65535))] = 8750,
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
        host: Address to listen at. Whoever reaches it sees all images and may change the run; by
            default that is this machine only.
        port: Port to listen at; 0 takes any that is free.
        model: Where the model of the run is now, if it was moved.
        read_only: Refuse changes and exports.
        browser: Open the page in the browser of this machine.
        photos: Where the photos of the run are read again.
    """
    try:
        import uvicorn

        from heap.serve.app import make_app
        from heap.serve.guard import is_loopback
    except ModuleNotFoundError as error:
        raise InputError(
            f"heap serve needs {error.name}, which is not installed: pip install 'heap[serve]'"
        ) from error

    app = make_app(
        run,
        model=model,
        host=host,
        read_only=read_only,
        photos=photos.photos,
        urls=photos.urls,
    )
    with _listening(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}"
        if not is_loopback(host):
            _say(f"Whoever reaches {host} sees all images of {run} and may change it.")
        _say(f"{run} is at {address}, its HTTP interface at {address}/docs; Ctrl+C ends it")
        if browser:
            import webbrowser

            webbrowser.open(address)
        config = uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=3)
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
