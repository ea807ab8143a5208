import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple

import pytest
import torch

from heap.base.timing import OTHER, StageTime, Timing, timed


def work(seconds: float) -> None:
    """Use that much processor time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def by_stage(timing: Timing) -> dict[str, StageTime]:
    return {row.stage: row for row in timing.times()}


def test_a_stage_has_the_time_of_its_own_work_and_not_of_stages_inside_it() -> None:
    with Timing() as timing, timed("outer"):
        work(0.01)
        with timed("inner"):
            work(0.05)
        work(0.01)
    times = by_stage(timing)
    assert list(times) == ["inner", "outer", OTHER]  # largest first, the rest last
    assert times["inner"].processor >= 0.05
    assert 0.02 <= times["outer"].processor < times["inner"].processor
    assert times["inner"].wall >= 0.05


def test_stages_of_all_threads_add_up_to_the_process() -> None:
    @timed("thread")
    def work_in_a_thread(seconds: float) -> None:
        work(seconds)

    began = time.process_time()
    with Timing() as timing, ThreadPoolExecutor(2) as pool:
        list(pool.map(work_in_a_thread, [0.03] * 4))
    took, times = time.process_time() - began, by_stage(timing)
    assert 0.12 <= times["thread"].processor <= took
    assert sum(row.share for row in times.values()) == pytest.approx(1)
    assert sum(row.processor for row in times.values()) <= took


def test_a_stage_that_fails_is_timed_and_the_one_around_it_goes_on() -> None:
    @timed("failing")
    def fail() -> None:
        work(0.01)
        raise KeyError

    with Timing() as timing, timed("outer"):
        with pytest.raises(KeyError):
            fail()
        work(0.01)
    times = by_stage(timing)
    assert times["failing"].processor >= 0.01
    assert times["outer"].processor >= 0.01


def test_nothing_is_timed_before_and_after() -> None:
    with timed("before"):
        pass
    with Timing() as timing:
        pass
    with timed("after"):
        pass
    assert list(by_stage(timing)) == [OTHER]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is in the rest")
def test_the_main_thread_has_the_time_of_the_threads_of_libraries() -> None:
    assert threading.current_thread() is threading.main_thread()
    before, numbers = torch.get_num_threads(), torch.ones(1500, 1500)
    torch.set_num_threads(2)
    try:
        with Timing() as timing, timed("products"):
            began = time.thread_time()
            for _ in range(5):
                numbers = (numbers @ numbers).sigmoid()
            own = time.thread_time() - began
    finally:
        torch.set_num_threads(before)
    # Half of it is done by the other thread, which Python does not know.
    assert by_stage(timing)["products"].processor > 1.2 * own


def test_times_are_plain_numbers() -> None:
    with Timing() as timing, timed("stage"):
        pass
    assert all(type(value) in (str, float) for row in timing.times() for value in astuple(row))
