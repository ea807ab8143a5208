"""Guard around the application: access, security headers of all answers, and slow requests."""

import asyncio
import re

from fastapi import HTTPException, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heap.serving.access import Access

BODY_SECONDS = 60.0
"""Seconds that the body of a request may take to come."""
_OURS = (
    "default-src 'none'; img-src 'self' blob:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DOCUMENTATION = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
)
"""Policy of the pages of the documentation, which have scripts and styles inside."""
_DESCRIPTION = re.compile(r"(/runs/[^/]+)?/docs(/oauth2-redirect)?")
"""Paths of these pages."""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """Middleware around all of the application, so that answers to errors pass through it too."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._access.refusal(Request(scope))
        answer = self._app if refusal is None else refusal
        await answer(scope, _in_time(receive), _with_headers(send, _path_of(scope)))


def _path_of(scope: Scope) -> str:
    """Path in the application, without that below which a proxy shows it."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _with_headers(send: Send, path: str) -> Send:
    policy = _DOCUMENTATION if _DESCRIPTION.fullmatch(path) else _OURS

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update({"Content-Security-Policy": policy, **_HEADERS})
        await send(message)

    return send_with_headers


def _in_time(receive: Receive) -> Receive:
    # One limit for all parts: with one for each, a client could send a byte a minute for ever.
    until = asyncio.get_running_loop().time() + BODY_SECONDS
    more = True

    async def receive_in_time() -> Message:
        nonlocal more
        if not more:
            return await receive()
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise HTTPException(
                408, f"the request did not come within {BODY_SECONDS:.0f} seconds; send it again"
            ) from None
        more = bool(message.get("more_body"))
        return message

    return receive_in_time
