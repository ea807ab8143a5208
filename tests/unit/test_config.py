import json
from dataclasses import FrozenInstanceError, asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heap.base.errors import ConfigError
from heap.config import (
    DiscoverConfig,
    FeatureConfig,
    FitConfig,
    HeadConfig,
    LossConfig,
    differing_keys,
    from_dict,
)
from heap.pretraining.config import PretrainConfig

KINDS = [FeatureConfig, HeadConfig, LossConfig, FitConfig, DiscoverConfig, PretrainConfig]


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_survive_json(kind: type) -> None:
    assert from_dict(kind, json.loads(json.dumps(asdict(kind())))) == kind()
    assert from_dict(kind, {}) == kind()


@pytest.mark.fault("F24")
@pytest.mark.parametrize("kind", KINDS)
def test_unknown_keys_are_refused_by_name(kind: type) -> None:
    with pytest.raises(
        ConfigError, match=f"{kind.__name__}: colour = 'red': there is no such setting"
    ):
        from_dict(kind, {"colour": "red"})
    with pytest.raises(ConfigError, match="__class__"):
        from_dict(kind, {"__class__": "os.system"})


def test_wrong_settings_are_refused_in_words_where_they_are_made() -> None:
    with pytest.raises(ConfigError, match=r"^FitConfig: steps = 0: it has to be greater than"):
        FitConfig(steps=0)
    with pytest.raises(ConfigError, match=r"^FeatureConfig: square and native are two sizes"):
        FeatureConfig(square=True, native=True)
    with pytest.raises(ConfigError, match=r"^DiscoverConfig: colour = 1: there is no such setting"):
        DiscoverConfig(colour=1)  # type: ignore[call-arg]


def test_numbers_of_numpy_are_numbers() -> None:
    assert FitConfig(steps=np.int64(3)).steps == 3  # type: ignore[arg-type]
    values = {"proposals": np.uint8(2), "min_score": np.float64(0.5)}
    assert from_dict(DiscoverConfig, values) == DiscoverConfig(proposals=2, min_score=0.5)
    with pytest.raises(ConfigError, match=r"proposals = 2\.5: it has to be a valid integer"):
        from_dict(DiscoverConfig, {"proposals": np.float32(2.5)})


def test_the_configuration_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        FitConfig().steps = 3  # type: ignore[misc]  # that is the point


BAD: list[tuple[type, str, Any]] = [
    (FeatureConfig, "resolution", 31),
    (FeatureConfig, "resolution", 4097),
    (FeatureConfig, "resolution", "448"),
    (FeatureConfig, "facet", "query"),
    (FeatureConfig, "square", 1),
    (FeatureConfig, "cues", ["colour", "smell"]),
    (FeatureConfig, "cues", "colour"),
    (FeatureConfig, "cue_weight", -0.1),
    (FeatureConfig, "encoder", 5),
    (HeadConfig, "groups", 1),
    (HeadConfig, "groups", 10**9),
    (HeadConfig, "groups", 3.5),
    (HeadConfig, "groups", True),
    (HeadConfig, "groups", None),
    (HeadConfig, "temperature", 0),
    (HeadConfig, "mlp_ratio", -2.0),
    (LossConfig, "intra", -1.0),
    (LossConfig, "intra_form", "cut"),
    (LossConfig, "correlation_shift", 1.1),
    (LossConfig, "prior", "magic"),
    (LossConfig, "intra_patches", 0),
    (FitConfig, "patches", 0),
    (HeadConfig, "min_score", 1.01),
    (HeadConfig, "cut", 1.5),
    (DiscoverConfig, "min_score", -0.01),
    (DiscoverConfig, "proposals", -1),
    (DiscoverConfig, "proposals", 101),
    (FitConfig, "steps", 0),
    (FitConfig, "batch", 1),
    (FitConfig, "learning_rate", 0.0),
    (FitConfig, "learning_rate", "fast"),
    (FitConfig, "seed", -1),
    (DiscoverConfig, "threshold", 1.01),
    (DiscoverConfig, "merge", -1.5),
    (DiscoverConfig, "min_area", -0.01),
    (DiscoverConfig, "chunk", 0),
    (DiscoverConfig, "save", ["videos"]),
    (DiscoverConfig, "refine", "yes"),
]


