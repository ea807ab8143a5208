"""A method on pictures without an object, from their folders to the values of the file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heap.base.errors import InputError
from heap.benchmark.results import read_results
from heap.benchmark.run.bench import Bench
from heap.benchmark.run.evaluate import score_methods

from .evaluating import entry, task

ALARMS = "false-alarms-v1"


def grey(path: Path, *, thing: bool) -> None:
    """A flat picture, with a bright disc in it or without."""
    rows, cols = np.mgrid[:48, :48]
    pixels = np.full((48, 48, 3), 90, dtype=np.uint8)
    if thing:
        pixels[np.hypot(rows - 24, cols - 24) < 12] = (250, 240, 40)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_alarms_by_kind(bench: Bench, tmp_path: Path) -> None:
    grey(tmp_path / "data" / "flat" / "a.png", thing=False)
    grey(tmp_path / "data" / "mixed" / "a.png", thing=False)
    grey(tmp_path / "data" / "mixed" / "b.png", thing=True)
    out = tmp_path / "boundary.json"
    score_methods(task(f"empty:{tmp_path / 'data'}", ALARMS), bench, [entry("boundary", out)])
    results = read_results(out)
    assert [(row.image, row.split) for row in results.rows] == [
        ("flat/a.png", "flat"), ("mixed/a.png", "mixed"), ("mixed/b.png", "mixed"),
    ]  # fmt: skip
    metrics = {name: each.value for name, each in results.protocols[ALARMS].metrics.items()}
    # The picture with a disc is no empty one: what is found there is what alarms are made of.
    assert metrics == pytest.approx(
        {"alarms": 1 / 3, "alarms_flat": 0, "alarms_mixed": 1 / 2}, abs=1e-5
    )


def test_images_with_objects_are_refused(bench: Bench, scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is for images without an object"):
        score_methods(task(scenes, ALARMS), bench, [entry("boundary", tmp_path / "b.json")])
