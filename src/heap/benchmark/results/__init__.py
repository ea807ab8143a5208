"""The file of a result: one method, one seed, one data set, one encoder, any number of protocols.

JSON, gzipped where the name ends with `.gz`, a line for each image; the same results give the same
bytes. Values are fractions; whoever prints them multiplies by 100. Floats are kept to five digits,
so a summary has to be made from rows that are `rounded` already: then it can be made again from the
file.
"""

from heap.benchmark.results.environment import machine, versions
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
    rounded,
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
    "machine",
    "read_results",
    "rounded",
    "versions",
    "write_results",
]
