import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import ResNetConfig, ResNetModel

from heap.config import FeatureConfig
from heap.encoder.encoder import Encoder
from heap.errors import ConfigError, FitError, WeightsError
from heap.features import PatchFeatures, describe
from heap.fit.orientation import Monitor, border_cells, make_prior, orient
from heap.images import Picture
from heap.model.head import Grouping
from heap.model.heap import Heap
from heap.peers.found import background_seed

FINE = Monitor(regions=3.0, largest_share=0.5, spread=0.2, border=0.1, interior=0.4)


def grouping(choice: list[list[int]], foreground: list[list[float]]) -> Grouping:
    """A grouping in which every patch is sure of its group."""
    assignment = torch.nn.functional.one_hot(torch.tensor(choice)).float()
    area = assignment.mean(dim=1)
    return Grouping(assignment, torch.ones(*area.shape, 2), area, torch.tensor(foreground))


def test_the_border_is_the_outermost_ring() -> None:
    assert border_cells((3, 4)).reshape(3, 4).tolist() == [
        [True, True, True, True], [True, False, False, True], [True, True, True, True],
    ]  # fmt: skip
    assert border_cells((4, 4)).sum() == 12
    for thin in [(1, 5), (5, 1), (2, 5), (1, 1)]:
        assert border_cells(thin).all()


def test_the_monitor_by_hand() -> None:
    # Two images of four patches, the last of each inside; three groups with P = 0.2, 0.6, 0.9.
    seen = grouping([[0, 0, 1, 2], [0, 0, 0, 0]], [[0.2, 0.6, 0.9]] * 2)
    inside = torch.tensor([[False, False, False, True]] * 2)
    monitor = Monitor.of(seen, ~inside)
    assert monitor.regions == pytest.approx(2.0)
    assert monitor.largest_share == pytest.approx(6 / 8)
    assert monitor.border == pytest.approx((0.2 + 0.2 + 0.6 + 3 * 0.2) / 6)
    assert monitor.interior == pytest.approx((0.9 + 0.2) / 2)
    # The saliency 0.2, 0.2, 0.6, 0.9 is 0.475 on average; the other image is constant.
    deviation = (2 * 0.275**2 + 0.125**2 + 0.425**2) / 3
    assert monitor.spread == pytest.approx(deviation**0.5 / 2)


def test_what_is_fine_passes() -> None:
    FINE.check()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"regions": 1.49}, r"collapsed: 1\.49 regions in an image"),
        ({"spread": 0.019}, r"is constant: .* varies by 0\.019"),
        ({"interior": 0.11}, "cannot tell foreground from background"),
        ({"border": 0.41}, "cannot tell foreground from background"),
        ({"interior": float("nan")}, "cannot tell foreground from background"),
        ({"spread": float("nan")}, "is constant"),
    ],
)
def test_a_head_of_no_use_is_refused(change: dict[str, float], problem: str) -> None:
    with pytest.raises(FitError, match=f"the fitted head {problem}.*; use more"):
        replace(FINE, **change).check()
    assert FitError.exit_code == 1


def monitor_of(heap: Heap, images: list[PatchFeatures]) -> Monitor:
    found = [Monitor.of(heap.group(each), border_cells(each.grid)[None]) for each in images]
    means = {name: sum(getattr(each, name) for each in found) / len(found) for name in vars(FINE)}
    return Monitor(**means)


def test_the_border_test_turns_an_inverted_head_and_no_other(
    model_folder: Any, encoder: Encoder, pictures: list[Picture], feature_config: FeatureConfig
) -> None:
    heap = Heap.from_pretrained(model_folder, precision="fp32")
    images = describe(encoder, pictures, feature_config)
    upright = monitor_of(heap, images)
    before = heap.fingerprint
    assert upright.border < upright.interior
    assert not orient(heap.head, upright)
    assert heap.fingerprint == before
    heap.head.invert()
    inverted = monitor_of(heap, images)
    assert inverted.border == pytest.approx(1 - upright.border, abs=1e-5)
    assert orient(heap.head, inverted)
    assert heap.fingerprint == before


@pytest.fixture
def images(
    encoder: Encoder, pictures: list[Picture], feature_config: FeatureConfig
) -> list[PatchFeatures]:
    return describe(encoder, pictures, feature_config, boundary=True)


def test_there_may_be_no_prior(images: list[PatchFeatures], encoder: Encoder) -> None:
    assert make_prior("none", images, encoder, 0) is None


