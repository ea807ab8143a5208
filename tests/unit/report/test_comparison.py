from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from properties import examples

from heap.base.errors import InputError
from heap.report.comparison import CELL, FigureRow, Panel, compose, draw_figure, file_kind

RED, BLUE, GREEN = (200, 0, 0), (0, 0, 200), (0, 150, 0)


def panel(title: str, colour: tuple[int, int, int], width: int, height: int) -> Panel:
    return Panel(title, np.full((height, width, 3), colour, dtype=np.uint8))


def places(figure: Image.Image, colour: tuple[int, int, int]) -> list[int]:
    """Left, top, right and bottom, the latter two exclusive, of what has this colour."""
    rows, columns = np.nonzero((np.asarray(figure) == colour).all(axis=-1))
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


def test_a_row_has_one_height_and_columns_line_up() -> None:
    landscape = FigureRow((panel("a", RED, 640, 320), panel("b", BLUE, 64, 32)))
    portrait = FigureRow((Panel("a", None), panel("b", GREEN, 100, 200)))
    figure = compose([landscape, portrait])
    red, blue, green = (places(figure, colour) for colour in (RED, BLUE, GREEN))
    assert (red[2] - red[0], red[3] - red[1]) == (CELL, CELL // 2)
    assert blue == [red[2] + 10, red[1], red[2] + 10 + CELL, red[3]]
    assert (green[2] - green[0], green[3] - green[1]) == (CELL // 2, CELL)
    assert green[0] + green[2] == blue[0] + blue[2]
    assert green[1] == blue[3] + 10
    assert figure.size == (blue[2] + red[0], green[3] + 20)


def test_panels_of_different_shapes_in_a_row_all_fit_their_cells() -> None:
    figure = compose([FigureRow((panel("a", RED, 400, 100), panel("b", BLUE, 100, 400)))])
    red, blue = places(figure, RED), places(figure, BLUE)
    assert (red[2] - red[0], red[3] - red[1]) == (CELL, CELL // 4)
    assert (blue[2] - blue[0], blue[3] - blue[1]) == (CELL // 16, CELL // 4)


def test_titles_stand_above_their_columns_and_do_not_run_into_each_other() -> None:
    long = "a method with settings, and with a name that takes much more room than its column"
    for title in ("TokenCut", long):
        figure = compose([FigureRow((panel(title, RED, 50, 50), panel("b", BLUE, 50, 50)))])
        red, blue = places(figure, RED), places(figure, BLUE)
        ink = (np.asarray(figure).min(axis=-1) < 200)[: red[1]].any(axis=0)
        assert ink[red[0] : red[2]].any()
        assert ink[blue[0] : blue[2]].any()
        assert not ink[: red[0]].any()
        assert not ink[red[2] : blue[0]].any()


def test_only_the_titles_are_above_the_photos() -> None:
    two = [
        compose([FigureRow((panel(title, RED, 50, 50), panel("b", BLUE, 50, 50)))])
        for title in ("HEAP", "LOST")
    ]
    top = places(two[0], RED)[1]
    first, second = (np.asarray(figure) for figure in two)
    assert not np.array_equal(first[:top], second[:top])
    np.testing.assert_array_equal(first[top:], second[top:])


@settings(max_examples=examples(30))
@given(st.lists(st.tuples(st.integers(1, 900), st.integers(1, 900)), min_size=1, max_size=4))
def test_photos_of_any_shape_make_a_figure(sizes: list[tuple[int, int]]) -> None:
    rows = [FigureRow((panel("a", RED, *size), panel("b", BLUE, *size))) for size in sizes]
    figure = np.asarray(compose(rows))
    assert (figure == RED).all(axis=-1).any()
    np.testing.assert_array_equal((figure == RED).all(-1).sum(), (figure == BLUE).all(-1).sum())
    assert (figure[[0, -1]] == 255).all()


def test_rows_must_have_the_same_titles() -> None:
    one, other = FigureRow((panel("a", RED, 5, 5),)), FigureRow((panel("b", RED, 5, 5),))
    for rows in ([one, other], [], [FigureRow(())]):
        with pytest.raises(ValueError, match="same titles"):
            compose(rows)


def test_the_figure_is_written_as_its_name_says(tmp_path: Path) -> None:
    rows = [FigureRow((panel("a", RED, 60, 40),))]
    for name, kind in (("x.jpg", "JPEG"), ("x.PNG", "PNG"), ("new/x.jpeg", "JPEG")):
        draw_figure(rows, tmp_path / name)
        with Image.open(tmp_path / name) as written:
            assert (written.format, written.size) == (kind, compose(rows).size)
    with Image.open(tmp_path / "x.PNG") as written:
        np.testing.assert_array_equal(np.asarray(written), np.asarray(compose(rows)))


def test_what_no_figure_can_be_is_refused_before_it_is_drawn(tmp_path: Path) -> None:
    for name in ("figure", "figure.gif", "jpg"):
        with pytest.raises(InputError, match=r"\.jpg or \.png"):
            file_kind(tmp_path / name)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        draw_figure([FigureRow((panel("a", RED, 5, 5),))], tmp_path / "file" / "x.jpg")


def test_a_figure_larger_than_its_file_can_be_is_refused(tmp_path: Path) -> None:
    row = FigureRow((panel("a", RED, 8, 8),))
    with pytest.raises(InputError, match="choose fewer photos"):
        draw_figure([row] * 250, tmp_path / "x.jpg")
    assert not list(tmp_path.iterdir())
