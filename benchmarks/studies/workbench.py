"""A YOLO data set of photos of animals, made in the browser: by mouse, and by keyboard alone.

A person who knows what each object is makes six named categories of what `heap discover` has found,
looks each through, and exports. Every click and key is counted, and what is exported is compared
with VOC's boxes and classes, as it is after naming and at the end.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import heap
from benchmarks.animals import SET, examples_in
from benchmarks.browsing import browser_version, chromium
from benchmarks.common import DATA, RUNS, Data, run_heap
from benchmarks.report import Row, about_data, about_encoder, markdown, rows_by
from benchmarks.serving import serving
from benchmarks.study import Measured, Study
from benchmarks.workbench import Keyboard, Mouse, Person
from heap.benchmark.metrics.boxes import HIT, box_iou
from heap.benchmark.truth import Example, Truth

NAMES = ("cat", "dog", "horse", "sheep", "cow", "person")
"""Classes with enough photos, which are the six categories."""
ANIMALS = {"cat", "dog", "horse", "sheep", "cow"}
_VOC_PHOTOS = 370
"""Photos of VOC that show one of the animals: the first ones by name."""
DEMO = Path("demo/photos")
_DEMO_CLASSES = {
    "cat.jpg": "cat", "dog.jpg": "dog", "sheep.jpg": "sheep", "cows.jpg": "cow",
    "astronaut.jpg": "person",
}  # fmt: skip
_SEEN = 0.1
"""IoU with the box of a class from which a person takes an object for a part of such a thing."""
WAYS: Mapping[str, type[Person]] = {"mouse": Mouse, "keyboard": Keyboard}


def bench(
    *,
    data: Data = DATA,
    model: str = "embedded",
    count: int = 24,
    ways: Sequence[str] = tuple(WAYS),
    work: Path = RUNS / "workbench",
) -> Measured:
    """Discover the photos once, and do the job in every way.

    Args:
        data: Folder with `voc12-animals`.
        model: Model that finds the objects.
        count: Categories that the person has the objects sorted into first.
        ways: mouse, keyboard, or both.
        work: Folder of the photos and runs; a run that is there is used again.
    """
    truths = choose_photos(data, work / "photos")
    run = work / f"run-{model}"
    if not (run / "gallery.html").exists():
        run_heap("discover", work / "photos", "--out", run, "--model", model)
    classes = known_classes(run, truths)
    rows: list[Row] = []
    for way in ways:
        copy = work / f"{way}-{model}"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(run, copy)
        rows += [{"way": way} | row for row in job(copy, WAYS[way], classes, truths, count)]
    counts = heap.open(run).store.counts()
    images = [example.image for example in truths.values()]
    return Measured(
        data=about_data(SET, images, "SegmentationClass")
        | {"demo_photos": len([*DEMO.glob("*.jpg")]), "objects": counts.objects, "count": count},
        encoder=about_encoder(heap.open(run).model()),
        rows=rows,
        figures={"browser": browser_version(), "load": os.getloadavg()[0]},
    )


def choose_photos(data: Path, folder: Path) -> dict[str, Example]:
    """Put the photos of VOC and of the demo into a folder; returns the annotated ones by key."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen: dict[str, Example] = {}
    for example in examples_in(data):
        if len(chosen) == _VOC_PHOTOS:
            break
        if ANIMALS & set(_truth(example).box_classes or ()):
            chosen[example.image.name] = example
    for path in (*(example.image for example in chosen.values()), *DEMO.glob("*.jpg")):
        if not (folder / path.name).exists():
            shutil.copyfile(path, folder / path.name)
    return chosen


def _truth(example: Example) -> Truth:
    with Image.open(example.image) as image:
        return example.read(*image.size)


def known_classes(run: Path, truths: Mapping[str, Example]) -> dict[str, str]:
    """Class of each object that is a part of a thing of the six classes, by its id."""
    classes: dict[str, str] = {}
    for result in heap.open(run).results():
        if result.key not in truths:
            named = _DEMO_CLASSES.get(result.key)
            classes |= {f"{result.key}#{at}": named for at in range(len(result.objects)) if named}
            continue
        truth = _truth(truths[result.key])
        assert truth.box_classes is not None
        overlap = box_iou(result.objects.boxes, truth.boxes)
        for at, row in enumerate(overlap):
            label = truth.box_classes[row.argmax()]
            if row.max() >= _SEEN and label in NAMES:
                classes[f"{result.key}#{at}"] = label
    return classes


