"""Geometry between pixels of the upright original and the grid of patches that the model sees."""

from dataclasses import dataclass
from math import floor, sqrt

import numpy as np
from jaxtyping import Float, Float64, UInt8
from PIL import Image

from heap.config import FeatureConfig


@dataclass(frozen=True)
class Geometry:
    """Sizes of one image before and in the model.

    Points are continuous xy from the top left corner: pixel (row r, column c) of the original
    covers [c, c + 1) × [r, r + 1), and so does a cell of the grid. The whole image is the whole
    grid; its two axes are scaled independently, because sides are rounded to patches.
    """

    width: int
    height: int
    """Upright original, in pixels."""
    input_width: int
    input_height: int
    """Input of the model, in pixels: multiples of `patch`."""
    patch: int
    """Side of a patch, in pixels of the input."""

    @classmethod
    def of_features(cls, width: int, height: int, config: FeatureConfig, patch: int) -> "Geometry":
        """Resize as features of this configuration are asked for."""
        make = cls.of_area
        if config.native or config.square:
            make = cls.of_square if config.square else cls.of_native
        return make(width, height, config.resolution, patch)

    @classmethod
    def of_area(cls, width: int, height: int, resolution: int, patch: int) -> "Geometry":
        """Keep the aspect ratio and take the area of a square of side `resolution`.

        Sides are rounded to the nearest multiple of `patch`, at least one. Where the shorter one
        would be less than that, the longer one is cut down, so that there are never more than
        about 1.5 times the patches of the square.
        """
        side = resolution / patch  # in patches
        # Root of the aspect ratio, so that the product of the sides stays side²; clipped to ratios
        # at which the shorter side still has one patch.
        ratio = sqrt(min(max(width / height, side**-2), side**2))
        cols, rows = _at_least_one(side * ratio), _at_least_one(side / ratio)
        return cls(width, height, cols * patch, rows * patch, patch)

    @classmethod
    def of_native(cls, width: int, height: int, resolution: int, patch: int) -> "Geometry":
        """Keep the size, sides rounded to patches; larger images as in `of_area`."""
        if width * height > resolution**2:
            return cls.of_area(width, height, resolution, patch)
        cols, rows = _at_least_one(width / patch), _at_least_one(height / patch)
        return cls(width, height, cols * patch, rows * patch, patch)

    @classmethod
    def of_square(cls, width: int, height: int, resolution: int, patch: int) -> "Geometry":
        """Squeeze the image to a square of side `resolution`, rounded to patches."""
        side = _at_least_one(resolution / patch) * patch
        return cls(width, height, side, side, patch)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.input_height // self.patch, self.input_width // self.patch

    def to_pixels(self, points: Float[np.ndarray, "*any 2"]) -> Float64[np.ndarray, "*any 2"]:
        """Convert xy in cells to xy in the original."""
        return np.asarray(points * self._pixels() / self._cells(), dtype=np.float64)

    def box_of_cells(
        self, row_min: int, col_min: int, row_max: int, col_max: int
    ) -> Float64[np.ndarray, " 4"]:
        """Box of cells, xyxy in the original and clipped to it; the maxima are exclusive."""
        corners = np.array([[col_min, row_min], [col_max, row_max]], dtype=np.float64)
        clipped: np.ndarray = np.clip(self.to_pixels(corners), 0, self._pixels())
        return clipped.ravel()

    def resize(
        self, pixels: UInt8[np.ndarray, "height width 3"]
    ) -> UInt8[np.ndarray, "input_height input_width 3"]:
        """Bring the original, or a reduced decoding of it, to the size that the model sees."""
        size = self.input_width, self.input_height
        return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))

    def _pixels(self) -> Float64[np.ndarray, " 2"]:
        return np.array([self.width, self.height], dtype=np.float64)

    def _cells(self) -> Float64[np.ndarray, " 2"]:
        return np.array(self.grid[::-1], dtype=np.float64)


def _at_least_one(sides: float) -> int:
    # Halves up: Python's `round` goes to the even neighbour.
    return max(1, floor(sides + 0.5))
