"""Lock of a run, for one writer at a time: a lock of the system, which ends with its process.

So no lock is ever stale, whatever is in its file: the file only tells others who the writer is.
"""

import os
import socket
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from filelock import FileLock, Timeout

from heap.base.errors import BusyError, InputError, WriteError, is_full

LOCK_NAME = ".lock"
_PATIENCE = 0.3
"""Seconds to wait for a lock: enough for a process that is just ending."""


# Not `Self`: the run-time checks of tests do not know it here.
Held = TypeVar("Held")


class Closing(ABC):
    """Something that is held in a `with` block, and closed at its end, also after an error."""

    def __enter__(self: Held) -> Held:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Release it."""


class RunLock(Closing):
    """Right to write to the run in a folder; a context manager that holds it.

    Raises:
        BusyError: at once if another process is writing there.
        InputError: if the folder is read-only.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK_NAME
        # Held by the process and not by one thread: another thread may release it.
        self._lock = FileLock(self._path, thread_local=False)
        try:
            self._lock.acquire(timeout=_PATIENCE, poll_interval=0.02)
        except Timeout:
            raise BusyError(
                f"{folder} is being written by {_holder(self._path)}; wait for it to end or choose "
                "another --out"
            ) from None
        except OSError as error:
            if is_full(error):
                raise WriteError(
                    f"{folder} cannot be written ({error.strerror}); make space there"
                ) from error
            raise InputError(
                f"{folder} cannot be written ({error.strerror}); choose a folder that can be"
            ) from error
        about = f"{os.getpid()}\n{socket.gethostname()}\n"
        with suppress(OSError):  # On a full disk it is still locked.
            self._path.write_text(about, encoding="utf-8")

    def close(self) -> None:
        """Let others write there."""
        # Removed before it is released: whoever waits for this file sees that it is gone.
        with suppress(OSError):
            self._path.unlink()
        self._lock.release()


def refuse_busy(folder: Path) -> None:
    """Refuse a run in `folder` that another process is writing, before anything slow is begun.

    Raises:
        BusyError: if a process is writing there.
    """
    if (folder / LOCK_NAME).is_file():
        RunLock(folder).close()


def _holder(path: Path) -> str:
    try:
        pid, host, *_ = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return "another process"
    return f"process {pid} on {host}"
