"""Who may come in: the names that the application goes by, and a token for other machines."""

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from secrets import compare_digest, token_urlsafe
from urllib.parse import quote, urlencode, urlsplit

import psutil
from fastapi import Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ANY = ("0.0.0.0", "::")  # noqa: S104
_SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Access:
    """What a request must say to be answered."""

    names: frozenset[str]
    """Hosts that a request may name, lower case; a site whose name was made to lead here does not
    name one of them."""
    token: str | None = field(default=None, repr=False)
    """Asked for wherever other machines come in; as in Jupyter it is in the address, and the
    browser gets a cookie for it."""

    @classmethod
    def at(cls, host: str, allowed: Iterable[str] = ()) -> "Access":
        """For an application that listens at `host`, and that goes by the names in `allowed` too.

        It is open to other machines unless it listens on a loopback address and no name is given:
        a name is one that a proxy serves it by.
        """
        given = {bare(name) for name in allowed}
        names = {*_LOOPBACK, bare(host), *given} - set(_ANY)
        if is_loopback(host) and not given:
            return cls(frozenset(names))
        machine = socket.gethostname().lower()
        names |= {machine, f"{machine}.local", *own_addresses()}
        return cls(frozenset(names), token_urlsafe(24))

    def refusal(self, request: Request) -> Response | None:
        """Why a request is not answered, or where it is sent with its cookie; None: it is."""
        host = _host_of(request)
        if host not in self.names:
            hint = f"start it with --allow-host {host}" if host else "name one of its own"
            return _refused(400, f"heap serve is not called {host!r} here; {hint}")
        if self.token is not None:
            given = request.query_params.get("token")
            if given is not None and self._is_right(given) and request.method in _SAFE:
                return self._welcome(request)
            if not any(map(self._is_right, _tokens(request))):
                return _refused(401, "open the address that heap serve has printed, with its token",
                                {"WWW-Authenticate": "Bearer"})  # fmt: skip
        if request.method not in _SAFE and not _from_here(request):
            return _refused(403, "changes are only taken from our own pages")
        return None

    def _is_right(self, given: str) -> bool:
        # As bytes: strings are only compared in constant time if they are ASCII.
        return compare_digest(given.encode("utf-8", "replace"), str(self.token).encode())

    def _welcome(self, request: Request) -> Response:
        """The same page by an address that does not show the token."""
        others = [pair for pair in request.query_params.multi_items() if pair[0] != "token"]
        path = "/" + quote(request.scope["path"].lstrip("/"))
        answer = RedirectResponse(f"{path}?{urlencode(others)}" if others else path, 303)
        answer.set_cookie(_cookie(request), str(self.token), httponly=True, samesite="lax")
        return answer


def bare(host: str) -> str:
    """A host as requests are compared by it: lower case, IPv6 without brackets."""
    return host.strip().lower().removeprefix("[").removesuffix("]")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def own_addresses() -> list[str]:
    """The addresses of this machine, those first that others are most likely to reach."""
    found = [
        ipaddress.ip_address(part.address.partition("%")[0])
        for parts in psutil.net_if_addrs().values()
        for part in parts
        if part.family in (socket.AF_INET, socket.AF_INET6)
    ]
    return [
        str(address)
        for address in sorted(
            found, key=lambda each: (each.is_loopback, each.is_link_local, each.version)
        )
    ]


def address_of(host: str, port: int, allowed: Iterable[str] = ()) -> str:
    """The address of an application that listens at `host`, for those who are to open it."""
    shown = next(iter(allowed), own_addresses()[0] if host in _ANY else host)
    return f"http://[{bare(shown)}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _host_of(request: Request) -> str:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _tokens(request: Request) -> list[str]:
    """What a request gives: in its address, as programs do, or in a cookie."""
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    given = [request.query_params.get("token"), request.cookies.get(_cookie(request))]
    return [each for each in (*given, bearer if kind.lower() == "bearer" else None) if each]


def _cookie(request: Request) -> str:
    """Cookies do not know ports, and several runs may be served side by side."""
    return f"heap-{request.scope['server'][1]}"


def _from_here(request: Request) -> bool:
    """Programs send no origin; browsers always do with what could change something."""
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _refused(status: int, why: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": why}, status, headers)
