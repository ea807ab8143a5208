"""Signals that let the work in hand be stored: the first asks to stop, the second stops.

Ctrl-C, the end of a session, and what batch systems send are all the same here.
"""

import signal
import threading
from types import FrameType, TracebackType

_STOPPING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


def heeded() -> list[signal.Signals]:
    """The signals that stop this process, without those that `nohup` and the like let it ignore.

    They belong to the main thread; in any other there are none.
    """
    if threading.current_thread() is not threading.main_thread():
        return []
    return [number for number in _STOPPING if signal.getsignal(number) is not signal.SIG_IGN]


class Interruptible:
    """While it is entered, the first signal only sets `requested`; the second one interrupts."""

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> "Interruptible":
        self._previous = {number: signal.signal(number, self._note) for number in heeded()}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def check(self) -> None:
        """Stop here if it was asked for; everything so far must be stored.

        Raises:
            KeyboardInterrupt: if a signal came since the block was entered.
        """
        if self.requested:
            raise KeyboardInterrupt
