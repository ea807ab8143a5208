"""Requests that come through a proxy, with the host and scheme that the browser has asked for."""

import ipaddress
import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from heap.base.errors import InputError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_PATH = re.compile(r"(/[\w.~%@+-]+)*", re.ASCII)


class Proxied:
    """Middleware that takes X-Forwarded-Host and X-Forwarded-Proto from named proxies only.

    Where a proxy sends several values, the last is its own; the others are what it was told.
    """

    def __init__(self, app: ASGIApp, proxies: Iterable[Network]) -> None:
        self._app = app
        self._proxies = list(proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and self._is_proxy(scope):
            scope = _as_asked_for(scope)
        await self._app(scope, receive, send)

    def _is_proxy(self, scope: Scope) -> bool:
        try:
            client = ipaddress.ip_address((scope["client"] or ("",))[0])
        except ValueError:
            return False
        return any(client in network for network in self._proxies)


def networks_of(proxies: Iterable[str]) -> list[Network]:
    """Read the addresses of proxies, such as 127.0.0.1 or 10.0.0.0/8.

    Raises:
        InputError: if one is none.
    """
    networks: list[Network] = []
    for text in proxies:
        try:
            networks.append(ipaddress.ip_network(text.strip(), strict=False))
        except ValueError:
            raise InputError(
                f"{text!r} is no address of a proxy; give one such as 127.0.0.1 or 10.0.0.0/8"
            ) from None
    return networks


def clean_root_path(text: str) -> str:
    """Return a path below which a proxy shows the application, without a slash at its end.

    Raises:
        InputError: if it is none.
    """
    path = text.rstrip("/")
    if not _PATH.fullmatch(path):
        raise InputError(f"{text!r} is no path of a proxy; give one such as /heap")
    return path


def _as_asked_for(scope: Scope) -> Scope:
    told = Headers(scope=scope)
    scheme, host = (
        told.get(name, "").rpartition(",")[2].strip()
        for name in ("x-forwarded-proto", "x-forwarded-host")
    )
    changed = {**scope, "headers": list(scope["headers"])}
    if scheme in ("http", "https"):
        changed["scheme"] = scheme
    if host:
        MutableHeaders(scope=changed)["host"] = host
    return changed
