import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scenes import folder_set

from heap.base.errors import InputError
from heap.base.progress import OnProgress
from heap.benchmark.datasets import open_dataset
from heap.benchmark.results import read_results
from heap.benchmark.run.bench import Bench
from heap.benchmark.run.methods import METHODS, MethodCard
from heap.benchmark.run.tuning import Trial, Tuned, read_tuned, tune
from heap.config import FeatureConfig

from .evaluating import HEAD, entry, run

CENTRE = METHODS["centre"]


def search(
    bench: Bench,
    scenes: Path,
    out: Path,
    configurations: int = 4,
    minutes: float = 9.0,
    **more: Any,
) -> Tuned:
    card = more.pop("card", CENTRE)
    data = open_dataset(f"folder:{scenes}")
    return tune(
        card, data, bench, out, configurations=configurations, minutes=minutes, **more
    )  # fmt: skip


def into(seen: list[str]) -> OnProgress:
    return lambda stage, done, total: seen.append(f"{stage} {done}")


def test_the_best_iou_is_chosen(bench: Bench, scenes: Path, tmp_path: Path) -> None:
    tuned = search(bench, scenes, tmp_path / "tuned")
    assert [trial.settings for trial in tuned.trials] == list(CENTRE.grid[:4])
    alone = [
        run(scenes, bench, entry("centre", tmp_path / "alone.json", settings)).protocols
        for settings in CENTRE.grid[:4]
    ]
    found = [(trial.iou, trial.corloc) for trial in tuned.trials]
    assert found == [
        (each["saliency-found-v1"].metrics["iou"].value, each["corloc-found-v1"].metrics["corloc"]
         .value)
        for each in alone
    ]  # fmt: skip
    assert len({iou for iou, _ in found}) == 4, "there is something to choose"
    assert tuned.best.iou == max(iou for iou, _ in found)
    assert tuned.left_out == ()


def test_of_equals_the_first_is_chosen() -> None:
    trials = [
        Trial({"share": share}, iou, 0.5, 1.0) for share, iou in ((1, 0.2), (2, 0.3), (3, 0.3))
    ]
    assert Tuned("centre", tuple(trials), ()).best is trials[1]


def test_the_log_says_all_and_the_settings_serve_evaluate(
    bench: Bench, scenes: Path, tmp_path: Path
) -> None:
    tuned = search(bench, scenes, tmp_path, configurations=3)
    log = json.loads((tmp_path / "tuning.json").read_text())
    assert log["method"] == "centre"
    assert log["criterion"] == {"protocol": "saliency-found-v1", "metric": "iou"}
    assert log["data"] == {"name": "folder", "place": str(scenes), "images": 6}
    assert log["encoder"] == bench.encoder.fingerprint
    assert log["encoder_label"] == bench.encoder_label
    assert log["features"]["resolution"] == 64
    assert (log["budget"], log["seed"]) == ({"configurations": 3, "minutes": 9}, 0)
    assert log["chosen"] == tuned.best.settings
    assert [each["settings"] for each in log["trials"]] == list(CENTRE.grid[:3])
    assert all(each["seconds"] >= 0 for each in log["trials"])
    assert log["left_out"] == []
    settings = read_tuned([tmp_path / "settings.json"])
    assert settings == {"centre": tuned.best.settings}
    again = run(scenes, bench, entry("centre", tmp_path / "a.json", settings["centre"]))
    assert again.protocols["saliency-found-v1"].metrics["iou"].value == tuned.best.iou
    assert read_results(tmp_path / "2.json.gz").method.settings == {"share": 0.5}


FOUND = replace(
    METHODS["found"], grid=tuple({"steps": 3, "threshold": each} for each in (0.3, 0.4, 0.2))
)
"""Learns a model for each of its configurations."""


def test_the_first_is_tried_and_no_more_are_begun_when_the_minutes_are_over(
    bench: Bench, scenes: Path, tmp_path: Path
) -> None:
    hurried = search(bench, scenes, tmp_path, minutes=0.0, card=FOUND)
    assert [trial.settings for trial in hurried.trials] == [FOUND.grid[0]]
    assert hurried.left_out == FOUND.grid[1:]
    log = json.loads((tmp_path / "tuning.json").read_text())
    assert log["left_out"] == list(FOUND.grid[1:])
    assert not (tmp_path / "1-model").exists()
    # With more time the same folder goes on.
    stages: list[str] = []
    tuned = search(bench, scenes, tmp_path, card=FOUND, on_progress=into(stages))
    assert tuned.trials[0] == hurried.trials[0]
    assert [trial.settings for trial in tuned.trials] == list(FOUND.grid)
    assert stages.count("found 3") == 2, "the first was not taught again"
    assert tuned.left_out == ()


def test_what_learns_nothing_is_tried_in_one_pass(
    bench: Bench, scenes: Path, tmp_path: Path
) -> None:
    seen: list[str] = []
    tuned = search(bench, scenes, tmp_path, minutes=0.0, on_progress=into(seen))
    assert len(tuned.trials) == 4
    assert seen == ["configurations 0", *(f"evaluating {number}" for number in range(7))]