@pytest.mark.fault("F24")
@pytest.mark.parametrize(("kind", "key", "value"), BAD)
def test_a_bad_value_is_refused_by_key_and_value(kind: type, key: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        from_dict(kind, {key: value})
    assert f"{kind.__name__}: {key}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("steps", 0),
        ("minutes", 0.0),
        ("minutes", float("nan")),
        ("batch", 1),
        ("crop", 31),
        ("crop", 1025),
        ("local_crop", 16),
        ("last_crop", 8),
        ("crop_area", 1.5),
        ("global_crops", 0),
        ("local_crops", -1),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("weight_decay", float("inf")),
        ("teacher_momentum", 1.0),
        ("prototypes", 10**7),
        ("patch_weight", -1.0),
        ("distill_weight", -1.0),
        ("teacher_resolution", 16),
        ("ridge", 0.0),
        ("trust", 1.1),
        ("seed", -1),
        ("seed", 2**32),
    ],
)
def test_pretraining_checks_its_own_values(key: str, value: Any) -> None:
    """A machine without pydantic has them checked too."""
    with pytest.raises(ConfigError) as caught:
        PretrainConfig(**{key: value})
    assert str(caught.value) == f"PretrainConfig: out of range: {key} = {value!r}"
    if value == value and abs(value) < float("inf"):
        with pytest.raises(ConfigError, match=f"PretrainConfig: out of range: {key} = "):
            from_dict(PretrainConfig, {key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [("steps", 3.5), ("steps", True), ("batch", "many"), ("seed", None), ("minutes", "ten"),
     ("architecture", 5)],
)  # fmt: skip
def test_wrong_types_are_refused_of_pretraining_too(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"PretrainConfig: {key} = "):
        from_dict(PretrainConfig, {key: value})


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(ConfigError, match=r"steps = 0.*batch = 'many'"):
        from_dict(FitConfig, {"steps": 0, "batch": "many"})
    with pytest.raises(ConfigError, match=r"out of range: steps = 0, batch = 1$"):
        PretrainConfig(steps=0, batch=1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), object(), {1}])
def test_numbers_that_are_none_are_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match="not plain JSON"):
        from_dict(FitConfig, {"learning_rate": value})


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (HeadConfig, {"width": 64, "heads": 3}, "width 64 is not a multiple of heads 3"),
        (
            PretrainConfig,
            {"image_weight": 0, "patch_weight": 0, "dense_weight": 0},
            "PretrainConfig: all weights of losses are 0",
        ),
        (
            PretrainConfig,
            {"image_weight": 1.0, "global_crops": 1, "local_crops": 0},
            "PretrainConfig: the image loss compares crops",
        ),
    ],
)
def test_values_that_do_not_go_together(kind: type, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_dict(kind, values)


@given(
    st.builds(
        dict,
        steps=st.integers(1, 1_000_000),
        learning_rate=st.floats(1e-9, 1e6),
        seed=st.integers(0, 2**32 - 1),
    )
)
def test_what_is_in_range_is_taken_as_it_is(values: dict[str, Any]) -> None:
    made = asdict(from_dict(FitConfig, values))
    assert {key: made[key] for key in values} == values


def test_differing_keys_by_hand() -> None:
    old = {"a": 1, "b": {"c": [1, 2], "d": 2}, "gone": 0}
    new = {"a": 1, "b": {"c": [1, 3], "d": 2}, "new": None, "other": 5}
    assert differing_keys(old, old) == []
    assert differing_keys(old, new) == [
        "b.c ([1, 2] -> [1, 3])",
        "gone (0 -> None)",
        "other (None -> 5)",
    ]
    assert differing_keys({"b": {"c": 1}}, {"b": 1}) == ["b ({'c': 1} -> 1)"]
