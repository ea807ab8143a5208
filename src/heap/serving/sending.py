"""Answers that a browser keeps, asking each time whether its copy is still right.

Asking costs next to nothing; only pictures that are new are drawn and sent.
"""

import hashlib
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Response


class Sender:
    """Sender of a picture, unless the browser has it."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def send(self, made_of: object, kind: str, make: Callable[[], bytes]) -> Response:
        """Answer with the picture that `make` draws; `made_of` is all that it depends on.

        The address of the request counts too. Status 404 if the picture is empty.
        """
        content_key = repr((str(self._request.url), made_of)).encode()
        tag = f'"{hashlib.blake2b(content_key, digest_size=12).hexdigest()}"'
        headers = {"Cache-Control": "private, no-cache", "ETag": tag}
        if self._request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        content = make()
        if not content:
            raise HTTPException(404, "there is no such picture")
        return Response(content, media_type=kind, headers=headers)


Send = Annotated[Sender, Depends(Sender)]
