"""What a run of `store_writer.py` holds, to be compared with what it holds after damage."""

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from store_writer import write

from heap.store import writer
from heap.store.store import RunStore


def write_small(run: Path) -> Path:
    """A run of twenty images that keeps no earlier versions: all of its files are needed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "READERS", timedelta(milliseconds=1))
        write(run, 20, 4)
        time.sleep(0.05)  # versions of the last milliseconds are left to the next time
        write(run, 20, 4)
    return run


def contents(run: Path) -> list[Any]:
    """Everything a run holds but its thumbnails, in a form that compares."""
    store = RunStore.open(run)
    records = [frozen(replace(record, thumbnail=b"")) for record in store.records()]
    return [records, list(store.failures()), store.finished(), store.counts(), store.config]


def frozen(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tobytes()
    return list(map(frozen, vars(value).values())) if hasattr(value, "__dict__") else value


def files(run: Path, folder: str) -> list[Path]:
    return [path.relative_to(run) for path in sorted(run.glob(f"store/*/{folder}/*.*"))]


def count_left_out(found: list[Any], truth: list[Any], said: str) -> int:
    """How many rows a damaged run was read without; all others have to be right, and it be said."""
    assert all(each in truth[0] for each in found[0])
    assert all(each in truth[1] for each in found[1])
    left_out = len(truth[0]) + len(truth[1]) - len(found[0]) - len(found[1])
    assert left_out <= said.count(" is damaged")
    assert left_out or found == truth
    return left_out
