from pathlib import Path

import numpy as np
import pytest

from heap.benchmark.run.memory import forget_peak, peak_mb

CLEAR = Path("/proc/self/clear_refs")


def can_forget() -> bool:
    try:
        CLEAR.write_text("5")
    except OSError:
        return False
    return True


def test_the_peak_is_that_of_this_process() -> None:
    assert 10 < peak_mb() < 1e6


@pytest.mark.skipif(not can_forget(), reason="this system does not let a process forget its peak")
def test_what_is_held_counts_until_it_is_forgotten() -> None:
    forget_peak()
    before = peak_mb()
    held = np.ones(100_000_000, dtype=np.uint8)
    there = peak_mb()
    assert 95 < there - before < 200
    del held
    assert peak_mb() > there - 5
    forget_peak()
    assert peak_mb() < there - 50
