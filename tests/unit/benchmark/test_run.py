import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scenes import coco_set, draw_scene, folder_set, voc_set

from heap.base.errors import ConfigError, FitError, InputError
from heap.base.progress import silent
from heap.benchmark.datasets import open_dataset
from heap.benchmark.protocols import PROTOCOLS
from heap.benchmark.results import Metric, Results, read_results
from heap.benchmark.run.bench import Bench
from heap.benchmark.run.evaluate import Task, score_methods
from heap.config import FeatureConfig
from heap.images import Source, decode
from heap.methods.finding import Observed

from .evaluating import entry, run, scores, task

SIX = [f"{number:02d}.png" for number in range(6)]
SEMANTIC = ("retrieval", "clustering", "regions")
"""Tasks of which all or some need classes."""


@pytest.fixture
def album(scenes: Path, tmp_path: Path) -> Path:
    """A copy of the scenes that a test may spoil."""
    return shutil.copytree(scenes, tmp_path / "album")


def spoil(album: Path, *numbers: int) -> None:
    for number in numbers:
        (album / "images" / SIX[number]).write_bytes(b"no image")


def mend(album: Path, *numbers: int) -> None:
    for number in numbers:
        Image.fromarray(draw_scene(number)[0]).save(album / "images" / SIX[number])


def test_a_score_is_that_of_the_method_on_the_image(
    bench: Bench, scenes: Path, tmp_path: Path
) -> None:
    """Done again here by hand, without run, outcome and protocol."""
    results = run(scenes, bench, entry("tokencut", tmp_path / "a.json"))
    assert list(scores(results)) == SIX
    method = bench.learn(entry("tokencut", tmp_path / "b.json"), silent).method
    ious = []
    for number, name in enumerate(SIX):
        truth = draw_scene(number)[1] > 0
        picture = decode(Source(name, str(scenes / "images" / name)))
        saliency = method(Observed(bench.see(picture).features, picture.pixels)).saliency
        size = truth.shape[1], truth.shape[0]
        smooth = np.asarray(Image.fromarray(saliency).resize(size, Image.Resampling.BILINEAR))
        found = smooth > 0.5
        ious.append((found & truth).sum() / (found | truth).sum())
        assert scores(results)[name]["saliency-found-v1"]["iou"] == pytest.approx(ious[-1], 0.02)
    summary = results.protocols["saliency-found-v1"]
    assert summary.images == 6
    assert summary.metrics["iou"].value == pytest.approx(np.mean(ious), 0.01)
    low, high = summary.metrics["iou"].low, summary.metrics["iou"].high
    assert min(ious) - 0.01 < low < np.mean(ious) < high < max(ious) + 0.01


