"""How long work says how far it is, without knowing who listens."""

from collections.abc import Callable

OnProgress = Callable[[str, int, int | None], None]
"""Called with the name of the stage, how much is done, and how much there is (None: unknown)."""


def silent(stage: str, done: int, total: int | None) -> None:
    """Say nothing."""
