import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scenes import draw_scene, folder_set

from heap.base.errors import ConfigError, HeapError, InputError
from heap.base.progress import silent
from heap.benchmark.results import read_results
from heap.benchmark.run.bench import Bench
from heap.benchmark.run.learning import ByHead
from heap.config import FeatureConfig
from heap.images import Picture
from heap.methods.finding import Observed
from heap.methods.found import Found
from heap.model.heap import Heap
from heap.model.objects import part_score

from .evaluating import HEAD, SETTINGS, STEPS, entry, run, scores

LEARNED = ("heap", "heap-alone", "heap-self", "found", "found-solver")


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def refused(bench: Bench, *arguments: Any, **options: Any) -> str:
    with pytest.raises(HeapError) as caught:
        bench.learn(entry(*arguments, **options), silent)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.fixture(scope="module")
def models(bench: Bench, scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A result of each method that learns, its model beside it; not to be changed."""
    folder = tmp_path_factory.mktemp("learned")
    for name in LEARNED:
        run(scenes, bench, entry(name, folder / f"{name}.json"))
    return {name: folder / f"{name}.json" for name in LEARNED}


@pytest.mark.parametrize("name", LEARNED)
def test_a_model_is_made_once_and_serves_another_data_set(
    name: str, models: dict[str, Path], bench: Bench, tmp_path: Path
) -> None:
    model = models[name].with_name(f"{name}-model")
    before = files(model)
    stages = set()
    first = read_results(models[name])
    other = folder_set(tmp_path / "other", 2)
    second = run(other, bench, entry(name, tmp_path / "a.json", model=model))
    assert files(model) == before
    assert second.method == first.method
    assert first.method.fit is not None
    assert first.method.fit["images"] == 6
    if name.startswith("found"):
        assert first.method.fit["parameters"] == 24 + 1
    assert first.method.fit["seconds"] >= 0
    assert first.method.seed == 0
    third = entry(name, tmp_path / "b.json", model=model)
    bench.learn(third, lambda stage, *_: stages.add(stage))
    assert stages == set(), "nothing was taught"
    assert len(second.rows) == 2


@pytest.mark.parametrize("name", ["heap", "found"])
def test_a_model_that_was_made_otherwise_is_refused(
    name: str,
    models: dict[str, Path],
    bench: Bench,
    plain_features: FeatureConfig,
    photos: Path,
    tmp_path: Path,
) -> None:
    model = models[name].with_name(f"{name}-model")
    out, usual = tmp_path / "a.json", SETTINGS[name]
    assert "made otherwise: seed (0 -> 1)" in refused(bench, name, out, seed=1, model=model)
    changed = {**usual, "threshold": 0.5} if name == "found" else {**usual, "head": {}}
    message = refused(bench, name, out, changed, model=model)
    assert "made otherwise: settings." in message
    assert str(model) in message
    larger = replace(plain_features, resolution=96)
    other = Bench(larger, photos=bench.photos, cache=tmp_path, precision="fp32")
    assert "made otherwise: features" in refused(other, name, out, model=model)
    elsewhere = Bench(plain_features, photos=[str(photos)], cache=tmp_path, precision="fp32")
    assert "has learned from" in refused(elsewhere, name, out, model=model)


def test_without_images_to_learn_from_a_model_is_used_but_not_made(
    models: dict[str, Path], plain_features: FeatureConfig, tmp_path: Path
) -> None:
    bare = Bench(plain_features, cache=tmp_path, precision="fp32")
    for name in LEARNED:
        model = models[name].with_name(f"{name}-model")
        assert bare.learn(entry(name, tmp_path / "a.json", model=model), silent).seed == 0
        message = refused(bare, name, tmp_path / "a.json", model=tmp_path / "none")
        assert message.startswith(f"there is no model in {tmp_path / 'none'} yet: ")
        assert message.endswith("with --fit")
        message = refused(bare, name, tmp_path / "a.json", model=None)
        assert message == "this method learns: name the folder of its model with --model"
    assert not (tmp_path / "none").exists()


def test_seeds_make_models_and_are_recorded(
    models: dict[str, Path], bench: Bench, scenes: Path, tmp_path: Path
) -> None:
    for name in ("heap", "found"):
        first = read_results(models[name])
        own = entry(name, tmp_path / f"{name}.json", seed=1)
        second = run(scenes, bench, own)
        assert (first.method.seed, second.method.seed) == (0, 1)
        assert scores(first) != scores(second)
    again = run(scenes, bench, replace(own, model=tmp_path / "again"))
    assert scores(again) == scores(second)
    made = json.loads((tmp_path / "heap-model" / "config.json").read_text())
    assert made["provenance"]["fit"]["seed"] == 1


@pytest.mark.parametrize(
    ("name", "settings", "part"),
    [
        ("heap", {"head": {"grops": 4}}, "grops = 4"),
        ("heap", {"heads": {}}, "heads = {}"),
        ("heap", {"fit": {"steps": 0}}, "steps = 0"),
        ("heap-alone", {"losses": {"prior": "seed"}}, "HEAP with prior = 'none'; for others"),
        ("heap-self", {"losses": {"prior": "none"}}, "HEAP with prior = 'self'; for others"),
        ("found", {"steps": 0}, "steps = 0"),
    ],
)
def test_wrong_settings_of_a_method_that_learns(
    name: str, settings: dict[str, Any], part: str, bench: Bench, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        bench.learn(entry(name, tmp_path / "a.json", settings), silent)
    assert part in str(caught.value)
    assert list(tmp_path.iterdir()) == [], "nothing was begun"


@pytest.fixture(scope="module")
def cued(feature_config: FeatureConfig, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """With the features that `model_folder` was fitted on."""
    return Bench(feature_config, cache=tmp_path_factory.mktemp("cued"), precision="fp32")


def test_a_model_of_heap_fit_finds_what_it_finds_anywhere(
    cued: Bench, model_folder: Path, heap: Heap, scenes: Path, pictures: list[Picture],
    tmp_path: Path,
) -> None:  # fmt: skip
    chosen = entry("heap", tmp_path / "a.json", {}, model=model_folder, seed=5)
    learned = cued.learn(chosen, silent)
    for picture, result in zip(pictures[:3], heap(pictures[:3]), strict=True):
        finding = learned.method(Observed(cued.see(picture).features, picture.pixels))
        assert np.allclose(finding.saliency, result.saliency, atol=0.02)
        assert finding.label_map is not None
        assert (finding.label_map == result.regions.label_map).mean() > 0.95
    results = run(scenes, cued, chosen)
    assert results.method.seed == 0, "that of the model, whatever else was asked for"
    weights = sum(weight.numel() for weight in heap.head.parameters())
    assert results.method.fit == {"images": 12, "parameters": weights}
    assert results.method.settings["losses"]["prior"] == "boundary"
    assert results.method.settings["head"]["groups"] == 4
    assert not (model_folder / "learned.json").exists()


def test_a_head_reports_objects_of_any_score_and_guesses(
    cued: Bench, model_folder: Path, pictures: list[Picture], tmp_path: Path
) -> None:
    """What `heap discover` leaves out is scored, for a head that would leave out nearly all."""
    strict = shutil.copytree(model_folder, tmp_path / "model")
    config = json.loads((strict / "config.json").read_text())
    config["head"]["min_score"] = 0.9
    (strict / "config.json").write_text(json.dumps(config))
    method = cued.learn(entry("heap", tmp_path / "a.json", {}, model=strict), silent).method
    assert isinstance(method, ByHead)
    assert method.heap.defaults.min_score == 0.9
    low = 0
    for picture in pictures:
        features = cued.see(picture).features
        finding = method(Observed(features, picture.pixels))
        objectness = method.heap.analyse(features).objectness
        for each in finding.objects:
            score = part_score(finding.saliency, objectness, each.cells)
            assert each.score == pytest.approx(score)
            low += each.score < 0.9
        assert 1 <= len(finding.proposals) <= 30
        scores = [each.score for each in finding.proposals]
        assert scores == sorted(scores, reverse=True)
        assert all(0 < score < 0.1 for score in scores)
    assert low >= len(pictures)


def test_a_model_of_heap_fit_is_not_called_what_it_is_not(
    cued: Bench, bench: Bench, model_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.json"
    for name, prior in (("heap-alone", "none"), ("heap-self", "self")):
        message = refused(cued, name, out, {}, model=model_folder)
        assert f"was fitted with the prior 'boundary', not '{prior}';" in message
        assert message.endswith("evaluate it as method heap")
    message = refused(cued, "heap", out, {"head": {"groups": 9}}, model=model_folder)
    assert "was fitted with other settings: head.groups (4 -> 9);" in message
    cued.learn(entry("heap", out, {"head": {"groups": 4}}, model=model_folder), silent)
    message = refused(bench, "heap", out, {}, model=model_folder)
    assert "was fitted on other features: cue" in message


def test_a_model_of_another_encoder_is_refused(
    cued: Bench, model_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["encoder_fingerprint"] = "0" * 64
    (folder / "config.json").write_text(json.dumps(config))
    assert "another encoder" in refused(cued, "heap", tmp_path / "a.json", {}, model=folder)


def test_a_released_decoder_of_found_can_be_evaluated(
    bench: Bench, scenes: Path, tmp_path: Path
) -> None:
    decoder = torch.nn.Conv2d(24, 1, 1)
    torch.save(decoder.state_dict(), tmp_path / "decoder.pt")
    chosen = entry("found", tmp_path / "a.json", {}, model=tmp_path / "decoder.pt")
    method = bench.learn(chosen, silent).method
    assert isinstance(method, Found)
    assert torch.equal(method.layer.linear.weight, decoder.weight.detach().reshape(1, 24))
    results = run(scenes, bench, chosen)
    assert results.method.settings == {"decoder": "decoder.pt"}
    assert (results.method.seed, results.method.fit) == (None, None)


def test_what_a_head_finds_is_scored_and_in_regions(
    models: dict[str, Path], bench: Bench, scenes: Path, tmp_path: Path
) -> None:
    """On scenes this simple even random features are enough."""
    found = read_results(models["heap"])
    value = found.protocols["saliency-found-v1"].metrics["iou"].value
    assert value is not None
    assert value > 0.5
    assert found.method.settings["head"]["groups"] == HEAD["groups"]
    assert found.method.settings["fit"]["steps"] == STEPS["steps"]
    assert found.method.settings["losses"]["prior"] == "boundary"
    for name, prior in (("heap-alone", "none"), ("heap-self", "self")):
        assert read_results(models[name]).method.settings["losses"]["prior"] == prior
    assert draw_scene(0)[1].any()


def test_images_to_learn_from_that_cannot_be_used_are_an_error(
    plain_features: FeatureConfig, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"no image")
    for photos in (tmp_path / "photos", tmp_path / "nowhere"):
        bench = Bench(plain_features, photos=[str(photos)], cache=tmp_path, precision="fp32")
        for name in ("heap", "found"):
            with pytest.raises(InputError):
                bench.learn(entry(name, tmp_path / f"{photos.name}.json"), silent)
