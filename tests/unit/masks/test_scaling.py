"""Label maps and masks at another size, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from heap.masks.scaling import fit_size, scale_mask, smooth_labels


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 0), (7, 300)])
def test_a_border_lies_in_the_middle_and_its_pixel_goes_to_the_lower_number(
    first: int, second: int
) -> None:
    labels = smooth_labels(np.array([[first, second]]), (5, 2))
    middle = min(first, second)
    assert labels.tolist() == [[first, first, middle, second, second]] * 2


def test_width_comes_first_and_a_corner_is_cut_off() -> None:
    """A single patch becomes a round spot, other than by repeating."""
    labels = np.zeros((3, 4), dtype=np.int64)
    labels[1, 1] = 3
    large = smooth_labels(labels, (40, 30))
    assert large.shape == (30, 40)
    assert large[15, 15] == 3
    assert large[10, 10] == large[19, 19] == 0
    assert large[15, 10] == large[10, 15] == 3


@pytest.mark.parametrize(
    ("size", "enlarged"), [((50, 100), (100, 200)), ((10, 1), (200, 20)), ((1, 900), (1, 200))]
)
def test_small_images_grow_only_where_that_is_asked_for(
    size: tuple[int, int], enlarged: tuple[int, int]
) -> None:
    assert fit_size(size, 200, enlarge=True) == enlarged
    assert fit_size(size, 200) == (size if max(size) <= 200 else enlarged)


def test_a_pixel_of_a_reduced_mask_is_set_from_one_half_on() -> None:
    columns = np.array([[True, False, False, False]])
    assert scale_mask(columns.repeat(2, axis=0), (2, 1)).shape == (1, 2)
    half = np.array([[True, False], [True, False]])
    assert scale_mask(half, (1, 1)).tolist() == [[True]]
    assert scale_mask(columns, (1, 1)).tolist() == [[False]]


sides = st.integers(1, 90)


@given(sides, sides, sides, sides, st.integers(0, 2**32 - 1))
def test_a_part_of_the_image_is_scaled_as_all_of_it(
    height: int, width: int, rows: int, columns: int, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    mask = np.zeros((height, width), dtype=bool)
    top, left = draw.integers(height), draw.integers(width)
    part = mask[top : draw.integers(top, height) + 1, left : draw.integers(left, width) + 1]
    part[:] = draw.random(part.shape) < draw.random()
    grey = Image.fromarray(mask.astype(np.uint8) * 255)
    whole = np.asarray(grey.resize((columns, rows), Image.Resampling.BILINEAR), dtype=int)
    scaled = scale_mask(mask, (columns, rows))
    # Just at a half rounding may fall either way.
    certain = (whole < 127) | (whole > 129)
    assert (scaled == (whole >= 128))[certain].all()
    assert scaled.shape == whole.shape
