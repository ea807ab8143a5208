"""Signals that let the current work be stored: the first asks to stop, the second stops.

Ctrl-C, the end of a session, and the signals of batch systems are all the same here.
"""

import signal
import threading
from types import FrameType

_STOPPING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


def stopping_signals() -> list[signal.Signals]:
    """Signals that stop this process.

    Left out are those that `nohup` and the like let it ignore, and those that a program around
    Python handles, whose handler Python could not put back. There are none in any other thread than
    the main one: Python handles signals only there.
    """
    if threading.current_thread() is not threading.main_thread():
        return []
    return [
        number for number in _STOPPING if signal.getsignal(number) not in (signal.SIG_IGN, None)
    ]


class Interruptible:
    """Block in which the first signal only sets `requested`, and the second one interrupts."""

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> "Interruptible":
        self._previous = {
            number: signal.signal(number, self._note) for number in stopping_signals()
        }
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        # The second signal: whoever sends it does not want to wait for the work to be stored.
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def check(self) -> None:
        """Stop here if that was requested; everything so far must be stored.

        Raises:
            KeyboardInterrupt: if a signal came since the block was entered.
        """
        if self.requested:
            raise KeyboardInterrupt
