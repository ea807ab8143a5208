"""Masks as polygons that rasterise back: holes, and pieces, are joined to one ring by seams.

Formats that know nothing but rings of points say a mask with a hole like this: the ring runs along
the outline to where the hole is nearest, over to the hole, around it, and back the way it came. The
way there and the way back enclose nothing, so a seam inside the mask changes nothing; one from
piece to piece adds the pixels that it leads through.

Points are pixel indices (column, row). Readers draw the pixels that an outline leads through, so a
ring along the outermost pixels of a mask covers exactly the mask.
"""

import numpy as np
from contourpy import FillType, contour_generator
from jaxtyping import Bool, Float64, Int64
from PIL import Image, ImageDraw
from scipy.spatial import cKDTree

Ring = Int64[np.ndarray, "_ 2"]
"""At least three points; the last is followed by the first."""

CENTRE = 0.45
"""To be added to pixel indices where points are continuous: the centre of the pixel, nearly, so
that readers that round and readers that cut off both come to the pixel."""

_INSIDE = 1 - 1e-6
"""Level of contours between background 0 and mask 1 that puts them on the centres of the mask."""
_TOLERANCE = 1.0
"""Distance in pixels to which points of the outline may be left out."""
_FAITHFUL = 0.99
"""IoU with the mask below which no point is left out."""
_SMALL = 400
"""Pixels of a mask below which no point is left out either: readers draw slanted lines differently,
and of few pixels one is much."""


def outline(mask: Bool[np.ndarray, "height width"]) -> Ring | None:
    """One ring around a whole mask; None if the mask is empty."""
    part, corner = part_of(mask)
    rings = [ring for piece in traced(part) for ring in piece]
    return _fewer_points([_joined(rings)], part)[0] + corner if rings else None


def pieces(mask: Bool[np.ndarray, "height width"]) -> list[Ring]:
    """One ring around each 4-connected piece of a mask."""
    part, corner = part_of(mask)
    rings = [_joined(piece) for piece in traced(part)]
    return [ring + corner for ring in _fewer_points(rings, part)]


def edges(mask: Bool[np.ndarray, "height width"]) -> list[Float64[np.ndarray, "_ 2"]]:
    """One ring around each 4-connected piece of a mask, a quarter of a pixel inside its edge.

    Coordinates are continuous, as COCO has them: a pixel goes from its index to the next.
    """
    finer = mask.repeat(2, axis=0).repeat(2, axis=1)
    return [(ring + 0.5) / 2 for ring in pieces(finer)]


def covered(rings: list[Ring], shape: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """The pixels of an image of `shape` (height, width) that rings enclose or lead through."""
    image = Image.new("1", (shape[1], shape[0]))
    pen = ImageDraw.Draw(image)
    for ring in rings:
        points = [(x, y) for x, y in ring.tolist()]
        pen.polygon(points, fill=1)
        # What is one pixel wide has no inside.
        pen.line([*points, points[0]], fill=1)
    return np.asarray(image)


def part_of(
    mask: Bool[np.ndarray, "height width"],
) -> tuple[Bool[np.ndarray, "part_h part_w"], Int64[np.ndarray, "2"]]:
    """Mask cut to its box, and the top left corner of the box (column, row)."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return mask[:0, :0], np.zeros(2, dtype=np.int64)
    top, left = int(rows[0]), int(columns[0])
    return mask[top : rows[-1] + 1, left : columns[-1] + 1], np.array([left, top], dtype=np.int64)


def traced(mask: Bool[np.ndarray, "height width"]) -> list[list[Ring]]:
    """Rings of each piece of a mask, its outer one first and then its holes, pixel by pixel."""
    if not mask.size:
        return []
    # A frame of background closes what is at the border.
    framed = np.pad(mask, 1).astype(np.float64)
    contours = contour_generator(z=framed, fill_type=FillType.OuterOffset)
    found = []
    for points, bounds in zip(*contours.filled(_INSIDE, 2.0), strict=True):
        pixels = np.rint(points).astype(np.int64) - 1
        found.append(np.split(pixels, bounds[1:-1].astype(np.int64)))
    return found


def _joined(rings: list[Ring]) -> Ring:
    """One ring of all, by the shortest seams, to the first ring or one that is joined already."""
    path = rings[0].tolist()
    points = np.concatenate(rings)[len(rings[0]) :]
    owners = np.repeat(np.arange(1, len(rings)), [len(ring) for ring in rings[1:]])
    distances = np.full(len(points), np.inf)
    nearest = np.zeros_like(points)
    latest = rings[0]
    while len(points):
        found, places = (np.asarray(each) for each in cKDTree(latest).query(points))
        closer = found < distances
        distances[closer], nearest[closer] = found[closer], latest[places[closer]]
        best = int(distances.argmin())
        latest = rings[owners[best]]
        start, end = nearest[best].tolist(), points[best].tolist()
        around = np.roll(latest, -latest.tolist().index(end), axis=0).tolist()
        place = path.index(start) + 1
        path[place:place] = [*around, end, start]
        left = owners != owners[best]
        points, owners, distances, nearest = (
            each[left] for each in (points, owners, distances, nearest)
        )
    return _corners(np.array(path, dtype=np.int64))


def _corners(ring: Ring) -> Ring:
    """Without points that repeat the one before or lie amid a straight run."""
    moved = ring[(ring != np.roll(ring, 1, axis=0)).any(axis=1)]
    steps = np.roll(moved, -1, axis=0) - moved
    kept = moved[(steps != np.roll(steps, 1, axis=0)).any(axis=1)] if len(moved) else ring[:1]
    # A single pixel and a straight line are rings too.
    return np.concatenate([kept, np.repeat(kept[-1:], max(0, 3 - len(kept)), axis=0)])


def _fewer_points(rings: list[Ring], mask: Bool[np.ndarray, "height width"]) -> list[Ring]:
    """The rings without the points that hardly matter, as long as they cover the mask."""
    if np.count_nonzero(mask) < _SMALL:
        return rings
    fewer = [_simplified(ring) for ring in rings]
    drawn = covered(fewer, (mask.shape[0], mask.shape[1]))
    return fewer if (drawn & mask).sum() >= _FAITHFUL * (drawn | mask).sum() else rings


def _simplified(ring: Ring) -> Ring:
    """Douglas and Peucker's choice of points."""
    closed = np.concatenate([ring, ring[:1]]).astype(np.float64)
    kept = np.zeros(len(closed), dtype=bool)
    middle = int(((closed - closed[0]) ** 2).sum(axis=1).argmax())
    waiting = [(0, middle), (middle, len(ring))]
    while waiting:
        first, last = waiting.pop()
        kept[[first, last]] = True
        if last - first < 2:
            continue
        aside = _distances(closed[first + 1 : last], closed[first], closed[last])
        farthest = int(aside.argmax())
        if aside[farthest] > _TOLERANCE:
            split = first + 1 + farthest
            waiting += [(first, split), (split, last)]
    return ring[kept[:-1]] if kept[:-1].sum() >= 3 else ring


def _distances(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Of points from the line between two others, ends included."""
    along = end - start
    length = float(along @ along)
    share = np.clip((points - start) @ along / length, 0, 1) if length else np.zeros(len(points))
    found: np.ndarray = np.linalg.norm(points - start - share[:, None] * along, axis=1)
    return found
