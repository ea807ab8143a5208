import os
import signal
import threading

import pytest

from heap.interrupt import Interruptible


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    signal.getsignal(signal.SIGINT)  # the handler has run by the next instruction


def test_the_first_asks_and_the_check_stops() -> None:
    with Interruptible() as stop:
        stop.check()
        interrupt()
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            stop.check()


def test_the_second_stops_at_once() -> None:
    with Interruptible():
        interrupt()
        with pytest.raises(KeyboardInterrupt):
            interrupt()


def test_afterwards_all_is_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruptible():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
    with pytest.raises(ZeroDivisionError), Interruptible():
        print(1 / 0)
    assert signal.getsignal(signal.SIGINT) == before
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_other_threads_have_no_signals_and_are_left_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    outcome = []

    def work() -> None:
        with Interruptible() as stop:
            stop.check()
            outcome.append(signal.getsignal(signal.SIGINT) == before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert outcome == [True]