def test_the_seed_is_founds_on_the_keys_alone(
    images: list[PatchFeatures], encoder: Encoder
) -> None:
    prior = make_prior("seed", images, encoder, 0)
    assert prior is not None
    for image in images:
        background = background_seed(image.patches[None, :, :24], image.cls_attention[None])[0]
        assert torch.equal(prior(image), (~background).float())


def test_the_boundary_prior_is_the_one_that_came_with_the_features(
    images: list[PatchFeatures], encoder: Encoder
) -> None:
    prior = make_prior("boundary", images, encoder, 0)
    assert prior is not None
    for image in images:
        assert image.boundary is not None
        assert torch.equal(prior(image), image.boundary)
    with pytest.raises(ValueError, match="without the boundary prior"):
        prior(replace(images[0], boundary=None))


def test_founds_layer_comes_out_the_same_again(
    images: list[PatchFeatures], encoder: Encoder
) -> None:
    first, second, other = (make_prior("found", images, encoder, seed) for seed in (3, 3, 4))
    assert first is not None
    assert second is not None
    assert other is not None
    for image in images:
        found = first(image)
        assert found.shape == (len(image.patches),)
        assert ((found >= 0) & (found <= 1)).all()
        assert torch.equal(found, second(image))
    assert any(not torch.equal(first(image), other(image)) for image in images)


def test_founds_layer_learns_the_seed(images: list[PatchFeatures], encoder: Encoder) -> None:
    """Where attention and keys know the thing, as those of a real encoder do."""
    generator = torch.Generator().manual_seed(0)
    made = []
    for image in images:
        assert image.boundary is not None
        thing = image.boundary > 0.5
        keys = torch.where(thing[:, None], 1.0, -1.0) + 0.3 * torch.randn(
            len(thing), 24, generator=generator
        )
        attention = torch.where(thing, 0.02, 0.001) * (
            1 + 0.1 * torch.rand(3, len(thing), generator=generator)
        )
        made.append(replace(image, patches=keys, cls_attention=attention))
    prior = make_prior("found", made, encoder, 0)
    assert prior is not None
    for image in made:
        assert image.boundary is not None
        assert ((prior(image) > 0.5) == (image.boundary > 0.5)).float().mean() > 0.98


@pytest.fixture
def pyramid(tmp_path: Path) -> Encoder:
    """A tiny pyramid with a layer for foreground beside it."""
    torch.manual_seed(0)
    config = ResNetConfig(
        embedding_size=4, hidden_sizes=[4, 4, 8, 8], depths=[1, 1, 1, 1], layer_type="basic"
    )
    ResNetModel(config).save_pretrained(tmp_path)
    layer = {"dense_head.weight": torch.randn(1, 20), "dense_head.bias": torch.tensor([0.5])}
    save_file(layer, tmp_path / "heads.safetensors")
    return Encoder.load(str(tmp_path), precision="fp32")


def test_the_prior_of_the_encoder_is_what_it_was_taught(
    pyramid: Encoder, pictures: list[Picture], tmp_path: Path
) -> None:
    features = FeatureConfig(
        encoder=str(tmp_path), facet="token", resolution=64, cues=("position",)
    )
    described = describe(pyramid, pictures, features, boundary=True)
    prior = make_prior("encoder", described, pyramid, 0)
    assert prior is not None
    weight = load_file(tmp_path / "heads.safetensors")["dense_head.weight"][0]
    for image in described:
        for patch in range(0, len(image.patches), 7):
            channels = image.patches[patch, :20]
            logit = float(channels @ weight) / float(channels.norm()) * math.sqrt(20) + 0.5
            expected = 1 / (1 + math.exp(-logit))
            assert float(prior(image)[patch]) == pytest.approx(expected, abs=1e-4)


def test_an_encoder_without_an_idea_of_foreground_is_refused(
    images: list[PatchFeatures], encoder: Encoder, pyramid: Encoder, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="has no idea of foreground"):
        make_prior("encoder", images, encoder, 0)
    save_file({"dense_head.weight": torch.zeros(1, 7)}, tmp_path / "heads.safetensors")
    with pytest.raises(WeightsError, match="for 20 channels"):
        make_prior("encoder", images, pyramid, 0)
    (tmp_path / "heads.safetensors").unlink()
    with pytest.raises(ConfigError, match="choose another --prior"):
        make_prior("encoder", images, pyramid, 0)
