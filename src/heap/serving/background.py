"""What takes minutes to compute: in the background, once for each version of the run."""

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Lock, Thread
from typing import Generic, TypeVar

from heap.base.errors import HeapError
from heap.base.progress import OnProgress
from heap.serving.answers import StateAnswer
from heap.serving.wording import message_of

logger = logging.getLogger(__name__)
_Answer = TypeVar("_Answer", bound=StateAnswer)


class Background(Generic[_Answer]):
    """An answer that clients ask for again until it is there."""

    def __init__(self, empty: type[_Answer]) -> None:
        self._empty = empty
        self._version = ""
        self._answer = empty(state="running")
        self._lock = Lock()

    def ask(
        self, run: Path | str, version: str, compute: Callable[[OnProgress], _Answer]
    ) -> _Answer:
        """Return the answer for this version of the run, or how far it is."""
        with self._lock:
            if version != self._version and (not self._version or self._answer.state != "running"):
                self._version, self._answer = version, self._empty(state="running")
                Thread(target=self._work, args=(run, compute), daemon=True).start()
            return self._answer

    def _work(self, run: Path | str, compute: Callable[[OnProgress], _Answer]) -> None:
        def tell(stage: str, done: int, total: int | None) -> None:
            self._answer = self._empty(state="running", done=done, total=total or 0)

        try:
            self._answer = compute(tell)
        except HeapError as error:
            self._answer = self._empty(state="failed", reason=message_of(error, run))
        except Exception:
            logger.exception("work in the background failed")
            reason = "heap serve has failed at this; it has printed why"
            self._answer = self._empty(state="failed", reason=reason)
