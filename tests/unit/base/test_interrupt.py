import os
import signal
import subprocess
import sys
import threading

import pytest

from heap.base.interrupt import Interruptible, stopping_signals


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


@pytest.mark.fault("F29")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_f29_whatever_stops_it_lets_the_work_in_hand_be_stored(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interruptible() as stop:
        signal.raise_signal(number)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) == before


def test_what_nohup_lets_it_ignore_does_not_stop_it() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruptible() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop.requested
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_handler_of_the_program_around_python_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Python knows no such handler, and could not put it back.
    monkeypatch.setattr("signal.getsignal", lambda number: None)
    assert stopping_signals() == []


COMMAND = """
import time
from heap.cli.app import app, main

@app.command
def work():
    print("at work", flush=True)
    time.sleep(60)

main()
"""


@pytest.mark.fault("F29")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_f29_the_command_line_ends_with_130(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, "work"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == "at work\n"
        child.send_signal(number)
        _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert said == "heap: interrupted\n", "a command that does not go on does not say so"


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
