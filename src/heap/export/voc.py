"""PASCAL VOC: an XML file for each image, and label maps in VOC's colours."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from heap.base.errors import InputError
from heap.categories.titles import plain_title
from heap.export.items import Item, Labelled
from heap.export.writer import Add, file_in
from heap.masks.outlines import pieces

_MOST = 254
"""Values of a label map that are neither background (0) nor void (255)."""


@contextmanager
def voc_writer(folder: Path, classes: Sequence[str], splits: Sequence[str]) -> Iterator[Add]:
    """Writer of Annotations, Segmentation{Class,Object}, ImageSets and labelmap.txt; see `Writer`.

    Boxes are 1-based and inclusive, as VOC's are, and polygons 1-based. The elements `score`,
    `polygon` and, where a person has corrected the mask, `source` are additions. In the label maps
    a better score covers a lower one; objects after the 254th of an image are in the XML only.

    Raises:
        InputError: if there are more than 254 classes.
    """
    if len(classes) > _MOST:
        raise InputError(
            f"VOC's label maps hold at most {_MOST} classes, not {len(classes)}; use --format "
            "masks, or merge categories"
        )
    numbers = {name: number for number, name in enumerate(classes, start=1)}
    lists = [folder / "ImageSets" / kind for kind in ("Main", "Segmentation")]
    maps = [folder / f"Segmentation{kind}" for kind in ("Class", "Object")]
    for path in (folder / "Annotations", folder / "JPEGImages", *lists, *maps):
        path.mkdir(parents=True, exist_ok=True)
    for path in lists:
        for split in splits:
            (path / f"{split}.txt").touch()

    def add(item: Item, split: str, image: str) -> None:
        _write_xml(item, image or item.photo, folder / "Annotations")
        _write_maps(item, numbers, maps)
        for path in lists:
            with (path / f"{split}.txt").open("ab") as file:
                file.write(os.fsencode(f"{item.name}\n"))

    yield add
    path = folder / "labelmap.txt"
    path.write_text(_label_map(classes), encoding="utf-8", newline="\n")


def colour_map() -> list[int]:
    """VOC's colours: red, green and blue of the 256 values in turn.

    The bits of a value go in turn to red, green and blue, the lowest to their highest bits, as in
    VOC's own `VOCcolormap`.
    """
    levels = []
    for value in range(256):
        for channel in range(3):
            bits = (value >> (3 * place + channel) & 1 for place in range(8))
            levels.append(sum(bit << 7 - place for place, bit in enumerate(bits)))
    return levels


def _label_map(classes: Sequence[str]) -> str:
    """The classes and their colours, as CVAT and Datumaro read them: label:color:parts:actions."""
    colours = colour_map()
    lines = ["# label:color_rgb:parts:actions"]
    for number, name in enumerate(["background", *classes]):
        colour = ",".join(map(str, colours[3 * number : 3 * number + 3]))
        lines.append(f"{plain_title(name)}:{colour}::")
    return "\n".join([*lines, ""])


def _write_xml(item: Item, file_name: str, folder: Path) -> None:
    root = Element("annotation")
    _text(root, "folder", "JPEGImages")
    _text(root, "filename", file_name)
    _text(SubElement(root, "source"), "database", "objects found by HEAP")
    size = SubElement(root, "size")
    for name, value in (("width", item.width), ("height", item.height), ("depth", 3)):
        _text(size, name, value)
    _text(root, "segmented", 1)
    for labelled in item.objects:
        _object(root, labelled)
    indent(root)
    path = file_in(folder, f"{item.name}.xml")
    ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _object(root: Element, labelled: Labelled) -> None:
    element = SubElement(root, "object")
    left, top, right, bottom = labelled.bounds
    at_border = (
        left == 0 or top == 0 or right == labelled.mask.width or bottom == labelled.mask.height
    )
    _text(element, "name", plain_title(labelled.label))
    _text(element, "pose", "Unspecified")
    _text(element, "truncated", int(at_border))
    _text(element, "difficult", 0)
    _text(element, "score", f"{labelled.score:.6g}")
    if labelled.drawn:
        _text(element, "source", "person")
    box = SubElement(element, "bndbox")
    corners = {"xmin": left + 1, "ymin": top + 1, "xmax": right, "ymax": bottom}
    for name, value in corners.items():
        _text(box, name, value)
    for ring in pieces(labelled.pixels):
        polygon = SubElement(element, "polygon")
        for number, (x, y) in enumerate((ring + 1).tolist(), start=1):
            _text(polygon, f"x{number}", x)
            _text(polygon, f"y{number}", y)


def _text(parent: Element, name: str, value: object) -> None:
    SubElement(parent, name).text = str(value)


def _write_maps(item: Item, numbers: dict[str, int], folders: Sequence[Path]) -> None:
    shape = (item.height, item.width)
    by_class, by_object = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.uint8)
    # From the lowest score to the best, which is drawn last and so on top.
    for number, labelled in reversed(list(enumerate(item.objects[:_MOST], start=1))):
        mask = labelled.pixels
        by_class[mask] = numbers[labelled.label]
        by_object[mask] = number
    for values, folder in zip((by_class, by_object), folders, strict=True):
        _save(values, file_in(folder, f"{item.name}.png"))


def _save(values: UInt8[np.ndarray, "height width"], path: Path) -> None:
    image = Image.fromarray(values)
    image.putpalette(colour_map())
    image.save(path)
