"""Edge-aware upsampling: maps on the patch grid become maps on pixels that follow the image.

A guided filter (He, Sun, Tang, ECCV 2010) with a colour guide, in its fast form: the linear model
is fitted at low resolution and its coefficients are interpolated. It is linear in the map, so the
maps of several objects add up to the map of their union.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, UInt8
from PIL import Image
from scipy.ndimage import uniform_filter

from heap.base.timing import timed

_UPPER = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
"""Places of a symmetric matrix on its diagonal and above."""


@dataclass(frozen=True)
class GuidedFilter:
    """Settings of the filter: how far and how closely maps follow the image."""

    side: int = 224
    """Side in pixels of a square at whose area the linear model is fitted, the fast form."""
    radius: int = 8
    """Radius of the window, in pixels of that size."""
    epsilon: float = 1e-3
    """Colour variance, colours in [0, 1], below which a window counts as flat."""

    @timed("guided filter")
    def guide(self, pixels: UInt8[np.ndarray, "height width 3"]) -> "Guide":
        """Compute all that depends on the image alone, for any number of maps."""
        height, width, _ = pixels.shape
        scale = min(1.0, self.side / (height * width) ** 0.5)
        small = (max(1, round(height * scale)), max(1, round(width * scale)))
        colours = _planes(pixels, small)
        # Centred, for covariances in single precision are differences of large numbers otherwise.
        middle = colours.mean(axis=(1, 2), keepdims=True)
        centred = colours - middle
        mean = self.window_mean(centred)
        covariance = {
            # E[c cᵀ] - E[c] E[c]ᵀ of each window, and ε on the diagonal.
            (i, j): (self.window_mean(centred[i] * centred[j]) - mean[i] * mean[j]).astype(float)
            + (self.epsilon if i == j else 0.0)
            for i, j in _UPPER
        }
        inverse = _invert(covariance)
        return Guide(self, centred, mean, inverse, _planes(pixels, (height, width)) - middle)

    def window_mean(
        self, planes: Float32[np.ndarray, "*any h w"]
    ) -> Float32[np.ndarray, "*any h w"]:
        """Mean over the window around each pixel; pixels at the edge repeat beyond it."""
        out: np.ndarray = np.empty(planes.shape, dtype=planes.dtype)
        size = 2 * self.radius + 1
        uniform_filter(planes, size=size, output=out, axes=(-2, -1), mode="nearest")
        return out


@dataclass(frozen=True)
class Guide:
    """Image that maps follow; colours are in [0, 1], less their mean over the image."""

    filter: GuidedFilter
    colours: Float32[np.ndarray, "3 small_h small_w"]
    mean: Float32[np.ndarray, "3 small_h small_w"]
    """Mean of the colours in each window."""
    inverse: Float32[np.ndarray, "3 3 small_h small_w"]
    """Inverse of the covariance of the colours in each window, plus ε on its diagonal."""
    full: Float32[np.ndarray, "3 height width"]
    """Colours at full size."""

    @timed("guided filter")
    def __call__(
        self, maps: Float32[np.ndarray, "map grid_h grid_w"]
    ) -> Float32[np.ndarray, "map height width"]:
        """Bring `maps`, values in [0, 1], to the size of the image."""
        return np.stack([self._follow(coarse) for coarse in maps])

    def _follow(
        self, coarse: Float32[np.ndarray, "grid_h grid_w"]
    ) -> Float32[np.ndarray, "height width"]:
        """Map at full size, a · colour + b, with a and b averaged over all windows of a pixel."""
        small, size = self.colours.shape[1:], self.full.shape[1:]
        target = resize(coarse, (small[0], small[1]))
        mean = self.filter.window_mean(target)
        # a = (Σ + ε)⁻¹ cov(colour, map) and b = mean(map) - a · mean(colour), in each window.
        covariance = self.filter.window_mean(self.colours * target) - self.mean * mean
        slope = (self.inverse * covariance).sum(axis=1)
        offset = mean - (slope * self.mean).sum(axis=0)
        # The fast form: coefficients are interpolated, colours are those of the full image. Plane
        # by plane, so that no array of three full planes is made beside the guide.
        out = resize(self.filter.window_mean(offset), (size[0], size[1]))
        for plane, colour in zip(self.filter.window_mean(slope), self.full, strict=True):
            out += resize(plane, (size[0], size[1])) * colour
        # A linear model may overshoot the map at strong edges.
        clipped: np.ndarray = np.clip(out, 0, 1)
        return clipped


def _invert(
    matrix: dict[tuple[int, int], Float64[np.ndarray, "h w"]],
) -> Float32[np.ndarray, "3 3 h w"]:
    """Inverse of a symmetric matrix for each pixel, of which the upper half is given.

    By cofactors: for matrices so small that is ten times as fast as LAPACK, one call a pixel. In
    double precision, for the determinant of a flat window is nearly ε³ = 1e-9.
    """
    a, b, c, d, e, f = (matrix[place] for place in _UPPER)
    cofactors = (
        d * f - e * e,
        c * e - b * f,
        b * e - c * d,
        a * f - c * c,
        b * c - a * e,
        a * d - b * b,
    )
    determinant = a * cofactors[0] + b * cofactors[1] + c * cofactors[2]
    inverse = np.empty((3, 3, *a.shape), dtype=np.float32)
    for (i, j), cofactor in zip(_UPPER, cofactors, strict=True):
        inverse[i, j] = inverse[j, i] = cofactor / determinant
    return inverse


def resize(
    plane: Float32[np.ndarray, "height width"], size: tuple[int, int]
) -> Float32[np.ndarray, "new_height new_width"]:
    """Interpolate bilinearly to `size` (height, width), pixel centres at half-integers."""
    # Pillow reads arrays of float32 as mode "F", so that nothing is rounded.
    image = Image.fromarray(np.ascontiguousarray(plane))
    return np.array(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _planes(
    guide: UInt8[np.ndarray, "height width 3"], size: tuple[int, int]
) -> Float32[np.ndarray, "3 new_height new_width"]:
    image = Image.fromarray(guide).resize((size[1], size[0]), Image.Resampling.BOX)
    return np.moveaxis(np.asarray(image, dtype=np.float32), -1, 0) / 255
