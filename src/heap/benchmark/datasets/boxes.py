"""Check of annotated boxes for ones that cannot be meant."""

from collections.abc import Sequence
from math import isfinite

MARGIN = 1.0
"""Boxes may reach so many pixels over the edge: COCO's do by fractions, VOC's 1-based by one."""


def box_fault(box: Sequence[float], width: int, height: int) -> str | None:
    """Return the fault of a box xyxy in a picture of this size, or None.

    A box without an area is no fault: COCO has some.
    """
    x1, y1, x2, y2 = box
    shown = f"the box x1 {x1:g}, y1 {y1:g}, x2 {x2:g}, y2 {y2:g}"
    if not all(map(isfinite, box)):
        return f"{shown} is not finite"
    if x2 < x1 or y2 < y1:
        return f"{shown} has a negative size"
    if min(x1, y1) < -MARGIN or x2 > width + MARGIN or y2 > height + MARGIN:
        return f"{shown} is outside the picture of {width} x {height}"
    return None
