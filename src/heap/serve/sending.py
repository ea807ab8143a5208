"""Answers that a browser keeps: it asks each time whether its one is still right.

That costs next to nothing; only what is new is made and sent.
"""

import hashlib
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Response


class Sender:
    """Sends a picture, unless the browser has it."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def send(self, made_of: object, kind: str, make: Callable[[], bytes]) -> Response:
        """`made_of` is all that the picture depends on, but for the address."""
        told = repr((str(self._request.url), made_of)).encode()
        tag = f'"{hashlib.blake2b(told, digest_size=12).hexdigest()}"'
        headers = {"Cache-Control": "private, no-cache", "ETag": tag}
        if self._request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        content = make()
        if not content:
            raise HTTPException(404, "there is no such picture")
        return Response(content, media_type=kind, headers=headers)


Send = Annotated[Sender, Depends(Sender)]
