import re

import numpy as np
import pytest
from runs import blobs, ring
from scipy.ndimage import binary_erosion
from vectors import rasterised

from heap.report.outlines import svg_path


def points(path: str) -> list[np.ndarray]:
    """The corners of each ring."""
    found = []
    for start, steps in re.findall(r"M([^l]+)l([^z]+)z", path):
        moves = [start.split(), *np.array(steps.split()).reshape(-1, 2)]
        found.append(np.array(moves, dtype=int).cumsum(axis=0))
    return found


def test_a_rectangle_has_its_four_corners() -> None:
    mask = np.zeros((20, 30), dtype=bool)
    mask[4:10, 7:25] = True
    (corners,) = points(svg_path(mask))
    assert {(7, 4), (24, 4), (24, 9), (7, 9)} == {(int(x), int(y)) for x, y in corners}


@pytest.mark.parametrize("seed", range(6))
def test_pieces_and_holes_are_covered_with_few_points(seed: int) -> None:
    mask = blobs((300, 400), seed, smooth=9)
    path = svg_path(mask)
    drawn = rasterised(path, (400, 300))
    # PIL fills a ring with its edge, and so a hole with its own.
    assert (drawn & mask).sum() / (drawn | mask).sum() > 0.96
    border = mask & ~binary_erosion(mask)
    assert sum(map(len, points(path))) < border.sum() / 2


def test_a_hole_stays_one() -> None:
    mask = ring((120, 160), (60, 80), 40, 20)
    path = svg_path(mask)
    assert path.count("M") == 2
    assert not rasterised(path, (160, 120))[60, 80]


def test_of_nothing_there_is_no_outline() -> None:
    assert svg_path(np.zeros((9, 9), dtype=bool)) == ""


def test_all_of_an_image_is_outlined_at_its_border() -> None:
    (corners,) = points(svg_path(np.ones((20, 30), dtype=bool)))
    assert (corners.min(axis=0).tolist(), corners.max(axis=0).tolist()) == ([0, 0], [29, 19])


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 1)])
def test_what_has_no_two_dimensional_part_has_no_outline(shape: tuple[int, int]) -> None:
    mask = np.zeros((20, 20), dtype=bool)
    mask[5 : 5 + shape[0], 6 : 6 + shape[1]] = True
    assert svg_path(mask) == ""
    mask[10:14, 10:14] = True
    (corners,) = points(svg_path(mask))
    assert (corners.min(axis=0).tolist(), corners.max(axis=0).tolist()) == ([10, 10], [13, 13])
