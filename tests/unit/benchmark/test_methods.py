from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heap.base.errors import ConfigError, InputError
from heap.benchmark.run.bench import Bench
from heap.benchmark.run.methods import CONFIGURATIONS, METHODS, MethodCard, find_method
from heap.config import FitConfig, HeadConfig, LossConfig, from_dict
from heap.images import Source, decode
from heap.methods.finding import THRESHOLD, Observed

from .evaluating import entry

CARDS = pytest.mark.parametrize("card", METHODS.values(), ids=list(METHODS))


@CARDS
def test_what_is_tuned_over_can_be_set_and_begins_with_the_usual(card: MethodCard) -> None:
    made = [asdict(card.settings(settings)) for settings in card.grid]
    assert made[:1] in ([], [asdict(card.settings({}))])
    assert all(one not in made[:place] for place, one in enumerate(made)), "tried twice"
    for settings in made if card.name.startswith("heap") else ():
        from_dict(HeadConfig, settings["head"])
        from_dict(LossConfig, settings["losses"])
        from_dict(FitConfig, settings["fit"])


def test_every_method_has_as_many_to_try() -> None:
    """A search of more settings is a better one."""
    assert {len(card.grid) for card in METHODS.values()} == {0, CONFIGURATIONS}
    assert [name for name, card in METHODS.items() if not card.grid] == ["whole"]


@pytest.mark.parametrize(
    ("name", "low", "high"), [("tokencut", 0.1, 0.9), ("found", 0.2, 0.8), ("found-seed", 0.2, 0.8)]
)
def test_thresholds_reach_from_weak_features_to_keys_that_are_all_alike(
    name: str, low: float, high: float
) -> None:
    card = METHODS[name]
    tried = {asdict(card.settings(settings))["threshold"] for settings in card.grid}
    assert {low, 0.4, high} <= tried
    assert min(tried) <= low
    assert max(tried) >= high


@CARDS
def test_settings_that_do_not_exist_are_refused(card: MethodCard) -> None:
    with pytest.raises(ConfigError, match="treshold"):
        card.settings({"treshold": 0.5})


def test_settings_cannot_make_a_method_another_one() -> None:
    assert METHODS["found-solver"].settings({"solver": True}).solver
    with pytest.raises(ConfigError, match="found is the one with solver = False"):
        METHODS["found"].settings({"solver": True})


def test_wrong_names_are_answered_with_near_ones() -> None:
    with pytest.raises(InputError, match="there is no method 'tokncut'; did you mean tokencut"):
        find_method("tokncut")
    with pytest.raises(InputError, match="`heap methods` lists them"):
        find_method("???")
    assert find_method("whole") is METHODS["whole"]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The smallest image, the thinnest ones, one of a single colour, and one of noise."""
    folder = tmp_path_factory.mktemp("odd")
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    shapes = {"dot": noise[:1, :1], "row": noise[:1], "column": noise[:, :1], "noise": noise}
    for name, pixels in {**shapes, "flat": np.full_like(noise, 90)}.items():
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return sorted(folder.iterdir())


@CARDS
def test_every_method_finds_something_sane_in_any_image(
    card: MethodCard, bench: Bench, odd: list[Path], tmp_path: Path
) -> None:
    method = bench.learn(entry(card.name, tmp_path / "a.json"), lambda *_: None).method
    for path in odd:
        picture = decode(Source(path.name, str(path)))
        features = bench.see(picture).features
        finding = method(Observed(features, picture.pixels))
        assert finding.saliency.shape == features.grid
        assert (finding.label_map is not None) == card.regions
        if finding.label_map is not None:
            assert finding.region_embeddings is not None
            numbers = range(len(finding.region_embeddings))
            assert np.unique(finding.label_map).tolist() == list(numbers)
        assert 0 <= finding.saliency.min() <= finding.saliency.max() <= 1
        covered = np.zeros(features.grid, dtype=int)
        for each in finding.objects:
            assert each.cells.any()
            assert 0 <= each.score <= 1
            covered += each.cells
        assert covered.max() <= 1, "objects are disjoint"
        assert not (covered.astype(bool) & (finding.saliency <= THRESHOLD)).any()
        ranked = [each.score for each in finding.objects]
        assert ranked == sorted(ranked, reverse=True)
        guessed = [each.score for each in finding.proposals]
        assert guessed == sorted(guessed, reverse=True)
        assert all(0 < score < 0.1 for score in guessed)
        assert all(each.cells.any() for each in finding.proposals)
