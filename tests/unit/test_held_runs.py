"""Runs and fits of images that a program holds, by their names."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import heap as package
from heap.base.errors import InputError
from heap.config import DiscoverConfig, FeatureConfig, FitConfig, HeadConfig, LossConfig
from heap.discovery.command import discover
from heap.fitting.command import fit
from heap.model.heap import Heap
from heap.store.store import RunStore

CONFIG = DiscoverConfig(chunk=2, batch=2, save=())


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


@pytest.fixture
def arrays(photos: Path) -> dict[str, np.ndarray]:
    return {path.stem: pixels_of(path) for path in sorted(photos.iterdir())[:5]}


def test_a_run_of_images_in_memory_is_that_of_their_files(
    heap: Heap, photos: Path, arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    files = discover(photos, tmp_path / "files", model=heap, config=CONFIG, limit=5)
    held = discover(iter(arrays.items()), tmp_path / "held", model=heap, config=CONFIG)
    assert (held.images, held.usable) == (5, 5)
    for ours, theirs in zip(held.results(), files.results(), strict=True):
        assert ours.key == theirs.key.removesuffix(".png")
        assert ours.objects == theirs.objects
        assert ours.regions == theirs.regions


def test_any_form_will_do_and_a_bad_one_stops_nothing(
    heap: Heap, photos: Path, arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    first, second, third, *_ = sorted(photos.iterdir())
    images: dict[str, Any] = {
        "array": arrays["00"],
        "numbers": arrays["00"].astype(np.int64),
        "a/pillow": Image.fromarray(arrays["01"]),
        "encoded.png": second.read_bytes(),
        "file": io.BytesIO(third.read_bytes()),
        "damaged": b"no image",
        "path": first,
        "nowhere": photos / "nowhere.png",
    }
    run = discover(images, tmp_path / "run", model=heap, config=CONFIG)
    assert run.counts.failed == 3
    lines = (tmp_path / "run" / "failed.jsonl").read_text().splitlines()
    failed = {line["path"]: line["reason"] for line in map(json.loads, lines)}
    assert set(failed) == {"numbers", "damaged", "nowhere"}
    assert "convert it to uint8" in failed["numbers"]
    results = {result.key: result for result in run.results()}
    assert results["array"].objects == results["path"].objects
    assert results["a/pillow"].objects == results["encoded.png"].objects
    # A path is its own place; the others have copies, encoded ones as they were.
    places = {row.key: row.source for row in RunStore.open(tmp_path / "run").stored()}
    assert places["path"] == str(first)
    copy = tmp_path / "run" / places["encoded.png"]
    assert copy.read_bytes() == second.read_bytes()
    np.testing.assert_array_equal(pixels_of(tmp_path / "run" / places["array"]), arrays["00"])


def test_it_is_resumed_by_name_and_content(
    heap: Heap, arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    discover(iter(arrays.items()), out, model=heap, config=CONFIG, limit=3)
    again = discover(iter(arrays.items()), out, model=heap, config=CONFIG)
    assert (again.images, again.news.changed, len(package.open(out))) == (2, (), 5)
    arrays["01"] = arrays["04"]
    changed = discover(arrays, out, model=heap, config=CONFIG, prune=True)
    assert (changed.images, changed.news.changed, changed.news.gone) == (1, ("01",), ())
    results = {result.key: result.objects for result in changed.results()}
    assert results["01"] == results["04"]


def test_a_stream_is_read_a_chunk_at_a_time(
    heap: Heap, arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """Of an endless iterator only the images up to the limit, and few ahead, are taken."""
    taken = 0

    def camera() -> Iterator[tuple[str, np.ndarray]]:
        nonlocal taken
        while True:
            taken += 1
            yield f"frame {taken}", arrays["00"]

    stored_at = []

    def watch(stage: str, done: int, total: int | None) -> None:
        if stage == "objects":
            assert total is None
            stored_at.append((done, taken))

    run = discover(
        camera(), tmp_path / "run", model=heap, config=CONFIG, limit=9, on_progress=watch
    )
    assert run.images == 9
    assert all(ahead <= done + 2 * CONFIG.chunk for done, ahead in stored_at)


def test_what_came_before_an_error_of_the_program_is_stored(
    heap: Heap, arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    def broken() -> Iterator[tuple[str, np.ndarray]]:
        yield from list(arrays.items())[:3]
        raise OSError("the camera is gone")

    with pytest.raises(OSError, match="the camera is gone"):
        discover(broken(), tmp_path / "run", model=heap, config=CONFIG)
    assert len(package.open(tmp_path / "run")) == 3
    twice = [*arrays.items(), ("00", arrays["00"])]
    with pytest.raises(InputError, match="two images have the name '00'"):
        discover(twice, tmp_path / "run", model=heap, config=CONFIG)
    assert len(package.open(tmp_path / "run")) == 5


def test_copies_are_shown_searched_and_exported_wherever_the_run_is(
    heap: Heap, arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    discover(arrays, tmp_path / "first", model=heap, config=CONFIG)
    shutil.move(tmp_path / "first", tmp_path / "run")
    run = package.open(tmp_path / "run")
    run._model = heap
    assert run.search("00", count=1)[0].id == "00#0"
    exported = run.export("yolo", tmp_path / "yolo")
    assert exported.failures == ()
    copies = sorted((tmp_path / "yolo" / "images").rglob("*.png"))
    assert len(copies) == 5
    np.testing.assert_array_equal(pixels_of(copies[0]), arrays["00"])
    run.export("csv", tmp_path / "csv")
    table = "".join(path.read_text() for path in (tmp_path / "csv").rglob("*.csv"))
    assert str(tmp_path / "run" / "originals") in table
    # What the run keeps is not taken for new photos.
    with pytest.raises(InputError, match="folders that heap has written"):
        discover(tmp_path / "run", tmp_path / "other", model=heap, config=CONFIG)


def test_a_store_cannot_name_a_file_outside_of_its_copies(
    heap: Heap, arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    discover(arrays, tmp_path / "run", model=heap, config=CONFIG, limit=1)
    secret = tmp_path / "secret.png"
    Image.fromarray(arrays["00"]).save(secret)
    run = package.open(tmp_path / "run")
    row = run.store.stored()[0]
    for source in ("../secret.png", "originals/../../secret.png", str(secret)):
        with pytest.raises(package.ImageError, match="in no folder that the run says"):
            run.photos.read(row.key, source, row.digest)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (iter([np.zeros((8, 8, 3), dtype=np.uint8)]), "image 0 has no name"),
        (iter([("a", b""), b""]), "image 1 has no name"),
        ([("", b"")], "image 0 has no name"),
        ({}, "no image was given"),
        ([], "no image was given"),
    ],
    ids=["array", "bytes", "empty name", "mapping", "list"],
)
def test_images_without_names_are_refused_with_what_to_do(
    heap: Heap, images: Any, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words + r".*\{name: image\}"):
        discover(images, tmp_path / "run", model=heap, config=CONFIG)


def test_an_iterator_cannot_be_read_twice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a head is fitted on the images first.*list or a map"):
        discover(iter([("a", b"")]), tmp_path / "run", encoder="dino-vits16")


def test_a_fit_of_images_in_memory_is_that_of_their_files(
    photos: Path, feature_config: FeatureConfig, tmp_path: Path
) -> None:
    options: dict[str, Any] = {
        "features": feature_config,
        "head": HeadConfig(groups=4, blocks=1, heads=2, width=16),
        "losses": LossConfig(prior="boundary"),
        "config": FitConfig(steps=3, batch=6, images=6),
        "precision": "fp32",
    }
    files = fit(photos, tmp_path / "files", **options)
    pairs = ((path.stem, pixels_of(path)) for path in sorted(photos.iterdir()))
    held = fit(pairs, tmp_path / "held", **options)
    assert held.fingerprint == files.fingerprint


def test_of_a_long_stream_a_fit_learns_from_all_of_it(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from heap.images.named import spool

    data = io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, "PNG")
    pairs = ((str(number), data.getvalue()) for number in range(100))
    with ThreadPoolExecutor(2) as pool:
        sources = spool(pairs, tmp_path, 4, pool, lambda: None)
    numbers = [int(source.key) for source in sources]
    assert 4 <= len(numbers) <= 16
    assert numbers[0] == 0
    assert numbers[-1] >= 75
    assert {path.name for path in tmp_path.iterdir()} == {source.key for source in sources}
