"""Groups of categories that are like each other: the coarse level above them."""

from math import sqrt

import numpy as np
from jaxtyping import Float32, Int64

from heap.categories.tree import tree_of

CRITERION = (
    "as many groups as the root of the number of categories; one below 9 categories, which are "
    "seen at a glance"
)
"""Rule for the number of groups: there are as many to look through as categories in each."""
_LEAST = 9
"""Categories from which on there are several groups."""


def group_prototypes(
    prototypes: Float32[np.ndarray, "category dim"],
) -> Int64[np.ndarray, " category"]:
    """Group of each category, numbered from 1 in the order of their first categories.

    Their sizes do not count, so that a moved or rejected object changes no group.
    """
    count = len(prototypes)
    if count < _LEAST:
        return np.ones(count, dtype=np.int64)
    parts = tree_of(prototypes).cut(round(sqrt(count)))
    _, first, inverse = np.unique(parts, return_index=True, return_inverse=True)
    numbers: Int64[np.ndarray, " category"] = np.argsort(np.argsort(first))[inverse] + 1
    return numbers
