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

    def __call__(
        self,
        maps: Float32[np.ndarray, "map grid_h grid_w"],
        guide: UInt8[np.ndarray, "height width 3"],
    ) -> Float32[np.ndarray, "map height width"]:
        """Bring `maps`, values in [0, 1], to the size of `guide`."""
        height, width, _ = guide.shape
        scale = min(1.0, self.side / (height * width) ** 0.5)
        small = (max(1, round(height * scale)), max(1, round(width * scale)))
        colours = _planes(guide, small)
        centred = colours - colours.mean(axis=(1, 2), keepdims=True)
        covariance = self._covariance(centred)
        full = _planes(guide, (height, width)) - colours.mean(axis=(1, 2), keepdims=True)
        return np.stack([self._follow(m, small, centred, covariance, full) for m in maps])

    def _follow(
        self,
        coarse: Float32[np.ndarray, "grid_h grid_w"],
        small: tuple[int, int],
        colours: Float32[np.ndarray, "3 small_h small_w"],
        covariance: Float32[np.ndarray, "small_h small_w 3 3"],
        full: Float32[np.ndarray, "3 height width"],
    ) -> Float32[np.ndarray, "height width"]:
        target = resize(coarse, small)
        mean, colour_mean = self._mean(target), self._mean(colours)
        shared = self._mean(colours * target) - colour_mean * mean
        slope = np.linalg.solve(covariance, np.moveaxis(shared, 0, -1)[..., None])[..., 0]
        slope = np.moveaxis(slope, -1, 0).astype(np.float32)
        offset = mean - (slope * colour_mean).sum(axis=0)
        size = full.shape[1:]
        out = resize(self._mean(offset), (size[0], size[1]))
        for plane, colour in zip(self._mean(slope), full, strict=True):
            out = out + resize(plane, (size[0], size[1])) * colour
        clipped: np.ndarray = np.clip(out, 0, 1)
        return clipped

    def _covariance(
        self, colours: Float32[np.ndarray, "3 small_h small_w"]
    ) -> Float32[np.ndarray, "small_h small_w 3 3"]:
        mean = self._mean(colours)
        products = np.stack([self._mean(colours * plane) for plane in colours])
        spread = products - mean[:, None] * mean[None]
        ridge = self.epsilon * np.eye(3, dtype=np.float32)
        return np.asarray(np.moveaxis(spread, (0, 1), (2, 3)) + ridge)

    def _mean(self, planes: np.ndarray) -> np.ndarray:
        size = 2 * self.radius + 1
        out: np.ndarray = np.empty(planes.shape, dtype=planes.dtype)
        uniform_filter(planes, size=size, output=out, axes=(-2, -1), mode="nearest")
        return out


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
