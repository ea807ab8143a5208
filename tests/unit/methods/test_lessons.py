import numpy as np
import pytest
import torch
from torch import Tensor

from heap.features.describe import PatchFeatures
from heap.masks.bilateral_solver import BilateralGrid
from heap.methods.lessons import SAMPLE_PATCHES, SampledLessons, SolvedLessons, SolvedMasks

GREY, RED = (120, 125, 120), (200, 60, 50)


def image(grid: tuple[int, int], number: int) -> PatchFeatures:
    """The features of a patch are the number of its image, and its own."""
    patches = torch.arange(grid[0] * grid[1], dtype=torch.float32)
    features = torch.stack([torch.full_like(patches, number), patches], dim=1)
    return PatchFeatures(features, torch.ones(1, len(patches)), None, grid)


def even(seen: PatchFeatures) -> Tensor:
    """A background of every other patch."""
    return seen.patches[:, 1] % 2 == 0


def test_a_sample_keeps_features_and_foreground_together() -> None:
    lessons = SampledLessons([image((3, 4), 0), image((5, 2), 1), image((1, 7), 2)], even, seed=0)
    assert (len(lessons), lessons.dim) == (3, 2)
    lesson = lessons([2, 0, 2])
    assert lesson.features.dtype == torch.float32
    numbers = lesson.features[:, 0].reshape(3, SAMPLE_PATCHES)
    assert torch.equal(numbers, torch.tensor([2.0, 0, 2])[:, None].expand(3, SAMPLE_PATCHES))
    assert lesson.features[:SAMPLE_PATCHES, 1].unique().tolist() == list(range(7))
    assert torch.equal(lesson.seed(), lesson.features[:, 1] % 2 == 1)
    predicted = lesson.features[:, 1] > 3
    assert lesson.improve(predicted) is predicted


def test_of_many_images_some_are_taken() -> None:
    many = [image((1, 2), number % 1000) for number in range(6001)]
    lessons = SampledLessons(many, even, seed=0)
    assert len(lessons) == 2001
    assert lessons([1]).features[0, 0] == 3


class World:
    """Pictures of a red square on grey, and what was asked of them."""

    def __init__(self, grids: list[tuple[int, int]], corner: int = 4, side: int = 8) -> None:
        self.images = [image(grid, number) for number, grid in enumerate(grids)]
        self.square = slice(corner, corner + side)
        self.decoded: list[int] = []
        self.seeded: list[int] = []

    def mask(self, index: int) -> Tensor:
        mask = torch.zeros(self.images[index].grid, dtype=torch.bool)
        mask[self.square, self.square] = True
        return mask

    def pixels(self, index: int) -> np.ndarray:
        self.decoded.append(index)
        cells = np.where(self.mask(index).numpy()[..., None], RED, GREY)
        return np.kron(cells, np.ones((20, 20, 1))).astype(np.uint8)

    def background(self, seen: PatchFeatures) -> Tensor:
        """All but the square, moved by a patch."""
        index = int(seen.patches[0, 0])
        self.seeded.append(index)
        return ~self.mask(index).roll((1, 1), (0, 1)).flatten()

    def lessons(self) -> SolvedLessons:
        return SolvedLessons(self.images, SolvedMasks(self.pixels), self.background)


def test_the_solver_moves_masks_to_the_edges_of_the_picture() -> None:
    world = World([(16, 16), (20, 14)])
    lesson = world.lessons()([1, 0])
    moved = torch.cat([world.mask(index).roll((1, 1), (0, 1)).flatten() for index in (1, 0)])
    truth = torch.cat([world.mask(index).flatten() for index in (1, 0)])
    assert lesson.features[:, 0].tolist() == [1] * 280 + [0] * 256
    assert (moved != truth).sum() == 60
    # The grid of the solver is about as coarse as that of the patches.
    for improved in (lesson.improve(moved), lesson.seed()):
        assert improved.shape == truth.shape
        assert (improved != truth).sum() <= 20


def test_a_mask_that_the_solver_loses_stays_as_it_is() -> None:
    world = World([(14, 14)], side=0)
    speck = torch.zeros(14, 14, dtype=torch.bool)
    speck[5, 8] = True
    improved = world.lessons()([0]).improve(speck.flatten()).reshape(14, 14)
    assert torch.equal(improved, speck)
    assert torch.equal(
        SolvedMasks(world.pixels).of_saliency(0, (14, 14), speck.flatten() * 0.9).reshape(14, 14),
        speck,
    )


def test_a_mask_with_a_part_larger_than_the_rest_stays_as_it_is() -> None:
    """FOUND takes the largest of the parts and their ground for the ground."""
    world = World([(14, 14)], corner=1, side=12)
    moved = world.mask(0).roll(1, 0)
    assert torch.equal(world.lessons()([0]).improve(moved.flatten()), moved.flatten())
    smaller = World([(14, 14)], corner=3, side=8)
    moved = smaller.mask(0).roll(1, 0)
    assert not torch.equal(smaller.lessons()([0]).improve(moved.flatten()), moved.flatten())


def test_nothing_stays_nothing() -> None:
    world = World([(14, 14)])
    assert not world.lessons()([0]).improve(torch.zeros(196, dtype=torch.bool)).any()


def test_what_an_image_gives_again_is_kept() -> None:
    world = World([(14, 14), (10, 18), (12, 12)])
    lessons = world.lessons()
    for chosen in ([0, 1], [1, 1, 2], [2, 0]):
        lesson = lessons(chosen)
        first = lesson.seed()
        lesson.improve(first)
        assert torch.equal(lesson.seed(), first)
    assert sorted(world.decoded) == [0, 1, 2]
    assert sorted(world.seeded) == [0, 1, 2]


def test_a_mask_that_comes_again_is_not_solved_again(monkeypatch: pytest.MonkeyPatch) -> None:
    solve, solved = BilateralGrid.solve, list[float]()

    def counted(grid: BilateralGrid, target: np.ndarray) -> np.ndarray:
        solved.append(target.sum())
        return solve(grid, target)

    monkeypatch.setattr(BilateralGrid, "solve", counted)
    world = World([(14, 14), (14, 14)])
    masks = SolvedMasks(world.pixels)
    square = world.mask(0).flatten()
    first = masks(0, (14, 14), square)
    assert torch.equal(masks(0, (14, 14), square.clone()), first)
    assert len(solved) == 1
    masks(1, (14, 14), square)
    masks(0, (14, 14), square.roll(1))
    assert len(solved) == 3


def test_a_map_is_cut_at_one_half() -> None:
    world = World([(16, 16)])
    masks = SolvedMasks(world.pixels)
    truth = world.mask(0)
    for inside, outside in ((1.0, 0.0), (0.9, 0.2)):
        moved = torch.where(truth.roll((1, 1), (0, 1)), inside, outside)
        improved = masks.of_saliency(0, (16, 16), moved.flatten())
        assert (improved.reshape(16, 16) != truth).sum() <= 10
    half = torch.where(truth, 0.5, 0.0).flatten()
    assert not masks.of_saliency(0, (16, 16), half).any()
