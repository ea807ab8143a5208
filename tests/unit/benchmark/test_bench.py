from pathlib import Path

import numpy as np
import pytest
import torch

from heap.base.errors import ConfigError
from heap.base.progress import silent
from heap.benchmark.run.bench import Bench
from heap.config import FeatureConfig
from heap.features.describe import describe
from heap.images import Picture
from heap.methods.tokencut import TokenCut

from .evaluating import entry


@pytest.fixture
def fresh(plain_features: FeatureConfig, tmp_path: Path) -> Bench:
    return Bench(plain_features, cache=tmp_path, precision="fp32")


@pytest.mark.fault("F36")
def test_features_are_the_same_fresh_and_from_the_store(
    fresh: Bench, pictures: list[Picture]
) -> None:
    first, again = fresh.see(pictures[0]), fresh.see(pictures[0])
    assert first.seconds is not None
    assert first.seconds > 0
    assert again.seconds is None, "they were there already"
    [exact] = describe(fresh.encoder, pictures[:1], fresh.features)
    for one, two in zip(first[:1], again[:1], strict=True):
        assert torch.equal(one.patches, two.patches)
        assert torch.equal(one.cls_attention, two.cls_attention)
        assert torch.equal(one.patches, exact.patches.half().float())
        assert one.grid == two.grid == exact.grid


def test_the_store_is_that_of_heap_fit(fresh: Bench, pictures: list[Picture]) -> None:
    fresh.see(pictures[0])
    assert pictures[0].digest in fresh.store
    kept = fresh.store.get(pictures[0].digest)
    assert kept is not None
    assert kept.boundary is not None, "a prior may need it"


def test_a_method_that_learns_nothing_is_its_settings(fresh: Bench, tmp_path: Path) -> None:
    learned = fresh.learn(entry("tokencut", tmp_path / "a.json", {"threshold": 0.4}), silent)
    assert learned.method == TokenCut(threshold=0.4)
    assert learned.settings["threshold"] == 0.4
    assert (learned.fit, learned.seed) == (None, None)
    with pytest.raises(ConfigError, match=r"threshold = 4"):
        fresh.learn(entry("tokencut", tmp_path / "a.json", {"threshold": 4}), silent)


def test_the_encoder_is_called_as_it_is_asked_to_be(
    plain_features: FeatureConfig, tmp_path: Path
) -> None:
    named = Bench(plain_features, encoder_label="tiny", cache=tmp_path, precision="fp32")
    assert named.encoder_label == "tiny"
    plain = Bench(plain_features, cache=tmp_path, precision="fp32")
    assert plain.encoder_label == Path(plain_features.encoder).name
    assert np.isclose(plain.encoder.mean.sum().item(), named.encoder.mean.sum().item())
