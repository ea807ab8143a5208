import json
import math
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from heap.base.checkpoint import load_checkpoint, save_checkpoint
from heap.base.errors import ConfigError, FitError, InputError, StoreError
from heap.base.lock import RunLock
from heap.base.progress import silent
from heap.config import DiscoverConfig, FeatureConfig, FitConfig, HeadConfig, LossConfig
from heap.encoder.base import Encoder
from heap.features.store import FeatureStore
from heap.fitting.collect import collect
from heap.fitting.command import fit
from heap.fitting.folder import refuse_strangers
from heap.images import Picture, Source, list_images
from heap.methods.found import FoundRecipe
from heap.model.embedding import embed
from heap.model.heap import Heap
from heap.model.whitening import Whitening
from heap.store.store import RunStore

Fit = Callable[..., Heap]


@pytest.fixture(scope="module")
def settings(feature_config: FeatureConfig) -> dict[str, Any]:
    """With these a fit takes a second."""
    return {
        "features": feature_config,
        "head": HeadConfig(groups=4, blocks=1, heads=2, width=16),
        "losses": LossConfig(prior="boundary"),
        "config": FitConfig(steps=12, batch=5, learning_rate=2e-2, checkpoint_every=5),
        "precision": "fp32",
    }


@pytest.fixture
def fit_small(photos: Path, settings: dict[str, Any], tmp_path: Path) -> Fit:
    """Fits with these settings and a cache of its own; any argument can be another one."""

    def fitted(out: Path, images: Path = photos, **options: Any) -> Heap:
        return fit(images, out, **(settings | {"cache": str(tmp_path / "features")} | options))

    return fitted


