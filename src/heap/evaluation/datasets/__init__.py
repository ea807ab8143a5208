"""The data sets that methods are scored on, read from their official layouts."""

from heap.evaluation.datasets.catalogue import CATALOGUE
from heap.evaluation.datasets.checking import check_dataset
from heap.evaluation.datasets.opening import describe_datasets, open_dataset
from heap.evaluation.datasets.problems import DataError, Problem

__all__ = [
    "CATALOGUE",
    "DataError",
    "Problem",
    "check_dataset",
    "describe_datasets",
    "open_dataset",
]
