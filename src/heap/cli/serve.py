"""`heap serve`."""

from typing import TYPE_CHECKING, Annotated

import cyclopts
from cyclopts import Parameter

from heap.cli.app import err_console
from heap.cli.options import ANY_PHOTOS, PhotoOptions

if TYPE_CHECKING:
    from heap.serving.command import Address


def serve(
    run: str,
    /,
    *others: str,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=cyclopts.validators.Number(gte=0, lte=65535))] = 8750,
    allow_host: Annotated[list[str] | None, Parameter(negative=())] = None,
    root_path: str = "",
    proxy: Annotated[list[str] | None, Parameter(negative=())] = None,
    model: str | None = None,
    encoder: str | None = None,
    read_only: bool = False,
    browser: Annotated[bool, Parameter(negative=())] = False,
    photos: PhotoOptions = ANY_PHOTOS,
) -> None:
    """Look at a run in the browser: browse, search, correct and export it.

    Of several runs, or of a folder of runs, there is a page of all, and two of the same photos can
    be compared there.

    What is renamed, merged and rejected is written to the run at once. Another process may go on
    discovering into it. The HTTP interface is described at /docs. Ctrl+C ends it.

    Example: heap serve RUN --browser

    Args:
        run: Folder or URL of a run, see `heap discover`, or a folder of such folders.
        others: More of them.
        host: Address to listen at; by default only this machine reaches it. With 0.0.0.0 others do
            too, if they open the address that is printed: it has a token, without which nothing is
            answered. With it, one sees all images and may change the run.
        port: Port to listen at; 0 takes any that is free.
        allow_host: Another name or address by which browsers reach it, such as that of a proxy;
            requests that name a host of neither this machine nor these are refused.
        root_path: Path below which a proxy shows it, such as /heap; the proxy has to take it away.
        proxy: Address of a proxy, such as 127.0.0.1 or 10.0.0.0/8, that says by X-Forwarded-Host
            and X-Forwarded-Proto what the browser has asked for; nobody else is believed.
        model: Where the model of the run is now, if it was moved.
        encoder: Where the encoder of that model is now.
        read_only: Refuse changes and exports.
        browser: Open the page in the browser of this machine.
        photos: Where the photos of the run are read again.
    """
    from heap.serving.command import serve as serve_run

    whole = ", ".join((run, *others))

    def say_address(address: "Address") -> None:
        docs = f"{address.url}/docs"
        err_console.print(
            f"{whole} is at {address.page}, its HTTP interface at {docs}; Ctrl+C ends it"
        )
        if proxy:
            path = f"{root_path.rstrip('/')}/?token={address.token}"
            err_console.print(f"Through the proxy it is at the address of that, with {path}")
        if address.token:
            err_console.print(
                f"Whoever has this address sees all images of {whole}"
                f"{'' if read_only else ' and may change it'}; it is valid until heap serve ends."
            )

    serve_run(
        run,
        *others,
        host=host,
        port=port,
        allow_hosts=allow_host or (),
        root_path=root_path,
        proxies=proxy or (),
        model=model,
        encoder=encoder,
        read_only=read_only,
        browser=browser,
        photos=photos.photos,
        urls=photos.urls,
        on_ready=say_address,
    )
