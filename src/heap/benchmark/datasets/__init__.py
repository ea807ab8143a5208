"""Data sets that methods are scored on, read from their official layouts."""

from heap.benchmark.datasets.catalogue import CATALOGUE
from heap.benchmark.datasets.checking import check_dataset
from heap.benchmark.datasets.opening import describe_datasets, open_dataset
from heap.benchmark.datasets.problems import DataError, Problem

__all__ = [
    "CATALOGUE",
    "DataError",
    "Problem",
    "check_dataset",
    "describe_datasets",
    "open_dataset",
]
