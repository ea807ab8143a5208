"""One writer per run: a file that holds the writer's process id and host."""

from pathlib import Path

from filelock import SoftFileLock, Timeout

from heap.errors import BusyError, InputError

LOCK_NAME = ".lock"
_PATIENCE = 0.3
"""Seconds: enough to take over the lock of a process that died, not to wait for a living one."""


def lock_run(folder: Path) -> SoftFileLock:
    """Take the lock of the run in `folder`; one left by a dead process of this host is taken over.

    Raises:
        BusyError: at once if another process is writing there.
        InputError: if the folder is read-only.
    """
    lock = SoftFileLock(folder / LOCK_NAME, thread_local=False)
    try:
        lock.acquire(timeout=_PATIENCE, poll_interval=0.02)
    except Timeout:
        raise BusyError(
            f"{folder} is being written by {_holder(folder)}; wait for it to end or choose another "
            f"--out (if it is certainly gone, delete {folder / LOCK_NAME})"
        ) from None
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}); choose another --out") \
            from error  # fmt: skip
    return lock


def _holder(folder: Path) -> str:
    try:
        pid, host, *_ = (folder / LOCK_NAME).read_text().splitlines()
    except (OSError, ValueError):
        return "another process"
    return f"process {pid} on {host}"
