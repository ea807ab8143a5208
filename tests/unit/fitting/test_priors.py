import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from preprocessors import add_preprocessor
from properties import examples
from safetensors.torch import load_file, save, save_file
from torch import Tensor
from transformers import ResNetConfig, ResNetModel

from heap.base.errors import ConfigError, WeightsError
from heap.base.progress import silent
from heap.config import FeatureConfig, Prior
from heap.encoder.base import Encoder
from heap.encoder.load import load_encoder
from heap.features.describe import PatchFeatures, describe
from heap.features.store import FeatureStore
from heap.fitting.collect import Collected, collect
from heap.fitting.priors import STAGE, load_masks, make_masks, saliency_map, save_masks
from heap.images import Picture, list_images
from heap.methods.found import FoundRecipe, background_seed
from heap.methods.lessons import SolvedMasks
from heap.model.heap import Heap

Collect = Callable[[Path], Collected]


@pytest.fixture(scope="session")
def collect_photos(photos: Path, encoder: Encoder, feature_config: FeatureConfig) -> Collect:
    def collected(root: Path) -> Collected:
        store = FeatureStore(root, encoder, feature_config)
        with ThreadPoolExecutor(1) as pool:
            return collect(list(list_images(photos)), encoder, store, pool, silent)

    return collected


@pytest.fixture(scope="module")
def images(collect_photos: Collect, tmp_path_factory: pytest.TempPathFactory) -> Collected:
    """The photos with their features; not to be changed."""
    return collect_photos(tmp_path_factory.mktemp("features"))


