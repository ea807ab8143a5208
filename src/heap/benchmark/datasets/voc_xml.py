"""Reader of the boxes of one image in PASCAL VOC's XML."""

from math import nan
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring
from jaxtyping import Float64

from heap.benchmark.datasets.boxes import box_fault
from heap.benchmark.datasets.problems import DataError, Problem, refuse_problems
from heap.images import Source
from heap.images.source import reason_of

BYTE_LIMIT = 2**20
"""Bytes of a file that is read at most; the largest official ones have some 20 kB."""
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_boxes(
    path: Path, image: str, width: int, height: int
) -> tuple[Float64[np.ndarray, "object 4"], tuple[str, ...]]:
    """Read the boxes of all objects, xyxy in 0-based pixel edges, and the names of their classes.

    Difficult and truncated objects are there too.

    VOC counts pixels from 1 and includes the last one, so xmin and ymin lose 1. VOC 2011 and 2012
    have a few coordinates that are no whole numbers; they stay what they are.

    Raises:
        InputError: if the file cannot be read, is not about this image, has a bad box or one
            without a name.
    """
    root = _parse(path)
    problems = [Problem(str(path), what) for what in _misfits(root, image, width, height)]
    boxes, names = [], []
    for number, element in enumerate(root.findall("object"), start=1):
        box, name = _box(element), (element.findtext("name") or "").strip()
        boxes.append(box)
        names.append(name)
        place = f"{path}, object {number}"
        if fault := box_fault(box, width, height):
            problems.append(Problem(place, f"{fault} (of {_describe(element)}, counted from 1)"))
        elif not name:
            problems.append(Problem(place, "has no name of a class"))
    refuse_problems(problems)
    return np.array(boxes, dtype=np.float64).reshape(-1, 4), tuple(names)


def _parse(path: Path) -> Element:
    data = Source(path.name, str(path)).read(BYTE_LIMIT)
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        what = "declares a document type or entities, which no annotation needs; it was not read"
        raise DataError(Problem(str(path), what)) from error
    except ParseError as error:
        line, column = error.position
        place = f"{path}, line {line}, column {column + 1}"
        raise DataError(Problem(place, f"is not well-formed XML: {reason_of(error)}")) from error
    except (LookupError, ValueError) as error:  # the encoding
        raise DataError(Problem(str(path), f"cannot be read: {reason_of(error)}")) from error
    if root.tag != "annotation":
        raise DataError(Problem(str(path), f"is no VOC annotation: the root is <{root.tag}>"))
    return root


def _misfits(root: Element, image: str, width: int, height: int) -> list[str]:
    named = (root.findtext("filename") or image).strip()
    size = [root.findtext(f"size/{side}") or "?" for side in ("width", "height")]
    faults = []
    if named != image:
        faults.append(f"is about the image {named!r}, not {image!r}")
    if [side.strip() for side in size] != [str(width), str(height)]:
        faults.append(
            f"is for a picture of {' x '.join(size)} pixels, but {image} is {width} x {height} "
            "upright"
        )
    return faults


def _box(element: Element) -> tuple[float, float, float, float]:
    xmin, ymin, xmax, ymax = (_number(element.findtext(f"bndbox/{name}")) for name in _CORNERS)
    return xmin - 1, ymin - 1, xmax, ymax


def _number(text: str | None) -> float:
    """Parse a number; nan where there is none, which `box_fault` refuses."""
    try:
        return float(text or "")
    except ValueError:
        return nan


def _describe(element: Element) -> str:
    name = (element.findtext("name") or "no name").strip()
    corners = (f"{name} {element.findtext(f'bndbox/{name}')!r}" for name in _CORNERS)
    return f"{name!r}, {', '.join(corners)}"
