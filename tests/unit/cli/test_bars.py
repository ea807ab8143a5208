import io
import re

import pytest
from rich.console import Console

from heap.cli.bars import Bars


def shown(*calls: tuple[str, int, int | None]) -> list[str]:
    """The bars that are left at the end."""
    out = io.StringIO()
    with Bars(Console(file=out, width=120, force_terminal=True, color_system=None)) as bars:
        for call in calls:
            bars(*call)
    # Drawn over again and again: of each stage, what was drawn last.
    plain = re.sub(r"\x1b\[[?\d]*\w|[^\x00-\x7f]", "", out.getvalue())
    lines = [line for line in plain.splitlines() if re.search(r"\d", line)]
    return list({re.split(r"[:\s]", line.strip())[0]: line for line in lines}.values())


def test_one_bar_for_each_name_before_a_colon() -> None:
    first, second = shown(
        ("images", 1, 3),
        ("pretraining: image 2.75", 1, 10),
        ("images", 3, 3),
        ("pretraining: image 1.25", 4, 10),
    )
    assert "images" in first
    assert "3/3" in first
    assert "pretraining: image 1.25" in second
    assert "4/10" in second
    assert "2.75" not in second


def test_an_unknown_total_may_become_known() -> None:
    (line,) = shown(("images", 5, None), ("images", 6, 8))
    assert "6/8" in line
    (line,) = shown(("images", 5, None))
    assert "5/?" in line


def test_nothing_is_shown_of_nothing() -> None:
    assert shown() == []


def said(*calls: tuple[str, int, int | None]) -> list[str]:
    """The lines in a log."""
    out = io.StringIO()
    with Bars(Console(file=out, width=120)) as bars:
        for call in calls:
            bars(*call)
    return [line.partition(",")[0] for line in out.getvalue().splitlines()]


def test_a_log_has_a_line_for_each_stage_that_has_ended() -> None:
    stages = [("photos", 1, 2), ("photos", 2, 2), ("objects", 0, 9), ("objects", 4, 9)]
    assert said(*stages, ("reports", 1, None)) == ["photos 2/2", "objects 4/9", "reports 1/?"]
    assert said() == []


def test_a_log_has_lines_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("heap.cli.bars.time.monotonic", lambda: now)
    out = io.StringIO()
    with Bars(Console(file=out, width=120)) as bars:
        for done in range(101):
            bars("training", done, 100)
            now += 1
    assert out.getvalue().splitlines() == [
        "training 30/100, 1.0/s, 70 s left", "training 60/100, 1.0/s, 40 s left",
        "training 90/100, 1.0/s, 10 s left",
        "training 100/100, 1.0/s",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "line"),
    [
        (0.5, "objects 60/200, 2.0/s, 70 s left"),
        (10, "objects 3/200, 10.0 s each, 33 min left"),
        (60, "objects 1/200, 60.0 s each, 3.3 h left"),
    ],
)
def test_a_line_says_how_long_it_takes_yet(
    monkeypatch: pytest.MonkeyPatch, seconds: float, line: str
) -> None:
    now = 1000.0
    monkeypatch.setattr("heap.cli.bars.time.monotonic", lambda: now)
    out = io.StringIO()
    with Bars(Console(file=out, width=120)) as bars:
        for done in range(100):
            bars("objects", done, 200)
            now += seconds
    assert out.getvalue().splitlines()[0] == line
