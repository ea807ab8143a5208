"""Edge-aware upsampling: maps on the patch grid become maps on pixels that follow the image.

A guided filter (He, Sun, Tang, ECCV 2010) with a colour guide, in its fast form: the linear model
is fitted at low resolution and its coefficients are interpolated. It is linear in the map, so the
maps of several objects add up to the map of their union.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image
from scipy.ndimage import uniform_filter


@dataclass(frozen=True)
class GuidedFilter:
    """How far and how closely the maps follow the image."""

    side: int = 224
    """The model is fitted at the area of a square of this side."""
    radius: int = 8
    """Of the window, in pixels of that size."""
    epsilon: float = 1e-3
    """Colour variance, colours in [0, 1], below which a window counts as flat."""

    def along(self, pixels: UInt8[np.ndarray, "height width 3"]) -> "Guide":
        """All that depends on the image alone, for any number of maps."""
        height, width, _ = pixels.shape
        scale = min(1.0, self.side / (height * width) ** 0.5)
        small = (max(1, round(height * scale)), max(1, round(width * scale)))
        colours = _planes(pixels, small)
        middle = colours.mean(axis=(1, 2), keepdims=True)
        centred = colours - middle
        mean = self.mean(centred)
        products = np.stack([self.mean(centred * plane) for plane in centred])
        spread = np.moveaxis(products - mean[:, None] * mean[None], (0, 1), (2, 3))
        inverse = np.linalg.inv(spread.astype(np.float64) + self.epsilon * np.eye(3))
        by_colour = np.moveaxis(inverse, (2, 3), (0, 1)).astype(np.float32)
        return Guide(self, centred, mean, by_colour, _planes(pixels, (height, width)) - middle)

    def mean(self, planes: Float32[np.ndarray, "*any h w"]) -> Float32[np.ndarray, "*any h w"]:
        """Of the window around each pixel; edges repeat."""
        out: np.ndarray = np.empty(planes.shape, dtype=planes.dtype)
        size = 2 * self.radius + 1
        uniform_filter(planes, size=size, output=out, axes=(-2, -1), mode="nearest")
        return out


@dataclass(frozen=True)
class Guide:
    """An image that maps are to follow; colours are in [0, 1], less their mean."""

    filter: GuidedFilter
    colours: Float32[np.ndarray, "3 small_h small_w"]
    mean: Float32[np.ndarray, "3 small_h small_w"]
    """Of the colours in each window."""
    inverse: Float32[np.ndarray, "3 3 small_h small_w"]
    """Of the covariance of the colours in each window."""
    full: Float32[np.ndarray, "3 height width"]
    """The colours at full size."""

    def __call__(
        self, maps: Float32[np.ndarray, "map grid_h grid_w"]
    ) -> Float32[np.ndarray, "map height width"]:
        """Bring `maps`, values in [0, 1], to the size of the image."""
        return np.stack([self._follow(each) for each in maps])

    def _follow(
        self, coarse: Float32[np.ndarray, "grid_h grid_w"]
    ) -> Float32[np.ndarray, "height width"]:
        small, size = self.colours.shape[1:], self.full.shape[1:]
        target = resize(coarse, (small[0], small[1]))
        mean = self.filter.mean(target)
        shared = self.filter.mean(self.colours * target) - self.mean * mean
        slope = (self.inverse * shared).sum(axis=1)
        offset = mean - (slope * self.mean).sum(axis=0)
        out = resize(self.filter.mean(offset), (size[0], size[1]))
        for plane, colour in zip(self.filter.mean(slope), self.full, strict=True):
            out += resize(plane, (size[0], size[1])) * colour
        clipped: np.ndarray = np.clip(out, 0, 1)
        return clipped


def resize(
    plane: Float32[np.ndarray, "height width"], size: tuple[int, int]
) -> Float32[np.ndarray, "new_height new_width"]:
    """Interpolate bilinearly to `size` (height, width), pixel centres at half-integers."""
    image = Image.fromarray(np.ascontiguousarray(plane))
    return np.array(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _planes(
    guide: UInt8[np.ndarray, "height width 3"], size: tuple[int, int]
) -> Float32[np.ndarray, "3 new_height new_width"]:
    image = Image.fromarray(guide).resize((size[1], size[0]), Image.Resampling.BOX)
    return np.moveaxis(np.asarray(image, dtype=np.float32), -1, 0) / 255
