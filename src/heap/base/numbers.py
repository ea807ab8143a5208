"""Numbers, boxes and text that a program hands over: NumPy's and torch's are numbers, too."""

import operator
from typing import Any

from heap.base.errors import InputError

Real = int | float


def whole_number(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """Whole number of any kind as `int`: Python's, NumPy's, or a tensor of one.

    Raises:
        InputError: if it is none, or not between `least` and `most`, both inclusive.
    """
    try:
        # A truth value is a number to Python, and nearly always a slip.
        if type(value).__name__ == "bool":
            raise TypeError
        number = operator.index(value)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"{name} is {_shown(value)}; it has to be a whole number") from None
    _check_range(name, number, least, most)
    return number


def real_number(
    name: str, value: Any, least: Real | None = None, most: Real | None = None
) -> float:
    """Number of any kind as `float`; text is none.

    Raises:
        InputError: if it is none, or NaN, or not between `least` and `most`, both inclusive.
    """
    try:
        if isinstance(value, str | bytes | bytearray) or type(value).__name__ == "bool":
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise InputError(f"{name} is {_shown(value)}; it has to be a number") from None
    if number != number:
        raise InputError(f"{name} is not a number (nan)")
    _check_range(name, number, least, most)
    return number


def box_of(value: Any) -> tuple[float, float, float, float]:
    """Box x1, y1, x2, y2 from a list, tuple, array or tensor of four numbers.

    Raises:
        InputError: if it is something else, saying what.
    """
    wanted = "a box is four numbers x1, y1, x2, y2, in pixels of the upright image"
    if isinstance(value, str | bytes | bytearray | dict | set):
        raise InputError(f"box is {_shown(value)}; {wanted}")
    shape = tuple(getattr(value, "shape", ()))
    if len(shape) > 1:
        raise InputError(f"box has the shape {shape}; {wanted}: take one row of several boxes")
    try:
        edges = [real_number("an edge of the box", edge) for edge in value]
    except TypeError:
        raise InputError(f"box is {_shown(value)}; {wanted}") from None
    except InputError as error:
        raise InputError(f"box is {_shown(value)}: {error}; {wanted}") from None
    if len(edges) != 4:
        raise InputError(f"box has {len(edges)} numbers; {wanted}")
    x1, y1, x2, y2 = edges
    return x1, y1, x2, y2


def _check_range(name: str, number: Real, least: Real | None, most: Real | None) -> None:
    if (least is None or number >= least) and (most is None or number <= most):
        return
    if least is None or most is None:
        bound = f"at most {most}" if least is None else f"{least} or more"
    else:
        bound = f"from {least} to {most}"
    raise InputError(f"{name} is {number}; it has to be {bound}")


def text(name: str, value: Any) -> str:
    """Text that is one.

    Raises:
        InputError: if it is something else.
    """
    if isinstance(value, str):
        return str(value)
    raise InputError(f"{name} is {_shown(value)}; it has to be text")


def _shown(value: object) -> str:
    """Value in an error message, cut where it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
