import math
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from heap.base.errors import ConfigError, FitError, InputError, WeightsError
from heap.features.describe import PatchFeatures
from heap.methods.finding import Observed
from heap.methods.found import Found, FoundLayer, FoundRecipe, FoundSeed, background_seed
from heap.methods.lessons import Lesson, SolvedLessons, SolvedMasks

ATTENTION = torch.tensor([[[0.4, 0.1, 0.1, 0.2], [0.1, 0.1, 0.3, 0.1]]])
"""Two heads, four patches; the mean is 0.175, so half of the patches of the first head are above
it and a quarter of the second's: β = log(¾ / ½) and log(¾ / ¼)."""
FIRST, SECOND = math.log(1.5), math.log(3)


def test_the_seed_by_hand() -> None:
    weighted = [FIRST * a + SECOND * b for a, b in zip(*ATTENTION[0].tolist(), strict=True)]
    assert weighted.index(min(weighted)) == 1
    # One channel a head. Seen from patch 1, (1, 0), the cosine of (1, v) is
    # FIRST / √(FIRST² + (v SECOND)²): 0.346 for v = 1 and 0.294 for v = 1.2.
    keys = torch.tensor([[[1, 1], [1, 0], [1, 1.2], [-1, 0.1]]])
    assert FIRST / math.hypot(FIRST, SECOND) > 0.3 > FIRST / math.hypot(FIRST, 1.2 * SECOND)
    assert background_seed(keys, ATTENTION).tolist() == [[True, True, False, False]]
    assert background_seed(keys, ATTENTION, 0.29).tolist() == [[True, True, True, False]]


def test_a_single_head_counts_as_it_is() -> None:
    # log(1) = 0 would weigh away all that it says. The least attended patch is the third.
    attention = torch.tensor([[[0.4, 0.3, 0.1, 0.2]]])
    keys = torch.tensor([[[-1.0, 0.5], [0.0, 1.0], [1.0, 0.0], [1.0, 2.0]]])
    # Cosines with it: -0.89, 0, 1 and 0.447.
    assert background_seed(keys, attention).tolist() == [[False, False, True, True]]
    assert background_seed(keys, attention, 0.45).tolist() == [[False, False, True, False]]


def test_channels_that_are_not_the_heads_are_refused() -> None:
    with pytest.raises(ConfigError, match="7 channels do not divide among 2 attention heads"):
        background_seed(torch.ones(1, 4, 7), ATTENTION)


def observed(keys: Tensor, attention: Tensor, grid: tuple[int, int]) -> Observed:
    features = PatchFeatures(keys, attention, None, grid)
    return Observed(features, np.zeros((10, 10, 3), dtype=np.uint8))


def test_the_seed_as_a_method() -> None:
    keys = torch.tensor([[1, 1], [1, 0], [1, 1.2], [-1, 0.1]])
    # In half precision too, as features come out of a store.
    for image in [observed(keys, ATTENTION[0], (2, 2)),
                  observed(keys.half(), ATTENTION[0].half(), (2, 2))]:  # fmt: skip
        finding = FoundSeed()(image)
        assert finding.saliency.tolist() == [[0, 0], [1, 1]]
        assert [part.cells.tolist() for part in finding.objects] == [[[False, False], [True, True]]]
        assert FoundSeed(threshold=0.29)(image).saliency.tolist() == [[0, 0], [0, 1]]


def test_images_of_a_batch_are_on_their_own() -> None:
    generator = torch.Generator().manual_seed(0)
    keys = torch.randn(3, 4, 6, generator=generator)
    attention = torch.rand(3, 2, 4, generator=generator)
    together = background_seed(keys, attention)
    for image in range(3):
        alone = background_seed(keys[image : image + 1], attention[image : image + 1])
        assert torch.equal(alone[0], together[image])


def test_a_head_with_nothing_above_the_mean_gives_no_nan() -> None:
    attention = torch.tensor([[[0.1, 0.1], [0.5, 0.6]]])
    assert background_seed(torch.ones(1, 2, 4), attention).all()


def toy(number: int, noise: float = 0.0, side: int = 10) -> tuple[PatchFeatures, Tensor]:
    """Patches about (1, -1, 0, 0) and, where there is a square, about its opposite; the attention
    is on the square, but on a share `noise` of the patches it errs."""
    generator = torch.Generator().manual_seed(number)
    thing = torch.zeros(side, side + 2, dtype=torch.bool)
    low = int(torch.randint(1, 4, (1,), generator=generator))
    thing[low : low + 5, low + 1 : low + 7] = True
    thing = thing.flatten()
    middle = torch.tensor([1.0, -1.0, 0.0, 0.0])
    features = torch.where(thing[:, None], -middle, middle)
    features = features + 0.5 * torch.randn(len(thing), 4, generator=generator)
    errs = torch.rand(len(thing), generator=generator) < noise
    attention = torch.where(thing ^ errs, 0.02, 0.001)
    attention = attention * (1 + 0.1 * torch.rand(1, len(thing), generator=generator))
    return PatchFeatures(features, attention, None, (side, side + 2)), thing


