"""Result of one method, seed, data set and encoder by any number of protocols, and its file.

The file is JSON with a line for every image, gzipped where the name ends with `.gz`; the same
results give the same bytes. Values are fractions; tables print them times 100. Floats are kept to
five digits. A summary is made from rows that are `rounded` already, so that it can be made again
from the file.
"""

from heap.benchmark.results.environment import machine_info, package_versions
from heap.benchmark.results.files import read_results, write_results
from heap.benchmark.results.records import (
    DIGITS,
    FORMAT,
    AboutData,
    AboutEncoder,
    AboutMethod,
    Cost,
    Failure,
    ImageRow,
    Metric,
    Results,
    Scores,
    round_floats,
)

__all__ = [
    "DIGITS",
    "FORMAT",
    "AboutData",
    "AboutEncoder",
    "AboutMethod",
    "Cost",
    "Failure",
    "ImageRow",
    "Metric",
    "Results",
    "Scores",
    "machine_info",
    "package_versions",
    "read_results",
    "round_floats",
    "write_results",
]