@pytest.fixture
def quick_lessons(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few steps of a few images teach the layer."""
    monkeypatch.setattr("heap.fitting.priors.FoundRecipe", partial(FoundRecipe, steps=6))
    monkeypatch.setattr("heap.methods.found.BATCH", 6)


def features_of(images: Collected) -> list[PatchFeatures]:
    return [images[index] for index in range(len(images))]


def solved(maps: list[Tensor], images: Collected, pictures: list[Picture]) -> list[Tensor]:
    solve = SolvedMasks(lambda index: pictures[index].pixels)
    grids = [image.grid for image in features_of(images)]
    return [solve.of_saliency(index, grids[index], each) for index, each in enumerate(maps)]


def same(ours: list[Tensor], theirs: list[Tensor]) -> bool:
    return all(torch.equal(*pair) for pair in zip(ours, theirs, strict=True))


def test_the_seed_is_founds_on_the_keys_alone(images: Collected, encoder: Encoder) -> None:
    saliency = saliency_map("seed", encoder, None)
    for image in features_of(images):
        background = background_seed(image.patches[None, :, :24], image.cls_attention[None])[0]
        assert torch.equal(saliency(image), (~background).float())


def test_the_boundary_prior_is_the_one_that_came_with_the_features(
    images: Collected, encoder: Encoder
) -> None:
    saliency = saliency_map("boundary", encoder, None)
    for image in features_of(images):
        assert image.boundary is not None
        assert torch.equal(saliency(image), image.boundary)
    with pytest.raises(ValueError, match="without the boundary prior"):
        saliency(replace(images[0], boundary=None))


def test_a_head_that_was_fitted_alone_gives_its_saliency(
    images: Collected, encoder: Encoder, heap: Heap
) -> None:
    saliency = saliency_map("self", encoder, heap)
    for image in features_of(images):
        assert torch.equal(saliency(image), heap.group(image).saliency[0])


def test_masks_are_those_of_the_solver_in_the_order_of_the_images(
    images: Collected, encoder: Encoder, pictures: list[Picture]
) -> None:
    said: list[tuple[str, int, int | None]] = []
    masks = make_masks("boundary", images, encoder, 0, None, lambda *each: said.append(each))
    saliency = saliency_map("boundary", encoder, None)
    assert same(masks, solved([saliency(image) for image in features_of(images)], images, pictures))
    assert said == [(STAGE, number, 12) for number in range(1, 13)]


@pytest.mark.usefixtures("quick_lessons")
def test_founds_layer_comes_out_the_same_again(images: Collected, encoder: Encoder) -> None:
    first, second, other = (
        make_masks("found", images, encoder, seed, None, silent) for seed in (3, 3, 4)
    )
    assert [len(mask) for mask in first] == [len(image.patches) for image in features_of(images)]
    assert same(first, second)
    assert not same(first, other)


@pytest.mark.usefixtures("quick_lessons")
@pytest.mark.parametrize("kind", ["found", "self"])
def test_the_layer_learns_what_it_is_taught(
    kind: Prior, collect_photos: Collect, encoder: Encoder, heap: Heap,
    pictures: list[Picture], tmp_path: Path,
) -> None:  # fmt: skip
    """Where features know the thing, as those of a real encoder do: FOUND's seed, or the head's."""
    images, things = collect_photos(tmp_path), []
    generator = torch.Generator().manual_seed(0)
    of_head = saliency_map("self", encoder, heap)
    for digest, image in zip(images.digests, features_of(images), strict=True):
        assert image.boundary is not None
        thing = image.boundary > 0.5
        noise = torch.randn(image.patches.shape, generator=generator)
        keys = torch.where(thing[:, None], 1.0, -1.0) + 0.3 * noise
        attention = torch.where(thing, 0.02, 0.001) * (
            1 + 0.1 * torch.rand(3, len(thing), generator=generator)
        )
        images.store.put(digest, replace(image, patches=keys, cls_attention=attention))
        things.append(thing)
    if kind == "self":
        agree = [(of_head(images[index]) > 0.5) == each for index, each in enumerate(things)]
        things = things if torch.cat(agree).float().mean() > 0.5 else [~each for each in things]
    masks = make_masks(kind, images, encoder, 0, heap, silent)
    wanted = solved([each.float() for each in things], images, pictures)
    assert (torch.cat(masks) == torch.cat(wanted)).float().mean() > 0.97


@pytest.fixture
def pyramid(tmp_path: Path) -> Encoder:
    """A tiny pyramid with a layer for foreground beside it."""
    torch.manual_seed(0)
    config = ResNetConfig(
        embedding_size=4, hidden_sizes=[4, 4, 8, 8], depths=[1, 1, 1, 1], layer_type="basic"
    )
    ResNetModel(config).save_pretrained(tmp_path)
    add_preprocessor(tmp_path)
    layer = {"dense_head.weight": torch.randn(1, 20), "dense_head.bias": torch.tensor([0.5])}
    save_file(layer, tmp_path / "heads.safetensors")
    return load_encoder(str(tmp_path), precision="fp32")


def test_the_prior_of_the_encoder_is_what_it_was_taught(
    pyramid: Encoder, pictures: list[Picture], tmp_path: Path
) -> None:
    features = FeatureConfig(
        encoder=str(tmp_path), facet="token", resolution=64, cues=("position",)
    )
    saliency = saliency_map("encoder", pyramid, None)
    weight = load_file(tmp_path / "heads.safetensors")["dense_head.weight"][0]
    for image in describe(pyramid, pictures, features, boundary=True):
        found = saliency(image)
        for patch in range(0, len(image.patches), 7):
            channels = image.patches[patch, :20]
            logit = float(channels @ weight) / float(channels.norm()) * math.sqrt(20) + 0.5
            expected = 1 / (1 + math.exp(-logit))
            assert float(found[patch]) == pytest.approx(expected, abs=1e-4)


def test_an_encoder_without_an_idea_of_foreground_is_refused(
    encoder: Encoder, pyramid: Encoder, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="has no idea of foreground"):
        saliency_map("encoder", encoder, None)
    save_file({"dense_head.weight": torch.zeros(1, 7)}, tmp_path / "heads.safetensors")
    with pytest.raises(WeightsError, match="for 20 channels"):
        saliency_map("encoder", pyramid, None)
    (tmp_path / "heads.safetensors").unlink()
    with pytest.raises(ConfigError, match="choose another --prior"):
        saliency_map("encoder", pyramid, None)


@settings(max_examples=examples(30))
@given(values=st.lists(st.lists(st.booleans(), min_size=1, max_size=40), min_size=1, max_size=8))
def test_masks_are_read_as_they_were_kept(
    values: list[list[bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("priors") / "deep" / "masks.safetensors"
    save_masks([torch.tensor(each) for each in values], path)
    kept = load_masks(path, len(values))
    assert kept is not None
    assert [mask.tolist() for mask in kept] == values
    assert load_masks(path, len(values) + 1) is None
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_two_fits_may_save_the_same_masks_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, masks = tmp_path / "masks.safetensors", [torch.tensor([True, False])]

    def save_after_another(tensors: dict[str, Tensor]) -> bytes:
        monkeypatch.undo()
        save_masks(masks, path)
        return save(tensors)

    monkeypatch.setattr("heap.fitting.priors.save", save_after_another)
    save_masks(masks, path)
    kept = load_masks(path, 1)
    assert kept is not None
    assert torch.equal(kept[0], masks[0])


def test_masks_that_are_not_whole_are_none(tmp_path: Path) -> None:
    path = tmp_path / "masks.safetensors"
    assert load_masks(path, 2) is None
    save_masks([torch.tensor([True, False]), torch.tensor([False] * 3)], path)
    whole = path.read_bytes()
    others = (
        {"masks": torch.zeros(5, dtype=torch.bool)},
        {"masks": torch.zeros(4, dtype=torch.bool), "lengths": torch.tensor([2, 3])},
    )
    for damaged in (b"", whole[:5], whole[:-1], b"\xff" * 99, *map(save, others)):
        path.write_bytes(damaged)
        assert load_masks(path, 2) is None
    path.write_bytes(whole)
    assert load_masks(path, 2) is not None
