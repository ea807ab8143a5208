"""Which encoders there are to be had, without a network."""

from pathlib import Path

import pytest

from heap.base.errors import InputError
from heap.encoder import getting, hub
from heap.encoder.getting import BY_STRENGTH, UNGATED, describe_terms, stronger_than
from heap.encoder.registry import CARDS, card_of


def test_every_card_has_a_strength_and_every_gated_one_a_substitute() -> None:
    assert sorted(BY_STRENGTH) == sorted(CARDS)
    gated = {alias for alias, card in CARDS.items() if "accepted" in card.note}
    assert gated == {*UNGATED}
    assert not gated & {*UNGATED.values()}


def test_terms_are_told_by_alias_and_by_name_on_the_hub(tmp_path: Path) -> None:
    told = "facebook/dinov2-small: Apache-2.0, 22.1 M parameters"
    assert describe_terms("dinov2-vits14") == describe_terms("facebook/dinov2-small") == told
    assert "DINOv3 License" in describe_terms("dinov3-vits16")
    assert describe_terms("owner/tiny").startswith("owner/tiny: for its licence see http")
    assert describe_terms(str(tmp_path)).endswith("a folder of your own")
    with pytest.raises(InputError, match="there is no encoder 'dinov2'"):
        describe_terms("dinov2")


def test_the_embedded_one_is_here() -> None:
    got = getting.get_encoder("embedded")
    assert not got.fresh
    assert (got.folder / "config.json").is_file()
    assert got.megabytes > 1


def test_the_strongest_of_those_on_the_machine_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "cached_folder", lambda repo: None)
    monkeypatch.setenv("HEAP_WEIGHTS_DIR", str(tmp_path))
    assert stronger_than("embedded") is None
    for name in ("dino-vits16", "dinov2-small"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").touch()
    small = card_of("dinov2-vits14")
    assert stronger_than("embedded") == stronger_than("dino-vits8") == small
    assert stronger_than("dinov2-vits14") is None
    assert stronger_than("facebook/dinov2-base") is None
    assert stronger_than("owner/tiny") is None