def test_what_is_written_is_what_is_returned(
    bench: Bench, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/anywhere/bin/heap", "evaluate", "a name"])
    out = tmp_path / "deep" / "a.json.gz"
    results = run(scenes, bench, entry("lost", out, {"patches": 25}, label="ours"))
    assert list(out.parent.iterdir()) == [out], "the journal is gone"
    read = read_results(out)
    assert scores(read) == scores(results)
    assert read.protocols == results.protocols
    assert (read.method.name, read.method.label) == ("lost", "ours")
    assert read.method.settings["patches"] == 25
    assert (read.method.seed, read.method.fit) == (None, None)
    assert read.encoder.fingerprint == bench.encoder.fingerprint
    assert read.encoder.features["resolution"] == 64
    assert (read.data.name, read.data.label, read.data.images) == ("folder", "folder", 6)
    assert read.cost.method_seconds is not None
    assert read.cost.peak_mb is not None
    assert read.cost.peak_mb >= max(row.peak_mb or 0 for row in read.rows) > 10
    assert {"heap", "torch", "numpy"} <= read.versions.keys()
    assert read.command == "heap evaluate 'a name'"
    named = replace(task(scenes), data_label="drawn scenes")
    assert run(named, bench, entry("lost", out)).data.label == "drawn scenes"


def test_several_methods_in_one_pass_are_each_as_alone(
    bench: Bench, scenes: Path, tmp_path: Path
) -> None:
    names = ("tokencut", "boundary", "found", "heap")
    protocols = ("saliency-found-v1-solver", "corloc-lost-v1", "ap-box-v1")
    together = score_methods(
        task(scenes, *protocols),
        bench,
        [entry(name, tmp_path / f"{name}.json") for name in names],
    )
    for name, found in zip(names, together, strict=True):
        own = entry(name, tmp_path / "alone.json", model=tmp_path / f"{name}-model")
        alone = run(task(scenes, *protocols), bench, own)
        assert scores(found) == scores(alone)
        assert found.protocols == alone.protocols
        assert found.data == alone.data
        assert found.method.settings == alone.method.settings


def test_fresh_and_cached_features_give_the_same_scores(
    plain_features: FeatureConfig, scenes: Path, tmp_path: Path
) -> None:
    bench = Bench(plain_features, cache=tmp_path, precision="fp32")
    fresh, cached = (
        run(task(scenes, "saliency-sod-v1"), bench, entry("tokencut", tmp_path / name))
        for name in ("a.json", "b.json")
    )
    assert scores(fresh) == scores(cached)
    assert fresh.cost.features_seconds is not None
    assert cached.cost.features_seconds is None


def test_a_broken_image_is_listed_and_left_out(bench: Bench, album: Path, tmp_path: Path) -> None:
    whole = run(album, bench, entry("centre", tmp_path / "a.json"))
    spoil(album, 2)
    (album / "images" / "04.png").write_bytes(b"")
    found = run(album, bench, entry("centre", tmp_path / "b.json"))
    failed = {each.image: (each.stage, each.reason) for each in found.data.failed}
    assert list(failed) == ["02.png", "04.png"]
    assert failed["04.png"] == ("open", "the file is empty")
    assert failed["02.png"][0] == "open"
    assert scores(found) == {
        image: each for image, each in scores(whole).items() if image not in failed
    }
    assert found.data.images == 6
    assert {each.images for each in found.protocols.values()} == {4}
    assert found.data.sha256 != whole.data.sha256


def test_images_that_are_all_broken_are_an_error_until_they_are_mended(
    bench: Bench, album: Path, tmp_path: Path
) -> None:
    spoil(album, *range(6))
    with pytest.raises(InputError) as caught:
        run(album, bench, entry("centre", tmp_path / "a.json"))
    assert "saliency-found-v1: not one image could be used; 00.png: " in str(caught.value)
    assert not (tmp_path / "a.json").exists()
    mend(album, *range(6))
    found = run(album, bench, entry("centre", tmp_path / "a.json"))
    assert (len(found.rows), found.data.failed) == (6, ())


def test_each_split_of_a_protocol_needs_an_image(bench: Bench, tmp_path: Path) -> None:
    root = voc_set(tmp_path / "voc", train=2, val=2)
    for name in ("0002", "0003"):
        (root / f"VOCdevkit/VOC2012/JPEGImages/{name}.jpg").write_bytes(b"")
    whole = task(f"voc2012-seg:{root}", "retrieval-voc12-7-v1")
    with pytest.raises(InputError, match=r"not one image of val could be used; 0002"):
        run(whole, bench, entry("centre", tmp_path / "a.json"))


def stopped_by(act: Any) -> str:
    with pytest.raises(InputError) as caught:
        act()
    return str(caught.value)


@pytest.mark.parametrize("wrong", ["size", "gone", "damaged"])
def test_a_wrong_annotation_stops_and_what_was_computed_is_kept(
    wrong: str, bench: Bench, album: Path, tmp_path: Path
) -> None:
    whole = run(album, bench, entry("tokencut", tmp_path / "whole.json"))
    spoil(album, 1)
    what, mask = task(album), album / "masks" / "04.png"
    before = mask.read_bytes()
    if wrong == "size":
        Image.new("L", (7, 5)).save(mask)
    elif wrong == "gone":
        mask.unlink()
    else:
        mask.write_bytes(before[:60])
    message = stopped_by(lambda: run(what, bench, entry("tokencut", tmp_path / "a.json")))
    assert str(mask) in message
    if wrong == "size":
        assert "7 x 5 pixels" in message
    assert not (tmp_path / "a.json").exists()
    mask.write_bytes(before)
    mend(album, 1)
    seen: list[int] = []
    [found] = score_methods(
        task(album),
        bench,
        [entry("tokencut", tmp_path / "a.json")],
        on_progress=lambda stage, done, total: seen.append(done),
    )
    # The images 0, 2 and 3 were kept; 1 could not be used then, 4 stopped it.
    assert seen == [3, 4, 5, 6]
    assert scores(found) == scores(whole)
    assert found.protocols == whole.protocols
    assert found.data == whole.data


@pytest.mark.parametrize("change", ["settings", "protocols", "images", "seed", "label"])
def test_what_another_evaluation_has_begun_is_refused(
    change: str, bench: Bench, album: Path, tmp_path: Path
) -> None:
    (album / "masks" / "05.png").write_bytes(b"")
    begun, what = entry("found", tmp_path / "a.json"), task(album)
    stopped_by(lambda: run(what, bench, begun))
    other = {
        "settings": replace(begun, settings={"steps": 4}, model=tmp_path / "other"),
        "seed": replace(begun, seed=1, model=tmp_path / "other"),
        "label": replace(begun, label="ours"),
    }.get(change, begun)
    if change == "protocols":
        what = task(album, "corloc-any-v1")
    if change == "images":
        what = Task(what.protocols, open_dataset(f"folder:{album}", limit=5))
    message = stopped_by(lambda: run(what, bench, other))
    assert "a.json.partial.jsonl belongs to another evaluation: " in message
    assert {
        "settings": "method.settings.steps (5 -> 4)",
        "seed": "method.seed (0 -> 1)",
        "label": "method.label ('FOUND, trained' -> 'ours')",
        "protocols": "protocols",
        "images": "images (6 -> 5)",
    }[change] in message


def test_rows_of_another_precision_are_not_mixed_in(
    plain_features: FeatureConfig, album: Path, tmp_path: Path
) -> None:
    (album / "masks" / "05.png").write_bytes(b"")
    exact = Bench(plain_features, cache=tmp_path, precision="fp32")
    rough = Bench(plain_features, cache=tmp_path, precision="bf16")
    what = task(album)
    stopped_by(lambda: run(what, exact, entry("lost", tmp_path / "a.json")))
    message = stopped_by(lambda: run(what, rough, entry("lost", tmp_path / "a.json")))
    assert "precision ('fp32' -> 'bf16')" in message


def test_a_method_that_cannot_learn_is_an_error_after_the_others(
    plain_features: FeatureConfig, scenes: Path, tmp_path: Path
) -> None:
    for number in range(2):
        Image.new("RGB", (40, 40), "green").save(tmp_path / f"{number}.png")
    flat = Bench(plain_features, photos=[str(tmp_path)], cache=tmp_path, precision="fp32")
    entries = [entry(name, tmp_path / f"{name}.json") for name in ("heap", "centre")]
    with pytest.raises(FitError, match=r"heap\.json: there is nothing to learn from"):
        score_methods(task(scenes), flat, entries)
    assert len(read_results(tmp_path / "centre.json").rows) == 6
    assert not (tmp_path / "heap.json").exists()


def test_wrong_settings_are_refused(bench: Bench, scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="treshold"):
        run(scenes, bench, entry("lost", tmp_path / "a.json", {"treshold": 0.1}))


def test_data_that_a_protocol_cannot_use_are_refused(
    bench: Bench, scenes: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="needs the splits train, val"):
        run(task(scenes, "retrieval-voc12-7-v1"), bench, entry("lost", tmp_path / "a.json"))
    with pytest.raises(InputError, match="ap-mask-v1 needs instances in the annotation"):
        run(task(scenes, "ap-mask-v1"), bench, entry("lost", tmp_path / "b.json"))


def test_the_checksum_of_the_data_is_that_of_images_and_annotations(
    bench: Bench, album: Path, tmp_path: Path
) -> None:
    first, second = score_methods(
        task(album), bench, [entry(name, tmp_path / f"{name}.json") for name in ("lost", "whole")]
    )
    assert first.data.sha256 == second.data.sha256
    turned = np.uint8(255) * (draw_scene(3)[1] == 0)
    Image.fromarray(turned).save(album / "masks" / "03.png")
    other = run(album, bench, entry("whole", tmp_path / "whole.json"))
    assert other.data.sha256 != second.data.sha256


def test_annotations_of_nothing_and_of_everything_can_be_scored(
    bench: Bench, album: Path, tmp_path: Path
) -> None:
    for name, value in (("00.png", 0), ("01.png", 255)):
        height, width = draw_scene(int(name[:2]))[1].shape
        Image.new("L", (width, height), value).save(album / "masks" / name)
    names = [name for name, each in PROTOCOLS.items() if each.task in ("saliency", "discovery")]
    names = [name for name in names if not name.startswith(("ap-mask", "false-alarms"))]
    whole = task(album, *names)
    for method in ("whole", "centre"):
        out = tmp_path / f"{method}.json"
        assert scores(run(whole, bench, entry(method, out))) == scores(read_results(out))
    # An empty prediction: no patch is above the threshold.
    out = tmp_path / "nothing.json"
    nothing = run(whole, bench, entry("centre", out, {"share": 0.0}))
    assert nothing.protocols["corloc-found-v1"].metrics["corloc"].value == 0
    assert nothing.protocols["ap-box-v1"].metrics["AP"].value == 0
    assert scores(nothing)["00.png"]["saliency-found-v1"]["accuracy"] == 1


@pytest.fixture(scope="module")
def everything(
    bench: Bench, scenes: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Results]:
    """Every protocol on data that it can be used on, by its name, as read from the files."""
    root = tmp_path_factory.mktemp("everything")
    voc, coco = voc_set(root / "voc"), coco_set(root / "coco")
    masks = [name for name in PROTOCOLS if name.startswith(("ap-mask", "sev", "sep"))]
    classes = [name for name in PROTOCOLS if PROTOCOLS[name].task in SEMANTIC]
    rest = [name for name in PROTOCOLS if name not in [*masks, *classes, "false-alarms-v1"]]
    plain = root / "empty" / "plain"
    plain.mkdir(parents=True)
    for grey in (60, 160):
        Image.new("RGB", (64, 48), (grey, grey, grey)).save(plain / f"{grey}.png")
    found: dict[str, Results] = {}
    for spec, names in {
        f"folder:{scenes}": rest,
        f"coco:{coco}": masks,
        f"voc2012-seg:{voc}": classes,
        f"empty:{plain.parent}": ["false-alarms-v1"],
    }.items():
        out = root / f"{spec[:3]}.json.gz"
        run(task(spec, *names), bench, entry("heap", out))
        found |= dict.fromkeys(names, read_results(out))
    return found


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_summary_is_made_again_from_the_rows_of_the_file(
    name: str, everything: dict[str, Results]
) -> None:
    summary = everything[name].protocols[name]
    rows = list(everything[name].scores_of(name).values())
    assert len(rows) == summary.images
    again = {
        metric: Metric.of(estimate)
        for values in PROTOCOLS[name].values(rows, summary.notes)
        for metric, estimate in values.estimate().items()
    }
    assert again == summary.metrics
    assert any(metric.value is not None for metric in again.values())


def test_rows_are_small(everything: dict[str, Results]) -> None:
    """What a protocol keeps until the end, curves and embeddings, is not in the results."""
    for name, results in everything.items():
        for row in results.scores_of(name).values():
            assert len(json.dumps(row)) < 1000, name


def test_images_come_in_the_order_of_the_data(everything: dict[str, Results]) -> None:
    retrieved = everything["retrieval-voc12-21-v1"]
    assert [(row.split, row.image) for row in retrieved.rows] == [
        ("train" if number < 6 else "val", f"{number:04d}.jpg") for number in range(12)
    ]
    assert retrieved.protocols["clustering-voc12-v1"].images == 6


def test_a_folder_may_be_used_whole_or_in_part(bench: Bench, tmp_path: Path) -> None:
    root = folder_set(tmp_path / "set", 3)
    part = Task(task(root).protocols, open_dataset(f"folder:{root}", limit=2))
    assert run(part, bench, entry("lost", tmp_path / "a.json")).data.images == 2