def toys(noise: float = 0.0) -> list[PatchFeatures]:
    return [toy(number, noise, side=9 + number % 3)[0] for number in range(12)]


def right(found: Found, number: int) -> float:
    features, thing = toy(number)
    image = Observed(features, np.zeros((10, 10, 3), dtype=np.uint8))
    saliency = found(image).saliency
    return float(((saliency > 0.5).ravel() == thing.numpy()).mean())


@pytest.mark.parametrize("noise", [0.0, 0.15])
def test_the_layer_learns_what_can_be_told_apart_by_a_line(noise: float) -> None:
    found = FoundRecipe().fit(toys(noise))
    assert np.mean([right(found, number) for number in range(20, 30)]) > 0.97
    assert not any(weight.requires_grad for weight in found.layer.parameters())


def painted(index: int) -> np.ndarray:
    """The picture to a toy: red where the square is, and twice as wide as high."""
    features, thing = toy(index, side=9 + index % 3)
    cells = np.where(thing.reshape(features.grid)[..., None], (200, 60, 50), (120, 125, 120))
    return np.kron(cells, np.ones((12, 24, 1))).astype(np.uint8)


def test_the_layer_learns_with_the_solver() -> None:
    found = FoundRecipe(steps=12, solver=True).fit(toys(), painted)
    assert np.mean([right(found, number) for number in range(20, 30)]) > 0.9


def test_the_solver_teaches_by_its_own_lessons() -> None:
    def background(image: PatchFeatures) -> Tensor:
        return background_seed(image.patches[None], image.cls_attention[None], 0.1)[0]

    recipe = FoundRecipe(threshold=0.1, steps=2, solver=True)
    expected = recipe.teach(SolvedLessons(toys(), SolvedMasks(painted), background), seed=5)
    layer = recipe.fit(toys(), painted, seed=5).layer
    assert torch.equal(layer.linear.weight, expected.linear.weight)


def test_the_solver_wants_pixels() -> None:
    with pytest.raises(ValueError, match="needs the pixels"):
        FoundRecipe(solver=True).fit(toys())


@pytest.mark.parametrize("solver", [False, True])
def test_the_same_seed_gives_the_same_layer_and_leaves_other_draws_alone(solver: bool) -> None:
    recipe = FoundRecipe(steps=2, solver=solver)
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    layers = [recipe.fit(toys(), painted, seed=seed).layer for seed in (7, 7, 8)]
    assert torch.equal(torch.rand(3), expected)
    weights = [layer.linear.weight for layer in layers]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_it_says_how_far_it_is() -> None:
    calls: list[tuple[str, int, int | None]] = []
    FoundRecipe(steps=3).fit(toys(), on_progress=lambda *call: calls.append(call))
    assert calls == [("found", 1, 3), ("found", 2, 3), ("found", 3, 3)]


def test_what_cannot_be_learned_from_is_refused() -> None:
    with pytest.raises(InputError, match="no images"):
        FoundRecipe().fit([])
    broken = toys()
    broken[3].patches[:] = math.nan
    with pytest.raises(FitError, match="NaN or infinite"):
        FoundRecipe(steps=5).fit(broken)


class Scripted:
    """Lessons on three images of two patches, whose masks do not depend on the layer."""

    dim = 2

    def __init__(self) -> None:
        self.features = torch.tensor([[1.0, 2], [-1, 0.5], [0.3, -1], [2, 1], [0, 0.7], [-2, -1]])
        self.seed = torch.tensor([True, False, False, True, True, False])
        self.better = torch.tensor([True, True, False, True, False, False])

    def __len__(self) -> int:
        return 3

    def __call__(self, chosen: list[int]) -> Lesson:
        rows = [2 * image + patch for image in chosen for patch in (0, 1)]
        return Lesson(self.features[rows], lambda: self.seed[rows], lambda _: self.better[rows])


