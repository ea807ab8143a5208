"""Exports read by the tools of others, which have an environment of their own.

They want versions of packages that we do not, and OpenCV. What is too heavy even for this was tried
by hand: docs/formats.md says what, and with which version.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from runs import blobs, box_of, make_run, ring, sort_into

from heap.export.command import Choices, export
from heap.export.formats import FormatName
from heap.export.splits import Splits
from heap.model.objects import largest_piece

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

HERE = Path(__file__).parent
SIZE = (240, 320)
HOLES = ring(SIZE, (120, 230), 80, 30)
PIECE = largest_piece(blobs((240, 140), 3, 0.5))
LEFT = np.pad(PIECE, ((0, 0), (0, 180)))
THIN = np.zeros(SIZE, dtype=bool)
THIN[7, 5:200] = THIN[7:150, 200] = True
OF = {"ü 1.png": [HOLES, LEFT], "none.png": [], "three.png": [THIN], "four.png": [LEFT]}
"""Objects that do not cover each other, as a label map needs it."""
CLASSES = ["wheel & rim", "category-2", "other"]
LABELS = {
    "ü 1.png": [CLASSES[0], CLASSES[1]],
    "none.png": [],
    "three.png": [CLASSES[2]],
    "four.png": [CLASSES[1]],
}
SPLITS = Splits.parse("train=0.5,val=0.5", seed=4)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_run(tmp_path_factory.mktemp("made"), OF, SIZE)
    members = {"ü 1.png#0": 1, "ü 1.png#1": 2, "four.png#0": 2}
    sort_into(made, {1: CLASSES[0], 2: ""}, members)
    return made


def read(script: str, *arguments: Path | str) -> Any:
    """JSON that a script prints in the environment that `make test-readers` sets up."""
    python = os.environ.get("READERS_PYTHON") or str(HERE.parents[1] / ".venv-readers/bin/python")
    if not Path(python).is_file():
        pytest.fail("there are no tools of others here; run `make test-readers`")
    command = [python, str(HERE / script), *map(str, arguments)]
    # Without our own package and modules on the path.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def decode(counts: str) -> np.ndarray:
    mask: np.ndarray = coco_mask.decode({"size": SIZE, "counts": counts.encode()}).astype(bool)
    return mask


def iou(mask: np.ndarray, expected: np.ndarray) -> float:
    return float((mask & expected).sum() / (mask | expected).sum())


def same_masks(masks: list[tuple[np.ndarray, str]], key: str) -> None:
    """Masks are those of an image, in any order, with their names."""
    assert len(masks) == len(OF[key])
    for expected, label in zip(OF[key], LABELS[key], strict=True):
        shares = [(iou(mask, expected), name) for mask, name in masks]
        share, name = max(shares)
        assert share >= 0.99
        assert name == label


def same_boxes(boxes: list[Any], key: str, apart: float) -> None:
    expected = [
        ([x1, y1, x2 - x1, y2 - y1], label)
        for (x1, y1, x2, y2), label in zip(map(box_of, OF[key]), LABELS[key], strict=True)
    ]
    for (box, name), (wanted, label) in zip(boxes, sorted(expected), strict=True):
        assert name == label
        assert box == pytest.approx(wanted, abs=apart)


@pytest.mark.parametrize(
    ("format", "theirs", "apart"),
    [
        ("coco", "coco", 0),
        ("coco-polygons", "coco", 0),
        ("yolo-detect", "yolo", 0.01),
        # It takes the last pixel of a box of VOC for its edge.
        ("voc", "voc", 1),
    ],
)
@pytest.mark.parametrize("splits", [Splits(), SPLITS], ids=["whole", "splits"])
def test_datumaro(
    run: Path, tmp_path: Path, format: FormatName, theirs: str, apart: float, splits: Splits
) -> None:
    choices = Choices(categories=True, splits=splits, images="copy")
    seen = read("by_datumaro.py", export(run, format, tmp_path / "out", choices).folder, theirs)
    assert [name for name in seen["classes"] if name != "background"] == CLASSES
    items = {f"{item['id']}.png": item for item in seen["items"]}
    assert items.keys() == OF.keys()
    for key, item in items.items():
        assert item["size"] == list(SIZE)
        assert splits == Splits() or item["split"] == splits.of(key)
        same_boxes(item["boxes"], key, apart)
        if format != "yolo-detect":
            same_masks([(decode(counts), name) for counts, name in item["masks"]], key)


def test_datumaro_without_images(run: Path, tmp_path: Path) -> None:
    folder = export(run, "coco", tmp_path / "out", Choices(categories=True)).folder
    seen = read("by_datumaro.py", folder, "coco")
    assert {f"{item['id']}.png" for item in seen["items"]} == OF.keys()


def test_label_studio(run: Path, tmp_path: Path) -> None:
    folder = export(run, "coco-polygons", tmp_path / "out", Choices(categories=True)).folder
    tasks = read("by_label_studio.py", folder / "annotations" / "instances_default.json")
    keys = {f"/data/local-files/?d=images/{key}".replace("ü ", "%C3%BC%20"): key for key in OF}
    assert {task["data"]["image"] for task in tasks} == keys.keys()
    for task in tasks:
        key = keys[task["data"]["image"]]
        (annotation,) = task["annotations"]
        boxes = [part for part in annotation["result"] if part["type"] == "rectanglelabels"]
        assert [part["value"]["rectanglelabels"] for part in boxes] == [
            [label] for label in LABELS[key]
        ]
        masks: dict[str, np.ndarray] = {}
        for part in annotation["result"]:
            if part["type"] == "polygonlabels":
                # Points are in percent; each object of an image has a name of its own here.
                points = np.array(part["value"]["points"]) / 100 * SIZE[::-1]
                rings = coco_mask.frPyObjects([points.ravel().tolist()], *SIZE)
                (name,) = part["value"]["polygonlabels"]
                pixels = coco_mask.decode(coco_mask.merge(rings)).astype(bool)
                masks[name] = masks.get(name, np.zeros(SIZE, dtype=bool)) | pixels
        same_masks([(mask, name) for name, mask in masks.items()], key)