@pytest.mark.parametrize("card", [CENTRE, FOUND], ids=["one pass", "one by one"])
def test_a_search_that_was_stopped_goes_on(
    card: MethodCard, scenes: Path, bench: Bench, tmp_path: Path
) -> None:
    seen: list[str] = []

    def stop(stage: str, done: int, total: int | None) -> None:
        seen.append(f"{stage} {done}")
        if seen.count("evaluating 3") == (2 if card is FOUND else 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(bench, scenes, tmp_path / "a", card=card, on_progress=stop)
    assert not (tmp_path / "a" / "tuning.json").exists()
    seen.clear()
    resumed = search(bench, scenes, tmp_path / "a", card=card, on_progress=into(seen))
    rest = [each for each in seen if each.startswith("evaluating")]
    again = [*range(3, 7), *(range(7) if card is FOUND else ())]
    assert rest[-len(again) :] == [f"evaluating {number}" for number in again]
    whole = search(bench, scenes, tmp_path / "b", card=card)
    assert [replace(each, seconds=0.0) for each in resumed.trials] == [
        replace(each, seconds=0.0) for each in whole.trials
    ]
    rows = [read_results(tmp_path / name / "2.json.gz").protocols for name in "ab"]
    assert rows[0] == rows[1]


def test_settings_with_which_nothing_can_be_learned_are_a_trial_that_failed(
    plain_features: FeatureConfig, scenes: Path, tmp_path: Path
) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (40, 40), "green").save(flat / name)
    bench = Bench(plain_features, photos=[str(flat)], cache=tmp_path / "cache", precision="fp32")
    usual = {"head": HEAD, "losses": {"prior": "boundary"}}
    card = replace(METHODS["heap"], grid=tuple({**usual, "fit": {"steps": n}} for n in (2, 3)))
    tuned = search(bench, scenes, tmp_path / "a", card=card)
    assert [(each.iou, each.corloc) for each in tuned.trials] == [(0, 0), (0, 0)]
    assert all("nothing to learn from" in (each.failed or "") for each in tuned.trials)
    assert json.loads((tmp_path / "a" / "tuning.json").read_text())["trials"][1]["failed"]


def test_a_folder_of_another_search_is_refused(bench: Bench, scenes: Path, tmp_path: Path) -> None:
    search(bench, scenes, tmp_path / "a", configurations=1)
    before = (tmp_path / "a" / "tuning.json").read_bytes()
    other = folder_set(tmp_path / "other", 5)
    for change, message in (
        ({"scenes": other}, "data.images (6 -> 5), data.place"),
        ({"card": METHODS["lost"]}, "method ('centre' -> 'lost')"),
        ({"seed": 1}, "seed (0 -> 1)"),
    ):
        with pytest.raises(InputError) as caught:
            search(**{"bench": bench, "scenes": scenes, "out": tmp_path / "a", **change})  # type: ignore[arg-type]
        assert "belongs to another evaluation: " in str(caught.value)
        assert message in str(caught.value)
    assert (tmp_path / "a" / "tuning.json").read_bytes() == before


def test_a_method_that_learns_has_a_model_for_each_configuration(
    bench: Bench, scenes: Path, tmp_path: Path
) -> None:
    tuned = search(bench, scenes, tmp_path, configurations=2, card=FOUND, seed=3)
    assert len(tuned.trials) == 2
    for number, settings in enumerate(FOUND.grid[:2]):
        found = read_results(tmp_path / f"{number}.json.gz").method
        assert found.seed == 3
        assert found.settings.items() >= settings.items()
        assert (tmp_path / f"{number}-model" / "found.safetensors").exists()


def test_a_method_without_a_grid_cannot_be_tuned(
    bench: Bench, scenes: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="method whole has no settings to tune"):
        search(bench, scenes, tmp_path / "a", card=METHODS["whole"])
    assert not (tmp_path / "a").exists()


def test_settings_of_several_methods_are_put_together(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    first.write_text('{"lost": {"patches": 25}, "centre": {}}')
    second.write_text('{"tokencut": {"threshold": 0.1}}')
    assert read_tuned([first, second]) == {
        "lost": {"patches": 25}, "centre": {}, "tokencut": {"threshold": 0.1},
    }  # fmt: skip
    assert read_tuned([]) == {}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("[]", "must hold an object for each method"),
        ('{"lost": 5}', "must hold an object for each method"),
        ('{"tokncut": {}}', "is about 'tokncut', which is no method"),
        (None, "cannot be read"),
    ],
    ids=["torn", "deep", "list", "number", "method", "missing"],
)
def test_settings_that_cannot_be_used(text: str | None, part: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_tuned([path])
    assert str(caught.value).startswith(f"--settings {path} ")
    assert part in str(caught.value)


def test_a_method_has_its_settings_from_one_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"lost": {}}')
    with pytest.raises(InputError, match="is about lost, which another file is too"):
        read_tuned([path, path])
