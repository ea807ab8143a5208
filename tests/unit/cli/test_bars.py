import io

from rich.console import Console

from heap.cli.bars import Bars


def shown(*calls: tuple[str, int, int | None]) -> list[str]:
    """The lines that are left where bars cannot move."""
    out = io.StringIO()
    with Bars(Console(file=out, width=120)) as bars:
        for call in calls:
            bars(*call)
    return [line for line in out.getvalue().splitlines() if line.strip()]


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
