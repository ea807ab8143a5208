"""Numbers of Python, NumPy and torch are numbers; everything else is refused with its value."""

from typing import Any

import numpy as np
import pytest
import torch

from heap.base.errors import InputError
from heap.base.numbers import box_of, real_number, text, whole_number

EDGES = (1.0, 2.0, 3.5, 4.0)


@pytest.mark.parametrize("three", [3, np.int64(3), np.uint8(3), torch.tensor(3), np.array(3)])
def test_whole_numbers_of_any_kind(three: Any) -> None:
    number = whole_number("count", three, least=1, most=3)
    assert (number, type(number)) == (3, int)
    assert real_number("score", three) == 3


@pytest.mark.parametrize("wrong", [2.5, "3", True, np.True_, None, [3], np.float32(3)], ids=repr)
def test_what_is_no_whole_number(wrong: Any) -> None:
    with pytest.raises(InputError, match=r"^count is .*; it has to be a whole number$"):
        whole_number("count", wrong)


@pytest.mark.parametrize("half", [0.5, np.float32(0.5), torch.tensor(0.5), np.array([0.5])[0]])
def test_numbers_of_any_kind(half: Any) -> None:
    assert real_number("score", half, 0, 1) == 0.5


@pytest.mark.parametrize("wrong", ["0.5", False, None, [], {}], ids=repr)
def test_what_is_no_number(wrong: Any) -> None:
    with pytest.raises(InputError, match=r"^score is .*; it has to be a number$"):
        real_number("score", wrong)


def test_bounds_are_said() -> None:
    with pytest.raises(InputError, match=r"count is 0; it has to be 1 or more"):
        whole_number("count", 0, least=1)
    with pytest.raises(InputError, match=r"port is 70000; it has to be from 0 to 65535"):
        whole_number("port", 70000, 0, 65535)
    with pytest.raises(InputError, match=r"score is 2.0; it has to be at most 1"):
        real_number("score", 2, most=1)
    with pytest.raises(InputError, match=r"score is not a number"):
        real_number("score", float("nan"))


def test_text_is_text() -> None:
    assert text("where", np.str_("score > 0")) == "score > 0"
    with pytest.raises(InputError, match=r"where is 3; it has to be text"):
        text("where", 3)


@pytest.mark.parametrize(
    "box",
    [EDGES, list(EDGES), np.array(EDGES), torch.tensor(EDGES), iter(EDGES)],
    # No address of an object, which would differ between the workers of pytest-xdist.
    ids=lambda box: type(box).__name__,
)
def test_boxes_of_any_kind(box: Any) -> None:
    assert box_of(box) == EDGES


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((1, 2, 3), "box has 3 numbers; a box is four numbers x1, y1, x2, y2"),
        ([], "box has 0 numbers"),
        (np.zeros((2, 4)), r"box has the shape \(2, 4\).*take one row"),
        ([[1, 2, 3, 4]], r"box is \[\[1, 2, 3, 4\]\]: an edge of the box is"),
        ("1,2,3,4", "box is '1,2,3,4'; a box is four numbers"),
        ({"x1": 1}, "box is {'x1': 1}; a box is"),
        (7, "box is 7; a box is"),
        (torch.tensor(7.0), "box is tensor"),
        ((1, 2, 3, None), "an edge of the box is None"),
        ((1, 2, 3, float("nan")), "an edge of the box is not a number"),
    ],
    ids=repr,
)
def test_what_is_no_box(box: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        box_of(box)
