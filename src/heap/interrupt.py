"""Ctrl-C that lets the work in hand be stored: the first asks to stop, the second stops."""

import signal
from types import FrameType, TracebackType
from typing import Self


class Interruptible:
    """While it is entered, the first SIGINT only sets `requested`; the second one interrupts."""

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> Self:
        self._previous = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGINT, self._previous)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def check(self) -> None:
        """Stop here if it was asked for; everything so far must be stored.

        Raises:
            KeyboardInterrupt: if SIGINT came since the block was entered.
        """
        if self.requested:
            raise KeyboardInterrupt
