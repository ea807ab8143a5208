"""Outlines as they are drawn, in pixels."""

import re

import numpy as np
from PIL import Image, ImageChops, ImageDraw


def rasterised(path: str, size: tuple[int, int]) -> np.ndarray:
    """An SVG path of `M x y l dx dy ... z` pieces, filled by the even-odd rule."""
    canvas = Image.new("1", size)
    for start, steps in re.findall(r"M([^l]+)l([^z]+)z", path):
        moves = np.array([start.split(), *np.array(steps.split()).reshape(-1, 2)], dtype=int)
        piece = Image.new("1", size)
        ImageDraw.Draw(piece).polygon([tuple(point) for point in moves.cumsum(axis=0)], fill=1)
        canvas = ImageChops.logical_xor(canvas, piece)
    return np.asarray(canvas)
