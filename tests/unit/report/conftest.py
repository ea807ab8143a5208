from collections.abc import Callable

import numpy as np
import pytest

from heap.results import ImageResult, Objects, Regions, Rle

WIDTH, HEIGHT = 80, 60

Make = Callable[..., ImageResult]


@pytest.fixture
def make() -> Make:
    """Makes a result with a ring at the left and a disc at the right, or the first few of them."""

    def made(key: str = "a.jpg", objects: int = 2, scores: tuple[float, ...] = (0.9, 0.5)) \
            -> ImageResult:  # fmt: skip
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        left = np.hypot(rows - 30, columns - 22)
        masks = [(left < 18) & (left > 8), np.hypot(rows - 30, columns - 60) < 15][:objects]
        boxes = [_box(mask) for mask in masks]
        label_map = np.array([[0, 0, 1, 1]] * 3)
        return ImageResult(
            key=key,
            width=WIDTH,
            height=HEIGHT,
            objects=Objects(
                boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
                scores=np.array(scores[:objects], dtype=np.float32),
                masks=tuple(map(Rle.encode, masks)),
                embeddings=np.zeros((objects, 2), dtype=np.float32),
                regions=np.arange(objects),
            ),
            regions=Regions(
                label_map=label_map,
                embeddings=np.zeros((2, 2), dtype=np.float32),
                scores=np.array([0.9, 0.5], dtype=np.float32),
                areas=np.array([0.5, 0.5], dtype=np.float32),
            ),
            saliency=np.ones((3, 4), dtype=np.float32),
            foreground=np.zeros(2, dtype=np.float32),
            background=np.zeros(2, dtype=np.float32),
        )

    return made


def _box(mask: np.ndarray) -> list[int]:
    rows, columns = np.nonzero(mask)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
