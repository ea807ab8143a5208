"""Scores of heads by `heap evaluate`, against the scoring of runs; fits by a recipe."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from benchmarks.heads import recipe_of, score_head
from benchmarks.scoring import read, score_saliency
from PIL import Image

from heap.benchmark.datasets import open_dataset
from heap.features.describe import describe
from heap.model.saved import read_config

if TYPE_CHECKING:
    from heap.config import FeatureConfig
    from heap.model.heap import Heap


@pytest.fixture
def data(tmp_path: Path, photos: Path) -> Path:
    """Three photos with a rectangle for a mask."""
    root = tmp_path / "data"
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for photo in sorted(photos.iterdir())[:3]:
        (root / "images" / photo.name).write_bytes(photo.read_bytes())
        with Image.open(photo) as image:
            mask = np.zeros((image.height, image.width), np.uint8)
        mask[mask.shape[0] // 3 :, mask.shape[1] // 4 :] = 255
        Image.fromarray(mask).save(root / "masks" / f"{photo.stem}.png")
    return root


def test_a_head_is_scored_as_a_run_is(
    data: Path, heap: "Heap", model_folder: Path, feature_config: "FeatureConfig", tmp_path: Path
) -> None:
    scores = score_head(tmp_path / "a.json", feature_config, f"folder:{data}", model=model_folder)
    examples = open_dataset(f"folder:{data}").examples
    assert scores.keys() == {example.key for example in examples}
    for example in examples:
        picture, truth = read(example)
        (features,) = describe(heap.encoder, [picture], feature_config)
        ours = score_saliency(heap.analyse(features).saliency, picture, truth)
        # Features are kept in half precision.
        assert scores[example.key] == pytest.approx(ours, abs=0.02)


def test_a_head_is_fitted_by_the_recipe_of_another_one(
    data: Path, model_folder: Path, feature_config: "FeatureConfig", photos: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(read_config(model_folder))
    recipe["fit"] = recipe["fit"] | {"steps": 3, "seed": 9}
    model = tmp_path / "model"
    score_head(
        tmp_path / "a.json",
        feature_config,
        f"folder:{data}",
        settings={"heap": recipe},
        seeds=[1],
        fit=[str(photos)],
        model=model,
        limit=1,
    )
    again = recipe_of(read_config(model))
    assert again == recipe | {"fit": recipe["fit"] | {"seed": 1}}
