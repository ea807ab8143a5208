"""Pictures of nothing: plain colours, gradients, noise, stripes and checks, blurred noise."""

from collections.abc import Callable
from itertools import cycle, islice

import numpy as np
from jaxtyping import Float64, UInt8
from scipy.ndimage import gaussian_filter

Draw = np.random.Generator
Texture = Callable[[Draw, Float64[np.ndarray, "2 height width"]], np.ndarray]
"""Makes amounts in [0, 1] from the places of the pixels (down, across; the long side is 1)."""
_SIDES = (240, 360)
_NOISE = 0.02
"""Standard deviation of the grain that cameras leave, on the plainer ones."""


def textures(count: int, seed: int) -> list[tuple[str, UInt8[np.ndarray, "height width 3"]]]:
    """So many pictures, each kind in turn, with a name; the same for the same seed."""
    pictures = []
    for number, (name, texture) in enumerate(islice(cycle(_KINDS.items()), count)):
        draw = np.random.default_rng((seed, number))
        height, width = draw.integers(*_SIDES, size=2)
        places = np.mgrid[:height, :width] / max(height, width)
        amount = texture(draw, places)[..., None]
        dark, bright = draw.uniform(0, 255, (2, 3))
        pixels = dark + (bright - dark) * amount
        pictures.append((f"{name}-{number:02d}", pixels.clip(0, 255).astype(np.uint8)))
    return pictures


def _plain(draw: Draw, places: Float64[np.ndarray, "2 height width"]) -> np.ndarray:
    flat: np.ndarray = draw.uniform() + _grain(draw, places)
    return flat


def _gradient(draw: Draw, places: Float64[np.ndarray, "2 height width"]) -> np.ndarray:
    rising: np.ndarray = _along(draw, places) + _grain(draw, places)
    return rising


def _noise(draw: Draw, places: Float64[np.ndarray, "2 height width"]) -> np.ndarray:
    return draw.uniform(size=places.shape[1:])


def _waves(draw: Draw, places: Float64[np.ndarray, "2 height width"]) -> np.ndarray:
    """Stripes, or where two of them cross, a soft or a hard chequerboard."""
    first = np.sin(2 * np.pi * draw.uniform(4, 30) * _along(draw, places))
    second = np.sin(2 * np.pi * draw.uniform(4, 30) * _along(draw, places))
    both = first * second if draw.uniform() < 0.5 else first
    hard = np.where(both > 0, 1.0, -1.0) if draw.uniform() < 0.5 else both
    return (1 + hard) / 2


def _cloud(draw: Draw, places: Float64[np.ndarray, "2 height width"]) -> np.ndarray:
    soft: np.ndarray = gaussian_filter(draw.normal(size=places.shape[1:]), draw.uniform(2, 25))
    full: np.ndarray = (soft - soft.min()) / (soft.max() - soft.min())
    return full


def _along(draw: Draw, places: Float64[np.ndarray, "2 height width"]) -> np.ndarray:
    """Distance of the pixels along some direction."""
    angle = draw.uniform(0, 2 * np.pi)
    way: np.ndarray = np.cos(angle) * places[0] + np.sin(angle) * places[1]
    far: np.ndarray = way - way.min()
    return far


def _grain(draw: Draw, places: Float64[np.ndarray, "2 height width"]) -> np.ndarray:
    grain: np.ndarray = draw.normal(0, _NOISE, places.shape[1:])
    return grain


_KINDS: dict[str, Texture] = {
    "plain": _plain,
    "gradient": _gradient,
    "noise": _noise,
    "waves": _waves,
    "cloud": _cloud,
}
