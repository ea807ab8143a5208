"""Clients that are too slow, or silent: uvicorn itself waits for them for as long as they like."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

SILENT_SECONDS = 15.0
"""How long the head of a request may take to come, and how long nothing of an answer is taken."""


class PatientProtocol(H11Protocol):
    """Ends connections on which nothing is asked for, or nothing of the answer is taken."""

    _head: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the head of a request."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Wait for the rest of a head that has not come as a whole."""
        super().data_received(data)
        # A body that comes after the answer, which has refused it, is no request either.
        answered = self.conn.our_state is h11.DONE
        if self.conn.their_state is not h11.IDLE and not answered:
            _stop(self._head)
            self._head = None
        elif self._head is None:
            self._wait_for_head()

    def pause_writing(self) -> None:
        """Begin to wait for a client that takes no more."""
        super().pause_writing()
        _stop(self._taking)
        self._taking = self.loop.call_later(SILENT_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: it has taken some."""
        super().resume_writing()
        _stop(self._taking)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        _stop(self._head)
        _stop(self._taking)
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._head = self.loop.call_later(SILENT_SECONDS, self.transport.abort)


def _stop(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
