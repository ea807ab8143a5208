import threading

import pytest

from heap.base.deadline import run_within


def test_what_ends_in_time_gives_its_result_or_its_error() -> None:
    assert run_within(60.0, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        run_within(60.0, lambda: 1 // 0)


def test_what_does_not_end_is_left_to_itself() -> None:
    never = threading.Event()
    with pytest.raises(TimeoutError, match=r"it takes longer than 0\.05 seconds"):
        run_within(0.05, never.wait)
    never.set()


def test_a_timeout_of_the_work_itself_is_its_own() -> None:
    def work() -> None:
        raise TimeoutError("the server is slow")

    with pytest.raises(TimeoutError, match="the server is slow"):
        run_within(60.0, work)
