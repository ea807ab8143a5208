"""Lock of a run, for one writer at a time: a lock of the system, which ends with its process.

So no lock is ever stale, whatever is in its file: the file only tells others who the writer is, and
how far it is.
"""

import json
import os
import socket
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
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

    def __exit__(self, *error: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Release it."""


@dataclass(frozen=True)
class Holder:
    """Process that writes to a run, as the file of its lock tells.

    One that was killed leaves the file behind.
    """

    pid: int
    host: str
    progress: str = ""
    """JSON that it has told by `RunLock.tell`; empty until then."""


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
        self._write("")

    def tell(self, progress: object) -> None:
        """Tell others how far the work is, by something that JSON can hold."""
        self._write(json.dumps(progress))

    def _write(self, progress: str) -> None:
        about = f"{os.getpid()}\n{socket.gethostname()}\n{progress}\n"
        with suppress(OSError):  # On a full disk it is still locked.
            # In place: another file of this name would be another lock.
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


def read_holder(folder: Path) -> Holder | None:
    """Process that says that it writes to the run in a folder; None if none does."""
    try:
        pid, host, *rest = (folder / LOCK_NAME).read_text(encoding="utf-8").splitlines()
        return Holder(int(pid), host, "".join(rest))
    except (OSError, ValueError):
        return None


def _holder(path: Path) -> str:
    holder = read_holder(path.parent)
    return f"process {holder.pid} on {holder.host}" if holder else "another process"
