"""Regions made of patches: by hand, against scikit-learn, and what holds of any image."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering

from heap.model import regions
from heap.model.regions import make_regions, merge_patches

EAST, NORTH = (1.0, 0.0), (0.0, 1.0)


def draw(seed: int, patches: int, dim: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(patches, dim, generator=generator)
    return features, torch.rand(patches, generator=generator)


def test_what_is_alike_but_for_the_foreground_is_two() -> None:
    patches = torch.tensor([EAST, NORTH, EAST, EAST, NORTH, EAST])
    saliency = torch.tensor([0.9, 0.0, 0.1, 0.9, 0.0, 0.1])
    assert merge_patches(patches, saliency, 3).tolist() == [0, 1, 2, 0, 1, 2]
    # 0.8 apart by their saliency, where east and north are 1.4 apart.
    assert merge_patches(patches, saliency, 2).tolist() == [0, 1, 0, 0, 1, 0]


def test_only_the_direction_of_features_counts() -> None:
    patches, saliency = draw(0, 40)
    longer = patches * torch.linspace(0.1, 9, 40)[:, None]
    first, second = merge_patches(patches, saliency, 6), merge_patches(longer, saliency, 6)
    np.testing.assert_array_equal(first, second)


@given(st.integers(0, 99), st.integers(2, 60), st.integers(2, 20))
def test_it_is_ward_s_hierarchy_of_scikit_learn(seed: int, count: int, most: int) -> None:
    patches, saliency = draw(seed, count)
    ours = merge_patches(patches, saliency, most)
    directions = torch.nn.functional.normalize(patches, dim=-1)
    points = torch.cat([directions, saliency[:, None]], dim=1).double().numpy()
    theirs = AgglomerativeClustering(min(most, count), linkage="ward").fit_predict(points)
    assert len(set(zip(ours.tolist(), theirs.tolist(), strict=True))) == len(set(ours.tolist()))
    assert len(set(theirs.tolist())) == len(set(ours.tolist()))


@given(st.integers(0, 99))
def test_fewer_regions_are_unions_of_more(seed: int) -> None:
    patches, saliency = draw(seed, 80)
    fine, coarse = merge_patches(patches, saliency, 12), merge_patches(patches, saliency, 5)
    assert len(set(zip(fine.tolist(), coarse.tolist(), strict=True))) == 12


def test_many_patches_join_the_regions_of_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    centres = torch.eye(3).repeat(70, 1)
    patches = centres + 0.05 * draw(1, 210, 3)[0]
    monkeypatch.setattr(regions, "_SAMPLE", 50)
    labels = merge_patches(patches, torch.zeros(210), 3)
    np.testing.assert_array_equal(labels, np.tile([0, 1, 2], 70))


def test_regions_have_the_means_of_their_patches() -> None:
    patches = torch.tensor([EAST, (2.0, 0.0), NORTH, (0.0, 3.0), NORTH, NORTH])
    saliency = torch.tensor([0.6, 1.0, 0.0, 0.2, 0.1, 0.1])
    result = make_regions(patches, saliency, (2, 3), 2)
    assert result.label_map.tolist() == [[0, 0, 1], [1, 1, 1]]
    np.testing.assert_allclose(result.embeddings, [[1.5, 0], [0, 1.5]])
    np.testing.assert_allclose(result.scores, [0.8, 0.1], rtol=1e-6)
    np.testing.assert_allclose(result.areas, [1 / 3, 2 / 3], rtol=1e-6)


def test_a_single_patch_is_a_region() -> None:
    result = make_regions(torch.ones(1, 4), torch.ones(1), (1, 1), 12)
    assert result.label_map.tolist() == [[0]]
    assert result.areas.tolist() == [1]
