"""Masks as polygons that rasterise back: holes, and pieces, are joined to one ring by seams.

In formats that know nothing but rings of points, a mask with a hole is one ring: it runs along the
outline to where the hole is nearest, over to the hole, around it, and back the same way. The way
there and the way back enclose nothing, so a seam inside the mask changes nothing; one from piece to
piece adds the pixels that it leads through.

Points are pixel indices (column, row). Readers draw the pixels that an outline leads through, so a
ring along the outermost pixels of a mask covers exactly the mask.
"""

import numpy as np
from contourpy import FillType, contour_generator
from jaxtyping import Bool, Float64, Int64
from PIL import Image, ImageDraw
from scipy.spatial import cKDTree

Ring = Int64[np.ndarray, "_ 2"]
"""Closed ring of at least three points (column, row); the last is followed by the first."""

CENTRE = 0.45
"""Offset to be added to pixel indices where points are continuous: nearly the centre of the pixel,
so that readers that round and readers that cut off both arrive at the pixel."""

_INSIDE = 1 - 1e-6
"""Level of contours between background 0 and mask 1 that puts them on the centres of the mask."""
_TOLERANCES = (1.0, 0.7)
"""Distances in pixels to which points of the outline may be left out, the first that will do."""
_FAITHFUL = 0.995
"""IoU with the mask that will do. Readers draw slanted lines in ways of their own, so that with
some the mask comes back at 0.99."""
_SMALL = 400
"""Pixels of a mask below which no point is left out either: readers draw slanted lines differently,
and of few pixels one is much."""


def outline(mask: Bool[np.ndarray, "height width"]) -> Ring | None:
    """One ring around a whole mask; None if the mask is empty."""
    part, corner = crop_to_box(mask)
    rings = [ring for piece in trace(part) for ring in piece]
    return _drop_points([_join(rings)], part)[0] + corner if rings else None


def pieces(mask: Bool[np.ndarray, "height width"]) -> list[Ring]:
    """One ring around each 4-connected piece of a mask."""
    part, corner = crop_to_box(mask)
    rings = [_join(piece) for piece in trace(part)]
    return [ring + corner for ring in _drop_points(rings, part)]


def edges(mask: Bool[np.ndarray, "height width"]) -> list[Float64[np.ndarray, "_ 2"]]:
    """One ring around each 4-connected piece of a mask, a quarter of a pixel inside its edge.

    Coordinates are continuous, as COCO has them: a pixel goes from its index to the next.
    """
    # Rings lead through centres of pixels; those of half the size are a quarter of ours inside.
    finer = mask.repeat(2, axis=0).repeat(2, axis=1)
    return [(ring + 0.5) / 2 for ring in pieces(finer)]


