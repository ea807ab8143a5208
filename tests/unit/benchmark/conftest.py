"""A data set of drawn scenes, and a bench with the tiny encoder to evaluate on it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from scenes import folder_set

from heap.benchmark.run.bench import Bench
from heap.config import FeatureConfig
from heap.methods.found import FoundRecipe


@pytest.fixture(scope="module", autouse=True)
def _quick_lessons() -> Iterator[None]:
    """A few steps of a few images teach the layer between HEAP's own masks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("heap.fitting.priors.FoundRecipe", partial(FoundRecipe, steps=30))
        patch.setattr("heap.methods.found.BATCH", 6)
        yield


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images with masks, for `folder:`; not to be changed."""
    return folder_set(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="session")
def plain_features(encoder_folder: Path) -> FeatureConfig:
    """Features without cues: FOUND's seed needs those of the attention heads."""
    return FeatureConfig(encoder=str(encoder_folder), resolution=64)


@pytest.fixture(scope="session")
def bench(
    plain_features: FeatureConfig, scenes: Path, tmp_path_factory: pytest.TempPathFactory
) -> Bench:
    """The tiny encoder, with the scenes to learn from."""
    cache = tmp_path_factory.mktemp("features")
    return Bench(plain_features, photos=[str(scenes / "images")], cache=cache, precision="fp32")
