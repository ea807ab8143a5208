"""Reports of progress from long work, without knowing who listens."""

from collections.abc import Callable

OnProgress = Callable[[str, int, int | None], None]
"""Function that is called with the name of the stage, the amount done, and the amount in all, None
if that is unknown."""


def silent(stage: str, done: int, total: int | None) -> None:
    """Report nothing."""