def rasterise(rings: list[Ring], shape: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """Mask of `shape` (height, width) of the pixels that rings enclose or lead through."""
    image = Image.new("1", (shape[1], shape[0]))
    pen = ImageDraw.Draw(image)
    for ring in rings:
        points = [(x, y) for x, y in ring.tolist()]
        pen.polygon(points, fill=1)
        # Polygons fill their inside, and a mask that is one pixel wide has none.
        pen.line([*points, points[0]], fill=1)
    return np.asarray(image)


def crop_to_box(
    mask: Bool[np.ndarray, "height width"],
) -> tuple[Bool[np.ndarray, "part_h part_w"], Int64[np.ndarray, "2"]]:
    """Crop a mask to its box; returns the crop and the top left corner of the box (column, row)."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return mask[:0, :0], np.zeros(2, dtype=np.int64)
    top, left = int(rows[0]), int(columns[0])
    return mask[top : rows[-1] + 1, left : columns[-1] + 1], np.array([left, top], dtype=np.int64)


def trace(mask: Bool[np.ndarray, "height width"]) -> list[list[Ring]]:
    """Trace the rings of each piece of a mask, pixel by pixel; the outer one first, then holes."""
    if not mask.size:
        return []
    # A frame of background closes what is at the border.
    framed = np.pad(mask, 1).astype(np.float64)
    contours = contour_generator(z=framed, fill_type=FillType.OuterOffset)
    traced = []
    # Filled between the two levels, 2 being above any mask: these are outer rings with their holes.
    for points, bounds in zip(*contours.filled(_INSIDE, 2.0), strict=True):
        pixels = np.rint(points).astype(np.int64) - 1  # less the frame
        # Bounds of the rings among the points; the first and the last are the ends.
        traced.append(np.split(pixels, bounds[1:-1].astype(np.int64)))
    return traced


def _join(rings: list[Ring]) -> Ring:
    """Join rings into one, by the shortest seam to any that is joined already (Prim's tree)."""
    path = rings[0].tolist()
    points = np.concatenate(rings)[len(rings[0]) :]
    owners = np.repeat(np.arange(1, len(rings)), [len(ring) for ring in rings[1:]])
    # Of each point that is not joined yet: distance to the nearest joined point, and that point.
    distances = np.full(len(points), np.inf)
    nearest = np.zeros_like(points)
    latest = rings[0]
    while len(points):
        # Only the ring that was joined last can have brought points nearer.
        lengths, places = (np.asarray(column) for column in cKDTree(latest).query(points))
        closer = lengths < distances
        distances[closer], nearest[closer] = lengths[closer], latest[places[closer]]
        best = int(distances.argmin())
        latest = rings[owners[best]]
        start, end = nearest[best].tolist(), points[best].tolist()
        # Over to the ring, around it from where the seam arrives, and back along the same seam.
        around = np.roll(latest, -latest.tolist().index(end), axis=0).tolist()
        place = path.index(start) + 1
        path[place:place] = [*around, end, start]
        left = owners != owners[best]
        points, owners, distances, nearest = (
            column[left] for column in (points, owners, distances, nearest)
        )
    return _keep_corners(np.array(path, dtype=np.int64))


def _keep_corners(ring: Ring) -> Ring:
    """Drop points that repeat the one before or lie amid a straight run."""
    moved = ring[(ring != np.roll(ring, 1, axis=0)).any(axis=1)]
    steps = np.roll(moved, -1, axis=0) - moved
    kept = moved[(steps != np.roll(steps, 1, axis=0)).any(axis=1)] if len(moved) else ring[:1]
    # A single pixel and a straight line are rings too; formats want at least three points.
    return np.concatenate([kept, np.repeat(kept[-1:], max(0, 3 - len(kept)), axis=0)])


def _drop_points(rings: list[Ring], mask: Bool[np.ndarray, "height width"]) -> list[Ring]:
    """Drop points that hardly matter, as long as the rings still cover the mask."""
    if np.count_nonzero(mask) < _SMALL:
        return rings
    for tolerance in _TOLERANCES:
        fewer = [_simplify(ring, tolerance) for ring in rings]
        drawn = rasterise(fewer, (mask.shape[0], mask.shape[1]))
        if (drawn & mask).sum() >= _FAITHFUL * (drawn | mask).sum():
            return fewer
    return rings


def _simplify(ring: Ring, tolerance: float) -> Ring:
    """Keep the points that Douglas and Peucker's algorithm chooses."""
    closed = np.concatenate([ring, ring[:1]]).astype(np.float64)
    kept = np.zeros(len(closed), dtype=bool)
    # The algorithm is for open lines: the ring is two of them, split at the point farthest from the
    # first one.
    middle = int(((closed - closed[0]) ** 2).sum(axis=1).argmax())
    waiting = [(0, middle), (middle, len(ring))]
    while waiting:
        first, last = waiting.pop()
        kept[[first, last]] = True
        if last - first < 2:
            continue
        aside = _distances(closed[first + 1 : last], closed[first], closed[last])
        farthest = int(aside.argmax())
        if aside[farthest] > tolerance:
            split = first + 1 + farthest
            waiting += [(first, split), (split, last)]
    # The last point is the first one again.
    return ring[kept[:-1]] if kept[:-1].sum() >= 3 else ring


def _distances(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distances of points from the segment between two others."""
    along = end - start
    squared = float(along @ along)
    # Foot of the perpendicular as a share of the segment. A seam may lead to where it began.
    share = np.clip((points - start) @ along / squared, 0, 1) if squared else np.zeros(len(points))
    distances: np.ndarray = np.linalg.norm(points - start - share[:, None] * along, axis=1)
    return distances
