"""What keeps other web pages and other machines away from the application."""

import ipaddress
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

_OURS = (
    "default-src 'none'; img-src 'self' blob:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DOCUMENTATION = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
)
"""The pages of the documentation have scripts and styles inside."""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_SAFE = ("GET", "HEAD", "OPTIONS")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def guard(app: FastAPI, host: str) -> None:
    """Refuse what a page of another site could send, and say what our pages may do.

    On a loopback address, requests must name one as their host: a site whose name was made to lead
    here does not.
    """
    app.middleware("http")(_guarded)
    if is_loopback(host):
        names = ["localhost", "127.0.0.1", "[::1]", host]
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False)


async def _guarded(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    if request.method not in _SAFE and not _from_here(request):
        return JSONResponse({"detail": "changes are only taken from our own pages"}, 403)
    response = await answer(request)
    documentation = request.url.path in ("/docs", "/redoc", "/docs/oauth2-redirect")
    response.headers["Content-Security-Policy"] = _DOCUMENTATION if documentation else _OURS
    for name, value in _HEADERS.items():
        response.headers[name] = value
    return response


def _from_here(request: Request) -> bool:
    """Programs send no origin; browsers always do with what could change something."""
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
