"""Learning rates by hand, and steps that are taken again after a kill."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heap.base.checkpoint import load_checkpoint
from heap.base.training import CHECKPOINT, LOG, resume, take_steps, warm_cosine


class Counting:
    """Training whose weight is the number of its steps."""

    def __init__(self, steps: int) -> None:
        self.step, self.steps = 0, steps

    @property
    def finished(self) -> bool:
        return self.step >= self.steps

    def advance(self) -> dict[str, float]:
        self.step += 1
        return {"loss": 1 / self.step}

    def state(self) -> dict[str, Any]:
        return {"step": self.step}

    def restore(self, state: dict[str, Any], where: Path) -> None:
        self.step = state["step"]


def logged(folder: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (folder / LOG).read_text().splitlines()]


def test_the_learning_rate_rises_and_falls_by_hand() -> None:
    assert [warm_cosine(step / 20, 0.1, 0.05) for step in range(3)] == [0.5, 1.0, 1.0]
    # A third of the way down is 0.5 + 0.5 cos(60 degrees).
    assert warm_cosine(0.1 + 0.3, 0.1, 0.05) == pytest.approx(0.75)
    assert warm_cosine(0.1 + 0.45, 0.1, 0.05) == pytest.approx(0.5)
    assert warm_cosine(0.1 + 0.6, 0.1, 0.05) == pytest.approx(0.25)
    assert warm_cosine(0.95, 0.1, 0.05) == pytest.approx(0.5 + 0.5 * math.cos(math.pi * 17 / 18))


@given(st.integers(1, 400), st.floats(0.01, 1.0))
def test_the_learning_rate_has_one_peak_and_no_step_is_lost(steps: int, warmup: float) -> None:
    rates = [warm_cosine(step / steps, warmup, 1 / steps) for step in range(steps)]
    top = rates.index(max(rates))
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


@pytest.mark.parametrize("killed", range(1, 8))
def test_steps_after_the_last_checkpoint_are_taken_again(tmp_path: Path, killed: int) -> None:
    training = Counting(7)
    for _ in take_steps(training, tmp_path, 3):
        if training.step == killed:
            break
    again = Counting(7)
    saved = 7 if killed == 7 else killed // 3 * 3
    assert resume(again, tmp_path) == (saved > 0)
    assert again.step == saved
    assert [*take_steps(again, tmp_path, 3)] == [{"loss": 1 / step} for step in range(saved + 1, 8)]
    assert logged(tmp_path) == [3, 6, 7], "a line for every checkpoint, none of them twice"
    assert load_checkpoint(tmp_path / CHECKPOINT) == {"step": 7}


def test_a_line_without_its_checkpoint_is_dropped(tmp_path: Path) -> None:
    [*take_steps(Counting(3), tmp_path, 3)]
    with (tmp_path / LOG).open("a") as log:
        log.write(json.dumps({"step": 6, "loss": 1.0}) + "\n" + '{"step": 9, "lo')
    resume(Counting(7), tmp_path)
    assert logged(tmp_path) == [3]


def test_processes_beside_the_first_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert len([*take_steps(Counting(5), tmp_path, 2)]) == 5
    assert not [*tmp_path.iterdir()]


def test_a_process_alone_is_the_first_whatever_was_left_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("RANK", "1")
    assert len([*take_steps(Counting(5), tmp_path, 2)]) == 5
    assert logged(tmp_path) == [2, 4, 5]