def adam_by_hand(steps: int, seed: int) -> tuple[np.ndarray, float]:
    """The recipe written out: gradients of the losses, AdamW and the decay of its rate."""
    lessons, generator = Scripted(), torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    start = nn.Linear(2, 1)
    weights = np.array([*start.weight[0].tolist(), start.bias.item()])
    rows = np.concatenate([lessons.features.numpy(), np.ones((6, 1))], axis=1)
    first, second = np.zeros(3), np.zeros(3)
    for step in range(steps):
        picks = torch.randint(3, (50,), generator=generator).numpy()
        patch = np.stack([2 * picks, 2 * picks + 1], axis=1).ravel()
        logit = rows[patch] @ weights
        probability = 1 / (1 + np.exp(-logit))
        better = 1.5 * (probability - lessons.better.numpy()[patch])
        if step < 100:
            error = better + probability - lessons.seed.numpy()[patch]
        else:
            error = better + 4 * (probability - (logit > 0))
        gradient = rows[patch].T @ error / len(patch)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        rate = 5e-2 * 0.95 ** (step // 50)
        weights = weights * (1 - 0.01 * rate)
        unbiased = first / (1 - 0.9 ** (step + 1)), second / (1 - 0.999 ** (step + 1))
        weights = weights - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
    return weights[:2], float(weights[2])


@pytest.mark.parametrize("steps", [1, 60, 130])
def test_training_is_the_recipe_of_found(steps: int) -> None:
    layer = FoundRecipe(steps=steps).teach(Scripted(), seed=3)
    weight, bias = adam_by_hand(steps, seed=3)
    np.testing.assert_allclose(layer.linear.weight[0].numpy(), weight, atol=1e-4)
    assert layer.linear.bias.item() == pytest.approx(bias, abs=1e-4)


def test_saliency_is_the_probability_of_the_layer() -> None:
    layer = FoundLayer(2)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[2.0, -1.0]]))
        layer.linear.bias.fill_(0.5)
    found = Found(layer)
    image = observed(torch.tensor([[1.0, 0], [0, 1]]), torch.ones(1, 2), (1, 2))
    finding = found(image)
    expected = [1 / (1 + math.exp(-2.5)), 1 / (1 + math.exp(0.5))]
    assert finding.saliency[0].tolist() == pytest.approx(expected)
    assert len(finding.objects) == 1
    assert finding.objects[0].score == pytest.approx(expected[0])
    # They are what is interpolated.
    assert finding.logits is not None
    assert finding.logits[0].tolist() == pytest.approx([2.5, -0.5])
    other = observed(torch.ones(2, 3), torch.ones(1, 2), (1, 2))
    with pytest.raises(WeightsError, match=r"for features of 2 channels, and these have 3"):
        found(other)


def test_what_is_saved_can_be_loaded(tmp_path: Path) -> None:
    found = FoundRecipe(steps=2).fit(toys())
    path = tmp_path / "made" / "found.safetensors"
    found.save(path)
    again = Found.load(path)
    assert torch.equal(found.layer.linear.weight, again.layer.linear.weight)
    assert torch.equal(found.layer.linear.bias, again.layer.linear.bias)
    assert not any(weight.requires_grad for weight in again.layer.parameters())


@pytest.mark.parametrize("name", ["decoder_weights.pt", "decoder.pth"])
def test_a_released_decoder_is_a_convolution(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    decoder = nn.Conv2d(384, 1, 1)
    torch.save(decoder.state_dict(), tmp_path / name)
    found = Found.load(tmp_path / name)
    features = torch.randn(384, 3, 4)
    image = observed(features.flatten(1).T, torch.ones(6, 12), (3, 4))
    expected = decoder(features[None])[0, 0].sigmoid().detach().numpy()
    np.testing.assert_allclose(found(image).saliency, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ({}, "holds nothing"),
        ({"weight": torch.ones(1, 4)}, r"holds weight \(1, 4\)"),
        ({"weight": torch.ones(2, 4), "bias": torch.ones(2)}, "is no layer of FOUND"),
        ({"weight": torch.ones(1, 4, 3, 3), "bias": torch.ones(1)}, "is no layer of FOUND"),
        ({"weight": torch.ones(4), "bias": torch.ones(1)}, "is no layer of FOUND"),
        ({"weight": torch.ones(1, 4), "bias": torch.tensor(1.0)}, "is no layer of FOUND"),
        ({"weight": torch.ones(1, 0), "bias": torch.ones(1)}, "is no layer of FOUND"),
        ({"weight": torch.ones(1, 4), "bias": torch.ones(1), "more": torch.ones(1)}, "more"),
        ({"weight": torch.tensor([[1.0, math.nan]]), "bias": torch.ones(1)}, "NaN or infinite"),
        ({"weight": torch.ones(1, 2), "bias": torch.tensor([math.inf])}, "NaN or infinite"),
    ],
)
@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_other_weights_are_refused(
    tmp_path: Path, ending: str, state: dict[str, Tensor], problem: str
) -> None:
    path = tmp_path / f"layer.{ending}"
    save: Callable[..., object] = torch.save if ending == "pt" else save_file
    save(state, path)
    with pytest.raises(WeightsError, match=problem) as caught:
        Found.load(path)
    assert str(path) in str(caught.value)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


def test_no_code_in_a_file_is_run(tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "decoder.pt"
    hostile = {"weight": torch.ones(1, 4), "bias": Bomb(trace)}
    for write in (torch.save, lambda state, place: place.write_bytes(pickle.dumps(state))):
        write(hostile, path)
        with pytest.raises(WeightsError, match=r"decoder\.pt cannot be loaded"):
            Found.load(path)
        assert not trace.exists()
    # It is one: what loads it without care is hit.
    pickle.loads(path.read_bytes())  # noqa: S301  # it is made above
    assert trace.exists()


@pytest.mark.parametrize("content", [[torch.ones(1, 4)], {"weight": "text"}, 3])
def test_a_pickle_that_is_no_state_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "decoder.pt"
    torch.save(content, path)
    with pytest.raises(WeightsError, match=r"decoder\.pt"):
        Found.load(path)
