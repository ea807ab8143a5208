"""Figure of what methods find in the same photos: a row a photo, a column or two a method."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from heap.base.errors import InputError
from heap.features.describe import PatchFeatures
from heap.images import Picture
from heap.masks.scaling import fit_size, scale_mask
from heap.methods.finding import THRESHOLD, Finding, Method, Observed
from heap.model.objects import make_upsample, pixel_masks
from heap.report.comparison import CELL, FigureRow, Panel
from heap.report.overlays import draw_foreground, draw_regions

_SIDE = 2 * CELL
"""Panels are drawn at twice their size, so that their lines have no steps."""

# The pictures of a figure have many sizes, so the axes have no names, which would have to agree.
Pixels = UInt8[np.ndarray, "_ _ 3"]
Mask = Bool[np.ndarray, "_ _"]
Masks = Bool[np.ndarray, "_ _ _"]
"""Objects of one image: object, height, width."""


def figure_rows(
    pictures: Sequence[Picture],
    masks: Sequence[Masks | None] | None,
    features: Sequence[PatchFeatures],
    methods: Mapping[str, Method],
) -> list[FigureRow]:
    """Make a row for every picture: itself, its ground truth, and the findings of the methods.

    `masks` are the objects of each picture, at the size of the upright original, None for those
    that have no ground truth; None instead of them all leaves the column out. The objects of every
    method become pixels in the same way: along the edges of the image. A method that has regions
    gets a column for them too.

    Raises:
        InputError: if masks do not have the size of their picture.
    """
    observed = [Observed(f, p.pixels) for p, f in zip(pictures, features, strict=True)]
    photos = [_enlarge(picture.pixels) for picture in pictures]
    columns = [_column("Image", photos)]
    if masks is not None:
        truths = [_truth(*row) for row in zip(pictures, photos, masks, strict=True)]
        columns.append(_column("Ground truth", truths))
    for name, method in methods.items():
        columns += _columns_of(name, [method(image) for image in observed], photos)
    return [FigureRow(panels) for panels in zip(*columns, strict=True)]


def _columns_of(
    name: str, findings: Sequence[Finding], photos: Sequence[Pixels]
) -> list[list[Panel]]:
    pairs = list(zip(photos, findings, strict=True))
    columns = [_column(name, [_objects(*pair) for pair in pairs])]
    if any(finding.label_map is not None for finding in findings):
        columns.append(_column(f"{name}: regions", [_regions(*pair) for pair in pairs]))
    return columns


def _column(title: str, pictures: Iterable[Pixels | None]) -> list[Panel]:
    return [Panel(title, pixels) for pixels in pictures]


def _enlarge(pixels: Pixels) -> Pixels:
    photo = Image.fromarray(pixels)
    size = fit_size(photo.size, _SIDE, enlarge=True)
    return np.asarray(photo.resize(size, Image.Resampling.LANCZOS))


def _truth(picture: Picture, photo: Pixels, masks: Masks | None) -> Pixels | None:
    if masks is None:
        return None
    if masks.shape[1:] != (picture.height, picture.width):
        height, width = masks.shape[1:]
        raise InputError(
            f"the masks of {picture.key} have {width} x {height} pixels, the image has "
            f"{picture.width} x {picture.height}"
        )
    return _foreground(photo, masks)


def _objects(photo: Pixels, finding: Finding) -> Pixels:
    cells = [part.cells for part in finding.objects]
    upsample = make_upsample(photo, refine=True)
    return _foreground(photo, pixel_masks(finding.saliency, cells, upsample, THRESHOLD))


def _regions(photo: Pixels, finding: Finding) -> Pixels | None:
    if finding.label_map is None:
        return None
    grey = np.asarray(Image.fromarray(photo).convert("L").convert("RGB"))
    return np.asarray(draw_regions(grey, finding.label_map))


def _foreground(photo: Pixels, masks: Iterable[Mask]) -> Pixels:
    height, width, _ = photo.shape
    scaled = [scale_mask(mask, (width, height)) for mask in masks]
    stacked = np.array(scaled, dtype=bool).reshape(-1, height, width)
    return np.asarray(draw_foreground(photo, stacked))


def read_objects(folder: Path, picture: Picture) -> Masks | None:
    """Read the objects drawn for a picture: a PNG with its stem, in which every value but 0 is one.

    None if there is no such file.

    Raises:
        InputError: if it cannot be read.
    """
    path = folder / f"{Path(picture.key).stem}.png"
    if not path.is_file():
        return None
    try:
        with Image.open(path, formats=["PNG"]) as drawn:
            values = np.asarray(drawn)
    except OSError as error:
        raise InputError(f"the mask {path} cannot be read: {error}") from error
    if values.ndim != 2:
        raise InputError(f"the mask {path} is in colour; draw one value for each object")
    # Without any object this is an array of no masks, which still has the size of the photo.
    return np.asarray(values[None] == np.setdiff1d(values, 0)[:, None, None])
