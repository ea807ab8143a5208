"""Time limits for slow and silent clients, for which uvicorn itself waits without end."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from heap.serving.live import Ending

SILENT_SECONDS = 15.0
"""Seconds for the head of a request to come, and for a client to take some more of an answer."""


class PatientProtocol(H11Protocol):
    """HTTP protocol that ends connections without a request, or on which no answer is taken.

    Classes made by `protocol_until` know the end of their application.
    """

    ending: Ending
    _head: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the head of a request."""
        super().connection_made(transport)
        self._wait_for_head()
        if self.ending.has_begun:
            # It was accepted before the end, but is seen only after uvicorn has told all to close:
            # browsers keep such a connection open without a request, and it would be waited for.
            self.shutdown()

    def data_received(self, data: bytes) -> None:
        """Go on waiting while only a part of a head has come."""
        super().data_received(data)
        # A body that comes after an answer that has refused it is no new request either.
        answered = self.conn.our_state is h11.DONE
        if self.conn.their_state is not h11.IDLE and not answered:
            _stop(self._head)
            self._head = None
        elif self._head is None:
            self._wait_for_head()

    def pause_writing(self) -> None:
        """Begin to wait for a client that takes nothing more."""
        super().pause_writing()
        _stop(self._taking)
        self._taking = self.loop.call_later(SILENT_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop waiting: the client has taken some of the answer."""
        super().resume_writing()
        _stop(self._taking)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop both timers."""
        _stop(self._head)
        _stop(self._taking)
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._head = self.loop.call_later(SILENT_SECONDS, self.transport.abort)


def protocol_until(ending: Ending) -> type[PatientProtocol]:
    """Return the protocol of an application with this end."""
    return type("Protocol", (PatientProtocol,), {"ending": ending})


def _stop(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
