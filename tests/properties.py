"""How many random examples a property is tried with."""

import os

SOAK = "HEAP_SOAK"
"""Environment variable: so many times as many examples; `make properties` sets it."""


def examples(count: int) -> int:
    """So many in the usual suite, more in a soak."""
    return count * int(os.environ.get(SOAK, "1"))
