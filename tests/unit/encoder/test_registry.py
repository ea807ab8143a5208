import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from heap.base.errors import InputError, WeightsError
from heap.config import FeatureConfig
from heap.encoder.registry import (
    CARDS,
    OUTPUT,
    PACKAGED,
    SMALL,
    SMALL_PYRAMID,
    TAUGHT_PYRAMID,
    TAUGHT_TRANSFORMER,
    Recipe,
    is_local,
    packaged_encoder,
    packaged_head,
    recipe,
    resolve,
)


def test_it_imports_neither_torch_nor_transformers() -> None:
    code = (
        "import sys, heap.encoder.registry as registry; registry.resolve('dino-vits8');"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_aliases_become_hub_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEAP_WEIGHTS_DIR", raising=False)
    assert resolve("dino-vits8") == "facebook/dino-vits8"
    assert resolve("dinov2-vitl14-reg") == "facebook/dinov2-with-registers-large"
    assert resolve("dinov3-vits16") == "facebook/dinov3-vits16-pretrain-lvd1689m"
    assert resolve("somebody/their-vit") == "somebody/their-vit"


def test_encoders_of_the_package() -> None:
    assert PACKAGED == ("embedded", "embedded-medium", "embedded-small")
    for alias in PACKAGED:
        assert resolve(alias) == packaged_encoder(alias)
        assert (packaged_encoder(alias) / "model.safetensors").is_file()
        assert (packaged_head(alias) / "model.safetensors").is_file()


def test_folders_are_themselves_and_go_after_aliases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HEAP_WEIGHTS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "dino-vits8", "owner/model"):
        Path(name).mkdir(parents=True)
    assert resolve(str(tmp_path)) == tmp_path
    assert resolve("mine") == Path("mine")
    assert resolve("owner/model") == Path("owner/model")
    assert resolve("dino-vits8") == "facebook/dino-vits8"
    assert resolve("./dino-vits8") == Path("dino-vits8")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("dinov2-vits14", "dinov2-vits14"),
        ("dinov2-vits14", "dinov2-small"),
        ("facebook/dinov2-small", "dinov2-small"),
        ("facebook/dinov2-small", "facebook/dinov2-small"),
    ],
)
def test_weights_put_on_the_machine_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, place: str
) -> None:
    monkeypatch.setenv("HEAP_WEIGHTS_DIR", str(tmp_path))
    assert resolve(name) == "facebook/dinov2-small"
    (tmp_path / place).mkdir(parents=True)
    assert resolve(name) == tmp_path / place


@pytest.mark.parametrize(
    "name",
    ["", "vits", "./missing", "/missing", "../x/y", "a/b/c", "a/", "a b/c", "\0", "-x/y"],
)
def test_names_that_mean_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="heap models"):
        resolve(name)


def test_a_slip_of_the_keyboard_gets_a_suggestion() -> None:
    with pytest.raises(InputError, match="did you mean dino-vits8 or"):
        resolve("dino-vit8")


def test_a_card_is_local_once_its_weights_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEAP_WEIGHTS_DIR", str(tmp_path))
    card = CARDS["dinov3-vitb16"]
    assert not is_local(card)
    (tmp_path / "dinov3-vitb16").mkdir()
    assert not is_local(card)
    (tmp_path / "dinov3-vitb16" / "config.json").write_text("{}")
    assert is_local(card)


def test_every_card_is_known_by_its_alias() -> None:
    assert all(alias == card.alias for alias, card in CARDS.items())
    assert len({card.repo for card in CARDS.values() if card.repo}) == len(CARDS) - len(PACKAGED)


def test_a_recipe_says_which_facet_serves() -> None:
    assert recipe("dino-vits8").features("dino-vits8") == FeatureConfig(encoder="dino-vits8")
    name = "dinov3-convnext-tiny"
    assert recipe(name).features(name) == FeatureConfig(encoder=name, facet="token")


def test_a_recipe_knows_what_pretraining_leaves(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert recipe(folder) == Recipe()
    config = tmp_path / "config.json"
    config.write_text('{"model_type": "vit"}')
    assert recipe(folder) == Recipe()
    config.write_text('{"model_type": "dinov2"}')
    assert recipe(folder) == OUTPUT
    config.write_text('{"model_type": "resnet"}')
    assert recipe(folder) == Recipe(FeatureConfig(facet="token"))
    (tmp_path / "heads.safetensors").write_bytes(b"")
    assert recipe(folder) == CARDS["embedded-small"].recipe == SMALL_PYRAMID
    assert recipe(folder).losses.prior == "encoder"
    config.write_text('{"model_type": "vit"}')
    assert recipe(folder) == SMALL
    assert recipe(folder).features(folder).facet == "key"
    # A student of a teacher alone has nothing to say about foreground.
    config.write_text('{"model_type": "resnet"}')
    save_file({"distill_head.weight": np.zeros((2, 2))}, tmp_path / "heads.safetensors")
    assert recipe(folder) == TAUGHT_PYRAMID
    config.write_text('{"model_type": "dinov2"}')
    assert recipe(folder) == TAUGHT_TRANSFORMER
    assert recipe(folder).losses.prior == "none"
    config.write_text('{"model_type": "resnet"}')
    save_file({"dense_head.weight": np.zeros((1, 2))}, tmp_path / "heads.safetensors")
    assert recipe(folder) == SMALL_PYRAMID
    config.write_text("[")
    with pytest.raises(WeightsError, match=r"config\.json"):
        recipe(folder)


@pytest.mark.parametrize(
    "name", ["dinov2-vits14", "facebook/dinov2-with-registers-base", "dinov3-vitb16"]
)
def test_families_that_train_what_they_give_serve_by_their_output(name: str) -> None:
    """By alias and by hub name."""
    assert recipe(name) == OUTPUT
    assert (OUTPUT.feature_config.facet, OUTPUT.head.centred, OUTPUT.losses.prior) == (
        "output",
        False,
        "auto",
    )


def test_for_the_encoder_of_the_package_the_prior_is_known() -> None:
    own = recipe("embedded")
    assert own.losses.prior == "none"
    assert replace(own, losses=replace(own.losses, prior="auto")) == OUTPUT


def test_others_serve_by_their_keys_and_a_prior() -> None:
    for name in ("dino-vits8", "facebook/dino-vitb16", "somebody/their-vit"):
        assert recipe(name) == Recipe()
    assert (Recipe().feature_config.facet, Recipe().head.centred, Recipe().losses.prior) == (
        "key",
        True,
        "auto",
    )
