"""Work in the background, and its answer so far."""

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
    """Work in one thread at a time; clients ask for its answer again until it is there."""

    def __init__(self, answer: _Answer) -> None:
        self.answer = answer
        """Progress of the work, or its result."""
        self.lock = Lock()
        """To be held by whoever decides whether to begin."""

    @property
    def running(self) -> bool:
        """Whether work was begun and has not ended."""
        return self.answer.state == "running"

    def begin(
        self, answer: _Answer, run: Path | str, compute: Callable[[OnProgress], _Answer]
    ) -> None:
        """Begin to compute another answer; until it is there, the answer is the one given here.

        If it fails, the answer says why, in words for the person at the page.
        """
        self.answer = answer
        Thread(target=self._work, args=(run, compute), daemon=True).start()

    def _work(self, run: Path | str, compute: Callable[[OnProgress], _Answer]) -> None:
        try:
            self.answer = compute(self._progress)
        except HeapError as error:
            self._update(state="failed", reason=message_of(error, run))
        except Exception:
            logger.exception("work in the background failed")
            reason = "heap serve has failed at this; it has printed why"
            self._update(state="failed", reason=reason)

    def _progress(self, stage: str, done: int, total: int | None) -> None:
        self._update(done=done, total=total or 0)

    def _update(self, **values: object) -> None:
        self.answer = self.answer.model_copy(update=values)


class OncePerVersion(Generic[_Answer]):
    """An answer that is computed once for each version of the run."""

    def __init__(self, empty: type[_Answer]) -> None:
        self._empty = empty
        self._version = ""
        self._background = Background(empty(state="none"))

    def ask(
        self, run: Path | str, version: str, compute: Callable[[OnProgress], _Answer]
    ) -> _Answer:
        """Return the answer for this version of the run, or how far it is."""
        with self._background.lock:
            if version != self._version and not self._background.running:
                self._version = version
                self._background.begin(self._empty(state="running"), run, compute)
            return self._background.answer
