"""Ctrl-C that lets the work in hand be stored: the first asks to stop, the second stops."""

import signal
import threading
from types import FrameType, TracebackType


class Interruptible:
    """While it is entered, the first SIGINT only sets `requested`; the second one interrupts.

    Signals belong to the main thread; in any other it does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> "Interruptible":
        if self._main:
            self._previous = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._main:
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