def job(
    run: Path,
    kind: type[Person],
    classes: Mapping[str, str],
    truths: Mapping[str, Example],
    count: int,
) -> Iterator[Row]:
    """A row for each step, and one for the labels after naming and at the end."""
    with serving(run) as served, chromium() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(served.address)
        page.locator("#name", has_text=run.name).wait_for()
        person = kind(page, classes, NAMES)
        for step in person.do(count):
            if step == "name and join":
                yield _labels_now(run, truths) | {"when": "named"}
    yield scored(run / "export-yolo-detect", truths) | {"when": "looked through"}
    yield from ({"step": step.name} | vars(step) for step in person.steps)


def _labels_now(run: Path, truths: Mapping[str, Example]) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        heap.open(run).export("yolo-detect", out, categories=True, images="none")
        return scored(out, truths)


def scored(export: Path, truths: Mapping[str, Example]) -> Row:
    """Compare the labels of photos of VOC with its boxes of the six classes.

    A label is a hit if its box has an IoU of at least 0.5 with one of its class that is not taken
    yet. It is `boxed` if there is such an IoU with a box of any class, `right` if that with the
    highest is of its class.
    """
    import yaml

    names = yaml.safe_load((export / "data.yaml").read_text(encoding="utf-8"))["names"]
    row = {"labels": 0, "hits": 0, "boxed": 0, "right": 0, "truth": 0}
    for key, example in truths.items():
        truth = _truth(example)
        assert truth.box_classes is not None
        kinds = np.array(truth.box_classes)
        row["truth"] += int(np.isin(kinds, NAMES).sum())
        place = export / "labels" / "train" / f"{Path(key).stem}.txt"
        lines = place.read_text(encoding="utf-8").splitlines() if place.exists() else []
        taken: set[int] = set()
        for line in lines:
            number, *numbers = line.split()
            label = names[int(number)]
            row["labels"] += 1
            overlap = box_iou(_corners(numbers, example), truth.boxes)[0]
            best = int(overlap.argmax())
            row["boxed"] += bool(overlap[best] >= HIT)
            row["right"] += bool(overlap[best] >= HIT and kinds[best] == label)
            free = [
                at
                for at in np.flatnonzero((overlap >= HIT) & (kinds == label)).tolist()
                if at not in taken
            ]
            if free:
                taken.add(max(free, key=lambda at: overlap[at]))
                row["hits"] += 1
    return row


def _corners(numbers: Sequence[str], example: Example) -> np.ndarray:
    x, y, width, height = map(float, numbers)
    with Image.open(example.image) as image:
        size = np.array([*image.size, *image.size], dtype=np.float64)
    half = np.array([-width, -height, width, height]) / 2
    corners: np.ndarray = ((np.array([x, y, x, y]) + half) * size)[None]
    return corners


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Actions and seconds of each way, and how good the labels are before and after."""
    summary: dict[str, Any] = {}
    for way, of in rows_by(rows, "way").items():
        steps = [row for row in of if "step" in row]
        summary[way] = {
            name: sum(step[name] for step in steps) for name in ("clicks", "keys", "seconds")
        }
        for row in of:
            if "when" in row:
                summary[way][row["when"]] = {
                    "labels": row["labels"],
                    "precision": row["hits"] / max(1, row["labels"]),
                    "recall": row["hits"] / max(1, row["truth"]),
                    "right_class": row["right"] / max(1, row["boxed"]),
                }
    return summary


def table(report: dict[str, Any]) -> str:
    """Steps and labels of each way in Markdown."""
    steps = [row for row in report["rows"] if "step" in row]
    text = markdown(
        ("way", "step", "clicks", "keys", "seconds"),
        [
            (row["way"], row["step"], str(row["clicks"]), str(row["keys"]), f"{row['seconds']:.0f}")
            for row in steps
        ],
    )
    labels = [
        (way, when, str(of["labels"]), *(f"{of[name]:.3f}" for name in list(of)[1:]))
        for way, parts in report["summary"].items()
        for when, of in parts.items()
        if isinstance(of, dict)
    ]
    names = ("way", "labels as they are when", "labels", "precision", "recall", "right class")
    return text + "\n" + markdown(names, labels)


STUDY = Study("workbench-v1", bench, summarise, table)
