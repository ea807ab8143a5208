"""Exports of some objects of a run: which images, objects and classes are in them."""

import json
from pathlib import Path

import pytest
import yaml
from runs import make_run, ring, sort_into

import heap
from heap.base.errors import InputError
from heap.export.formats import FORMATS, FormatName

SIZE = (60, 80)
MASKS = [ring(SIZE, (30, x), 12, 4) for x in (15, 40, 65)]
OF = {"a/1.jpg": MASKS, "a/2.jpg": [], "b.jpg": MASKS[:1], "c.jpg": MASKS[:2]}
NAMES = {1: "wheel", 2: "ring", 3: "odd"}
SORTED = {"a/1.jpg#0": 1, "a/1.jpg#1": 2, "b.jpg#0": 2, "c.jpg#0": 1, "c.jpg#1": 3}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> heap.Run:
    folder = make_run(tmp_path_factory.mktemp("made"), OF, SIZE)
    sort_into(folder, NAMES, SORTED, rejected=[3])
    return heap.open(folder)


def test_a_category_is_exported_with_its_images_and_its_class_only(
    run: heap.Run, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    exported = run.export("yolo", out, categories=True, where="category = 1")
    assert exported.classes == ("wheel",)
    assert yaml.safe_load((out / "data.yaml").read_text())["names"] == {0: "wheel"}
    labels = {path.relative_to(out / "labels" / "train").as_posix(): path.read_text()
              for path in (out / "labels").rglob("*.txt")}  # fmt: skip
    assert {name: len(text.splitlines()) for name, text in labels.items()} == {
        "a/1.txt": 1, "c.txt": 1,
    }  # fmt: skip
    assert sorted(path.name for path in (out / "images").rglob("*.png")) == ["1.png", "c.png"]


def test_single_objects_are_exported_and_the_condition_holds_too(
    run: heap.Run, tmp_path: Path
) -> None:
    def ids(name: str, **options: object) -> list[str]:
        run.export("coco", tmp_path / name, **options)  # type: ignore[arg-type]
        table = json.loads((tmp_path / name / "annotations/instances_default.json").read_text())
        keys = {image["id"]: image["file_name"] for image in table["images"]}
        return sorted(keys[one["image_id"]] for one in table["annotations"])

    assert ids("two", objects=["b.jpg#0", "a/1.jpg#2"]) == ["a/1.jpg", "b.jpg"]
    assert ids("both", objects=["b.jpg#0", "a/1.jpg#2"], where="category = 2") == ["b.jpg"]


def test_rejected_objects_of_a_selection_are_left_out(run: heap.Run, tmp_path: Path) -> None:
    exported = run.export("csv", tmp_path / "out", where="key = 'c.jpg'", categories=True)
    assert (exported.classes, exported.splits[""].objects) == (("wheel",), 1)


def test_what_is_not_sorted_yet_is_counted_among_the_selected(
    run: heap.Run, tmp_path: Path
) -> None:
    exported = run.export("csv", tmp_path / "out", objects=["a/1.jpg#2"], categories=True)
    assert (exported.classes, exported.unsorted) == (("other",), 1)
    exported = run.export("csv", tmp_path / "out", objects=["a/1.jpg#1"], categories=True)
    assert (exported.classes, exported.unsorted) == (("ring",), 0)


@pytest.mark.parametrize("format", FORMATS)
def test_a_selection_takes_the_place_of_no_whole_export(tmp_path: Path, format: FormatName) -> None:
    run = heap.open(make_run(tmp_path, OF, SIZE))
    whole = run.export(format)
    part = run.export(format, where="key = 'b.jpg'")
    assert (whole.folder.name, part.folder.name) == (
        f"export-{format}", f"export-{format}-selection",
    )  # fmt: skip
    assert (whole.splits[""].images, part.splits[""].images) == (4, 1)
    assert whole.folder.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"where": "category = 3"}, "no object of .* fits 'category = 3', but for rejected ones"),
        ({"objects": []}, "no object of .* is selected"),
        ({"objects": ["b.jpg#0", "x", "y"]}, "has no object 'x', 'y'"),
        ({"objects": list("abcde")}, "has no object 'a', 'b', 'c' and 2 others"),
        ({"objects": "b.jpg#0"}, "give a list of their ids"),
        ({"where": "colour = 3"}, "there is no column 'colour'"),
    ],
)
def test_a_selection_of_nothing_is_refused(
    run: heap.Run, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        run.export("csv", tmp_path / "out", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
