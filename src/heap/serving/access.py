"""Access to the application: the host names that it answers to, and a token for other machines."""

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
    """Conditions that a request must meet to be answered."""

    names: frozenset[str]
    """Hosts that a request may name, in lower case. This stops DNS rebinding: a foreign site whose
    name was made to lead here still sends its own name."""
    token: str | None = field(default=None, repr=False)
    """Secret that is asked for where other machines can connect; None: nothing is asked for. As in
    Jupyter it is in the address, and the browser gets a cookie for it."""

    @classmethod
    def at(cls, host: str, allowed: Iterable[str] = (), *, through_proxy: bool = False) -> "Access":
        """Access to an application that listens at `host` and answers to the names in `allowed`.

        Other machines can connect unless it listens on a loopback address, no name is allowed and
        no proxy is named: a name is one by which a proxy passes requests of others on.
        """
        allowed_names = {bare_host(name) for name in allowed}
        names = {*_LOOPBACK, bare_host(host), *allowed_names} - set(_ANY)
        if is_loopback(host) and not allowed_names and not through_proxy:
            return cls(frozenset(names))
        machine = socket.gethostname().lower()
        names |= {machine, f"{machine}.local", *own_addresses()}
        return cls(frozenset(names), token_urlsafe(24))

    def refusal(self, request: Request) -> Response | None:
        """Answer to a request that is refused, or sent on with its cookie; None: go on."""
        host = _host_of(request)
        if host not in self.names:
            hint = f"start it with --allow-host {host}" if host else "name one of its own"
            return _refuse(400, f"heap serve is not called {host!r} here; {hint}")
        if self.token is not None:
            token = request.query_params.get("token")
            if token is not None and self._is_right(token) and request.method in _SAFE:
                return self._welcome(request)
            if not any(map(self._is_right, _tokens(request))):
                return _refuse(401, "open the address that heap serve has printed, with its token",
                                {"WWW-Authenticate": "Bearer"})  # fmt: skip
        if request.method not in _SAFE and not _from_here(request):
            return _refuse(403, "changes are only taken from our own pages")
        return None

    def _is_right(self, token: str) -> bool:
        # In constant time, so that nobody can guess the token letter by letter from the time that a
        # refusal takes; as bytes, because strings are only compared so if they are ASCII.
        return compare_digest(token.encode("utf-8", "replace"), str(self.token).encode())

    def _welcome(self, request: Request) -> Response:
        """Redirect to the same page by an address that does not show the token."""
        others = [pair for pair in request.query_params.multi_items() if pair[0] != "token"]
        # Relative to the address that the browser shows: a proxy may put its own path before an
        # absolute one (jupyter-server-proxy does), and //name would lead to another site.
        path = "./" + quote(request.scope["path"].rpartition("/")[2])
        answer = RedirectResponse(f"{path}?{urlencode(others)}" if others else path, 303)
        answer.set_cookie(
            _cookie(request), str(self.token), httponly=True, samesite="lax",
            path=request.scope.get("root_path") or "/", secure=request.scope["scheme"] == "https",
        )  # fmt: skip
        return answer


def bare_host(host: str) -> str:
    """Return a host in the form that is compared: lower case, IPv6 without brackets."""
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
    """Addresses of this machine, those first that others are most likely to reach."""
    addresses = [
        ipaddress.ip_address(part.address.partition("%")[0])
        for parts in psutil.net_if_addrs().values()
        for part in parts
        if part.family in (socket.AF_INET, socket.AF_INET6)
    ]
    return [
        str(address)
        for address in sorted(
            addresses, key=lambda known: (known.is_loopback, known.is_link_local, known.version)
        )
    ]


def address_of(host: str, port: int, allowed: Iterable[str] = ()) -> str:
    """Return the address at which others open an application that listens at `host`."""
    shown = next(iter(allowed), own_addresses()[0] if host in _ANY else host)
    return f"http://[{bare_host(shown)}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _host_of(request: Request) -> str:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _tokens(request: Request) -> list[str]:
    """Tokens in a request: in its address, in the cookie, or as a bearer token of a program."""
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    texts = [request.query_params.get("token"), request.cookies.get(_cookie(request))]
    texts.append(bearer if kind.lower() == "bearer" else None)
    return [text for text in texts if text]


def _cookie(request: Request) -> str:
    """Name of the cookie, with the port: browsers share cookies between all ports of a machine."""
    return f"heap-{request.scope['server'][1]}"


def _from_here(request: Request) -> bool:
    """Whether a request comes from our pages, or from a program.

    Programs send no origin; browsers always do with a request that could change something.
    """
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _refuse(status: int, why: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": why}, status, headers)
