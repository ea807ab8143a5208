"""Evaluation by one call of the public face."""

from pathlib import Path

import pytest
from scenes import folder_set

import heap
from heap.base.errors import InputError
from heap.benchmark.results import read_results
from heap.config import FeatureConfig


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"folder:{folder_set(tmp_path_factory.mktemp('scenes'))}"


@pytest.fixture
def features(encoder_folder: Path) -> FeatureConfig:
    return FeatureConfig(encoder=str(encoder_folder), resolution=64)


def test_several_methods_have_a_file_each(
    data: str, features: FeatureConfig, tmp_path: Path
) -> None:
    results = heap.evaluate(
        ["corloc-found-v1", "corloc-found-v1"],
        data=data,
        methods=["centre", "whole", "centre"],
        out=tmp_path / "results",
        features=features,
        settings={"centre": {"share": 0.5}},
        cache=tmp_path / "cache",
        precision="fp32",
    )
    assert [path.name for path in results] == ["centre.json.gz", "whole.json.gz"]
    for path, result in results.items():
        assert read_results(path).protocols == result.protocols
        assert list(result.protocols) == ["corloc-found-v1"]
    assert results[tmp_path / "results" / "centre.json.gz"].method.settings["share"] == 0.5


def test_names_and_places_that_do_not_fit_are_refused_before_the_encoder_is_loaded(
    data: str, tmp_path: Path
) -> None:
    features = FeatureConfig(encoder=str(tmp_path / "no encoder"))
    out = tmp_path / "a.json"
    for protocol, methods, place, complaint in (
        ("corloc", ["centre"], data, "no protocol"),
        ("corloc-found-v1", ["center"], data, "no method"),
        ("corloc-found-v1", ["centre", "whole"], data, "is a file name"),
        ("corloc-found-v1", ["centre"], "voc99:/", "voc99"),
    ):
        with pytest.raises(InputError, match=complaint):
            heap.evaluate([protocol], data=place, methods=methods, out=out, features=features)
    assert not out.exists()
