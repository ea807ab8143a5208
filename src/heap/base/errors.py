"""Errors that users can act on, and the exit code of each kind on the command line."""

import errno

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_full(error: OSError) -> bool:
    """Whether there is no space left: on the disk, in a quota, or in what a file may grow to."""
    return error.errno in _FULL


def first_line(error: BaseException) -> str:
    """First line of the message of an error; the kind of one that says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class HeapError(Exception):
    """Failure that the user can act on: the message says what, which value, and what to do."""

    exit_code = 1


class InputError(HeapError):
    """Path, image or option that cannot be used."""

    exit_code = 2


class BusyError(InputError):
    """Run that another process is writing; it may be free later."""


class WriteError(InputError):
    """File that cannot be written: a full disk, or no permission; nothing is wrong with it."""

    exit_code = 1


class ConfigError(InputError):
    """Configuration with an unknown key, a wrong type or a value out of range."""


class WeightsError(HeapError):
    """Weights that are missing, damaged, or made for another architecture."""

    exit_code = 2


class FitError(HeapError):
    """Training that ended in something unusable: collapsed, inverted beyond repair, not finite."""


class StoreError(HeapError):
    """Run or checkpoint on disk that is not there, cannot be read, is damaged or not ours."""

    exit_code = 3


class ImageError(HeapError):
    """Image that cannot be used; a run notes it and goes on."""

    def __init__(self, key: str, stage: str, reason: str) -> None:
        # The three are the arguments of the exception, so that it survives pickling.
        super().__init__(key, stage, reason)
        self.key, self.stage, self.reason = key, stage, reason

    def __str__(self) -> str:
        return f"{self.key}: {self.reason} (at stage {self.stage!r})"