@pytest.fixture(scope="module")
def undisturbed(
    photos: Path, settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Folder of a fit that nothing disturbed, and of its features; not to be changed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    torch.manual_seed(1)
    fit(photos, folder / "whole", **settings, cache=folder / "features")
    return folder


@pytest.fixture
def whole(undisturbed: Path, tmp_path: Path) -> Path:
    """A copy of that fit."""
    return Path(shutil.copytree(undisturbed / "whole", tmp_path / "whole"))


@pytest.fixture
def cached(undisturbed: Path, tmp_path: Path) -> Path:
    """A copy of its features where `fit_small` looks for them."""
    return Path(shutil.copytree(undisturbed / "features", tmp_path / "features"))


def files(folder: Path) -> dict[str, bytes]:
    """What must be the same; the checkpoint is a zip file with times in it."""
    names = ("config.json", "model.safetensors", "log.jsonl", "README.md")
    return {name: (folder / name).read_bytes() for name in names}


def test_the_same_fit_twice_is_the_same(fit_small: Fit, whole: Path, tmp_path: Path) -> None:
    torch.manual_seed(2)
    fit_small(tmp_path / "two")
    assert files(whole) == files(tmp_path / "two")
    config = FitConfig(steps=12, batch=5, learning_rate=2e-2, checkpoint_every=5, seed=1)
    fit_small(tmp_path / "three", config=config)
    assert files(whole)["model.safetensors"] \
        != files(tmp_path / "three")["model.safetensors"]  # fmt: skip


def test_every_step_sees_other_images_and_patches(fit_small: Fit, tmp_path: Path) -> None:
    """The head hardly moves, so that what differs between steps is what they have drawn."""
    config = FitConfig(steps=6, batch=3, learning_rate=1e-9, weight_decay=0.0, checkpoint_every=1)
    with suppress(FitError):  # A head that has learned nothing may well be refused.
        fit_small(tmp_path / "out", config=config)
    lines = (tmp_path / "out" / "log.jsonl").read_text().splitlines()
    assert len({json.loads(line)["intra"] for line in lines}) == 6


class StopAt:
    """Stops a fit as Ctrl-C does, when it says that it is there."""

    def __init__(self, stage: str, number: int) -> None:
        self.stage, self.number, self.seen = stage, number, list[int]()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        if stage == self.stage:
            self.seen.append(done)
            if done >= self.number:
                raise KeyboardInterrupt


@pytest.mark.parametrize(("stage", "number"), [("features", 3), ("training", 3), ("training", 7)])
def test_a_fit_that_was_stopped_goes_on_and_ends_the_same(
    stage: str, number: int, fit_small: Fit, whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit_small(tmp_path / "stopped", on_progress=StopAt(stage, number))
    second = StopAt("training", 1000)
    fit_small(tmp_path / "stopped", on_progress=second)
    assert files(tmp_path / "stopped") == files(whole)
    resumed_from = 5 * (number // 5) if stage == "training" else 0
    assert second.seen == list(range(resumed_from + 1, 13))
    third = StopAt("training", 1000)
    fit_small(tmp_path / "stopped", on_progress=third)
    assert third.seen == []
    assert files(tmp_path / "stopped") == files(whole)


@pytest.mark.usefixtures("cached")
def test_a_log_that_runs_ahead_or_is_torn_is_mended(
    fit_small: Fit, whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit_small(tmp_path / "stopped", on_progress=StopAt("training", 7))
    with (tmp_path / "stopped" / "log.jsonl").open("a") as log:
        log.write('{"step": 10, "intra": 1}\n{"step": 12, "int')
    fit_small(tmp_path / "stopped")
    assert files(tmp_path / "stopped") == files(whole)
    lines = files(whole)["log.jsonl"].splitlines()
    assert [json.loads(line)["step"] for line in lines] == [5, 10, 12]


@pytest.mark.fault("F31")
def test_damaged_features_are_computed_again_to_the_same_end(
    fit_small: Fit, whole: Path, cached: Path, tmp_path: Path
) -> None:
    paths = sorted(cached.glob("*/*/*.safetensors"))
    assert len(paths) == 12 + 12, "images, and an empty crop of each"
    paths[0].write_bytes(b"")
    paths[1].write_bytes(paths[1].read_bytes()[:-5])
    paths[2].unlink()
    fit_small(tmp_path / "two")
    assert files(whole) == files(tmp_path / "two")


def test_features_are_computed_once(fit_small: Fit, cached: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in cached.rglob("*.*")}
    assert before
    fit_small(tmp_path / "two", losses=LossConfig(prior="boundary", inter=0.0))
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.fault("F34")
def test_other_settings_are_refused_by_key(
    fit_small: Fit, whole: Path, tmp_path: Path, photos: Path, feature_config: FeatureConfig
) -> None:
    before = files(whole)
    fewer = shutil.copytree(photos, tmp_path / "fewer")
    (fewer / "00.png").unlink()
    changes: list[tuple[dict[str, Any], str]] = [
        ({"losses": LossConfig(prior="boundary", inter=0.5)}, r"losses\.inter \(1\.0 -> 0\.5\)"),
        ({"head": HeadConfig(groups=5, blocks=1, heads=2, width=16)}, r"head\.groups \(4 -> 5\)"),
        ({"config": FitConfig(steps=12)}, r"fit\.batch \(5 -> 32\)"),
        ({"features": replace(feature_config, layer=0)}, r"features\.layer \(-1 -> 0\)"),
        ({"images": fewer}, "images"),
    ]
    for options, key in changes:
        with pytest.raises(ConfigError, match=f"other settings: .*{key}.*choose another --out"):
            fit_small(whole, **options)
    assert files(whole) == before


def test_a_checkpoint_of_something_else_is_refused(fit_small: Fit, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    torch.save({"step": 3, "student": {}}, tmp_path / "out" / "checkpoint.pt")
    with pytest.raises(StoreError, match=r"checkpoint\.pt"):
        fit_small(tmp_path / "out")


def test_a_checkpoint_of_another_version_is_refused(fit_small: Fit, whole: Path) -> None:
    state = load_checkpoint(whole / "checkpoint.pt")
    del state["head"]["objectness.lift"]
    save_checkpoint(whole / "checkpoint.pt", state)
    with pytest.raises(StoreError, match=r"checkpoint\.pt is of another version of heap.*delete"):
        fit_small(whole)


@pytest.mark.fault("F32")
def test_two_fits_do_not_write_the_same_folder(fit_small: Fit, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    lock = RunLock(tmp_path / "out")
    with pytest.raises(InputError, match="is being written by process"):
        fit_small(tmp_path / "out")
    lock.close()
    fit_small(tmp_path / "out")
    assert not (tmp_path / "out" / ".lock").exists()


@pytest.mark.parametrize("timeout", [math.inf, 1e12])
def test_a_timeout_that_no_clock_can_count_is_refused(
    timeout: float, fit_small: Fit, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"timeout is .*; it has to be from 0 to 1000000"):
        fit_small(tmp_path / "out", timeout=timeout)


def test_an_out_that_cannot_be_made_is_refused(fit_small: Fit, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(InputError, match="choose another --out"):
            fit_small(out)


@pytest.mark.fault("F38")
def test_a_photo_that_is_all_border_does_not_turn_the_head(
    fit_small: Fit, tmp_path: Path, photos: Path
) -> None:
    more = shutil.copytree(photos, tmp_path / "more")
    Image.new("RGB", (400, 4), "grey").save(more / "strip.png")
    monitor = fit_small(tmp_path / "out", more).config.provenance["monitor"]
    assert monitor["border"] < monitor["interior"]


def test_images_that_are_damaged_are_left_out(
    fit_small: Fit, tmp_path: Path, photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    more = shutil.copytree(photos, tmp_path / "more")
    (more / "00a.png").write_bytes(b"no image")
    (more / "99.jpg").touch()
    heap = fit_small(tmp_path / "out", more)
    assert heap.config.provenance["images"] == 12
    assert "left out 00a.png: " in caplog.text
    assert "left out 99.jpg: " in caplog.text


def test_too_few_images_are_refused(fit_small: Fit, tmp_path: Path, photos: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    shutil.copy(photos / "00.png", few)
    (few / "bad.png").touch()
    with pytest.raises(InputError, match="at least two images that can be read; 1 of 2 can"):
        fit_small(tmp_path / "out", few)


def test_images_without_anything_in_them_and_copies_are_nothing_to_learn_from(
    fit_small: Fit, tmp_path: Path, photos: Path
) -> None:
    folder = tmp_path / "flat"
    folder.mkdir()
    noise = np.random.default_rng(0)
    for number in range(4):
        dark = noise.integers(0, 3, (64, 64, 3)) + 20 * number
        Image.fromarray(dark.astype(np.uint8)).save(folder / f"{number}.png")
        shutil.copy(photos / "00.png", folder / f"copy {number}.png")
    says = "of 8 images 4 are without contrast, 3 are copies of others and 0 cannot be used"
    for _ in range(2):  # With and without features that are kept.
        with pytest.raises(FitError, match=f"nothing to learn from: {says}"):
            fit_small(tmp_path / "out", folder)
    assert not (tmp_path / "out" / "model.safetensors").exists()
    assert FitError.exit_code == 1


def test_copies_and_images_without_contrast_are_left_out_and_counted(
    fit_small: Fit, tmp_path: Path, photos: Path
) -> None:
    more = Path(shutil.copytree(photos, tmp_path / "more"))
    for number in range(3):
        shutil.copy(photos / "03.png", more / f"03 copy {number}.png")
    Image.new("RGB", (64, 64)).save(more / "black.png")
    about = fit_small(tmp_path / "out", more).config.provenance
    assert about["images"] == 12
    assert about["left_out"] == {"without_contrast": 1, "copies": 3}
    (failure,) = map(json.loads, (tmp_path / "out" / "failed.jsonl").read_text().splitlines())
    assert (failure["path"], failure["stage"]) == ("black.png", "contrast")


@pytest.mark.fault("F40")
def test_a_loss_that_is_no_number_stops_the_fit(
    fit_small: Fit, cached: Path, tmp_path: Path, encoder: Encoder, feature_config: FeatureConfig
) -> None:
    store = FeatureStore(cached, encoder, feature_config)
    assert list(store.folder.rglob("*.safetensors"))
    for path in store.folder.rglob("*.safetensors"):
        features = store.get(path.stem)
        assert features is not None
        store.put(path.stem, replace(features, patches=features.patches * torch.nan))
    with pytest.raises(FitError, match="step 0: the loss is not finite"):
        fit_small(tmp_path / "two")


def test_the_mean_feature_is_kept_with_the_model(
    fit_small: Fit, tmp_path: Path, pictures: list[Picture]
) -> None:
    head = HeadConfig(groups=4, blocks=1, heads=2, width=16, centred=True)
    heap = fit_small(tmp_path / "out", head=head)
    assert heap.head.centre.abs().max() > 0.01
    loaded = Heap.from_pretrained(tmp_path / "out", precision="fp32")
    assert torch.equal(loaded.head.centre, heap.head.centre)
    assert loaded(pictures[:1])[0].to_coco() == heap(pictures[:1])[0].to_coco()


def test_objects_are_compared_by_what_differs_between_the_images_of_the_fit(
    undisturbed: Path, pictures: list[Picture]
) -> None:
    heap = Heap.from_pretrained(undisturbed / "whole", precision="fp32")
    whole = [(each, (0.0, 0.0, float(each.width), float(each.height))) for each in pictures]
    expected = Whitening(heap.encoder.embedding_dim)
    expected.learn([torch.from_numpy(embed(heap.encoder, whole, heap.defaults.crop))])
    plain = embed(heap.encoder, whole[:3], heap.defaults.crop)
    np.testing.assert_allclose(
        heap.embed(whole[:3]), expected(torch.from_numpy(plain)), rtol=1e-3, atol=1e-3
    )
    assert not np.allclose(plain, heap.embed(whole[:3]), atol=0.1)
    (result,) = heap(pictures[:1], DiscoverConfig(threshold=0.0, min_score=0.0))
    boxes = [(pictures[0], box) for box in result.objects.boxes.tolist()]
    assert boxes
    np.testing.assert_allclose(result.objects.embeddings, heap.embed(boxes), atol=1e-5)


def test_objects_are_compared_without_the_images_that_are_gone(
    fit_small: Fit, photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def remove(stage: str, done: int, total: int | None) -> None:
        if stage == "training" and done == total:
            for name in gone:
                (album / name).unlink(missing_ok=True)

    album = Path(shutil.copytree(photos, tmp_path / "album"))
    gone = [path.name for path in album.iterdir()][:3]
    fit_small(tmp_path / "some", images=album, on_progress=remove)
    assert caplog.text.count("objects are compared without") == 3
    whole = load_file(tmp_path / "some" / "model.safetensors")["object_whitening.matrix"]
    assert whole.isfinite().all()
    assert not torch.equal(whole, torch.eye(len(whole)))


@pytest.mark.parametrize("prior", ["none", "self", "seed", "found"])
def test_every_prior_leads_somewhere(
    prior: Any, fit_small: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random features need not give a good head, but one that is of no use is refused."""
    monkeypatch.setattr("heap.fitting.priors.FoundRecipe", partial(FoundRecipe, steps=1))
    try:
        heap = fit_small(tmp_path / "out", losses=LossConfig(prior=prior))
    except FitError:
        return
    monitor = heap.config.provenance["monitor"]
    assert monitor["border"] < monitor["interior"]


def test_collected_images_are_those_of_the_listing(
    photos: Path, encoder: Encoder, feature_config: FeatureConfig, tmp_path: Path
) -> None:
    listed = list(list_images(photos))
    gone = Source("gone", str(tmp_path / "gone.png"))
    store = FeatureStore(tmp_path, encoder, feature_config)
    with ThreadPoolExecutor(2) as pool:
        found = collect([*listed[:3], gone, *listed[3:]], encoder, store, pool, silent, batch=4)
    assert [source.key for source in found.sources] == [source.key for source in listed]
    assert [error.key for error in found.failures] == ["gone"]
    assert len(found) == 12
    grids = {found[index].grid for index in range(12)}
    assert len(grids) == 3
    assert np.isfinite(found[0].patches.numpy()).all()


def test_a_model_is_not_written_among_what_is_no_model(
    fit_small: Fit, photos: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with RunStore.create_or_open(run, {}):
        pass
    for folder in (photos, encoder_folder, run):
        before = sorted(folder.iterdir())
        with pytest.raises(InputError, match=r"holds '.*' and no model; choose a new or empty"):
            fit_small(folder)
        assert sorted(folder.iterdir()) == before
    begun = tmp_path / "begun"
    begun.mkdir()
    for name in (".lock", "failed.jsonl", "log.jsonl.partial"):
        (begun / name).touch()
    refuse_strangers(begun)


def test_a_fit_says_what_it_passed_over(fit_small: Fit, photos: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(photos, tmp_path / "photos"))
    (folder / "notes.md").touch()
    (folder / "lost.png").symlink_to("nowhere")
    told: list[str] = []
    fit_small(tmp_path / "out", folder, on_skipped=lambda skipped: told.append(str(skipped)))
    assert told == ["1 links that lead nowhere, 1 not images by their names (.md)"]
