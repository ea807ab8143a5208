import numpy as np
import pytest

from heap.masks.guided_filter import GuidedFilter, resize


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def picture(seed: int, height: int, width: int) -> np.ndarray:
    return (255 * noise(seed, height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("size", [(64, 48), (400, 300), (5, 3), (1, 1), (1, 200)])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_constant_stays_constant(value: float, size: tuple[int, int]) -> None:
    maps = np.full((2, 4, 3), value, dtype=np.float32)
    out = GuidedFilter().guide(picture(0, *size))(maps)
    assert out.shape == (2, *size)
    np.testing.assert_allclose(out, value, atol=1e-4)


def test_maps_add_up() -> None:
    # Well within (0, 1), so that nothing is clipped.
    maps = 0.2 + 0.1 * noise(1, 3, 8, 6)
    smooth = GuidedFilter(side=60).guide(picture(2, 90, 70))
    whole = smooth(maps.sum(axis=0, keepdims=True))[0]
    np.testing.assert_allclose(smooth(maps).sum(axis=0), whole, atol=1e-4)


def test_values_stay_in_bounds() -> None:
    maps = (noise(3, 4, 8, 6) > 0.5).astype(np.float32)
    out = GuidedFilter().guide(picture(4, 300, 200))(maps)
    assert 0 <= out.min() < out.max() <= 1


def slow_filter(target: np.ndarray, guide: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """He's guided filter, window by window, in double precision; edges repeat."""
    height, width = target.shape
    colours = guide / 255.0

    def window(row: int, col: int) -> tuple[np.ndarray, np.ndarray]:
        rows = np.clip(np.arange(row - radius, row + radius + 1), 0, height - 1)
        cols = np.clip(np.arange(col - radius, col + radius + 1), 0, width - 1)
        return np.repeat(rows, len(cols)), np.tile(cols, len(rows))

    slope, offset = np.zeros((height, width, 3)), np.zeros((height, width))
    for row in range(height):
        for col in range(width):
            i, p = colours[window(row, col)], target[window(row, col)]
            spread = np.cov(i.T, bias=True) + epsilon * np.eye(3)
            shared = ((i - i.mean(axis=0)) * (p - p.mean())[:, None]).mean(axis=0)
            slope[row, col] = np.linalg.inv(spread) @ shared
            offset[row, col] = p.mean() - slope[row, col] @ i.mean(axis=0)
    out = np.zeros((height, width))
    for row in range(height):
        for col in range(width):
            cells = window(row, col)
            out[row, col] = slope[cells].mean(axis=0) @ colours[row, col] + offset[cells].mean()
    return out.clip(0, 1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("radius", [1, 3])
def test_it_is_the_guided_filter(radius: int, seed: int) -> None:
    target, guide = noise(seed, 9, 11), picture(seed + 10, 9, 11)
    out = GuidedFilter(radius=radius, epsilon=1e-2).guide(guide)(target[None])
    np.testing.assert_allclose(out[0], slow_filter(target, guide, radius, 1e-2), atol=1e-4)


@pytest.mark.parametrize(("cell", "scale"), [(12, 1), (4, 4)])
def test_it_follows_a_step_of_the_guide(cell: int, scale: int) -> None:
    """The thing ends in the middle of cells; the coarse map alone cannot know where."""
    truth = np.zeros((96, 96), dtype=bool)
    truth[21:68, 30:77] = True
    cells = truth.reshape(96 // cell, cell, 96 // cell, cell)
    coarse = cells.mean(axis=(1, 3)).astype(np.float32)
    truth = truth.repeat(scale, axis=0).repeat(scale, axis=1)
    guide = np.where(truth[..., None], (230, 90, 40), (40, 120, 60)).astype(np.uint8)
    overlap = []
    for fine in (resize(coarse, truth.shape), GuidedFilter().guide(guide)(coarse[None])[0]):
        mask = fine > 0.5
        overlap.append((mask & truth).sum() / (mask | truth).sum())
    assert overlap[1] > max(0.98, overlap[0])


def test_resize_by_hand() -> None:
    row = np.array([[0.0, 1.0]], dtype=np.float32)
    np.testing.assert_allclose(resize(row, (1, 4)), [[0, 0.25, 0.75, 1]], atol=1e-6)
    assert resize(row, (3, 2)).tolist() == [[0, 1]] * 3
