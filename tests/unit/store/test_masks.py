"""Masks that a person corrects, in Python: what follows from them, and the way back."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from runs import make_run, ring

import heap
from heap.base.errors import InputError
from heap.categories.drawing import BY_PARTS, BY_REGIONS, MaskEdits, edit_masks
from heap.categories.parts import from_counts, mask_of, to_counts
from heap.results import ImageResult, Regions, Rle
from heap.store.editing import Editor
from heap.store.store import RunStore
from heap.view.gallery import GALLERY

SIZE = (60, 80)
LEFT, RIGHT = (ring(SIZE, (30, x), 12, 4) for x in (15, 60))


def rectangle(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    mask = np.zeros(SIZE, dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


BLOCK = rectangle(10, 20, 30, 50)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path, {"a.png": [LEFT, RIGHT], "b.png": [LEFT | RIGHT], "c.png": []}, SIZE)


def results(run: Path) -> dict[str, ImageResult]:
    """What is stored of every image; damage would be left out."""
    found = {result.key: result for result in RunStore.open(run).results()}
    assert sorted(found) == ["a.png", "b.png", "c.png"]
    return found


def row(run: Path, id: str) -> dict[str, Any]:
    (found,) = heap.open(run).objects.to_arrow(f"id = '{id}'").to_pylist()
    return dict(found)


def same(mask: Rle, wanted: np.ndarray) -> bool:
    return bool((mask.decode() == wanted).all())


def near(direction: Sequence[float] | np.ndarray) -> Any:
    """A model that says the same of every box."""
    return lambda key, boxes: np.tile(np.asarray(direction, dtype=np.float32), (len(boxes), 1))


class TestReplacing:
    def test_box_area_and_run_lengths_follow(self, run: Path) -> None:
        before = results(run)
        heap.open(run).edit_masks(replace={"a.png#1": BLOCK}, who="Ann")
        now = results(run)
        assert same(now["a.png"].objects.masks[1], BLOCK)
        assert now["a.png"].objects.boxes[1].tolist() == [10, 20, 30, 50]
        assert now["a.png"].to_coco()[1]["area"] == 20 * 30
        assert same(now["a.png"].objects.masks[0], LEFT)
        assert now["b.png"] == before["b.png"]
        (entry,) = heap.open(run).history
        assert (entry.who, entry.what) == ("Ann", "corrected the mask of a.png#1")
        stored = row(run, "a.png#1")
        assert (stored["drawn"], stored["reviewed"], stored["rejected"]) == (True, True, False)
        assert not row(run, "a.png#0")["drawn"]

    @pytest.mark.parametrize(
        "form",
        [
            BLOCK.astype(np.uint8) * 255,
            BLOCK.tolist(),
            Rle.encode(BLOCK),
            {"size": list(SIZE), "counts": Rle.encode(BLOCK).counts},
            {"size": list(SIZE), "counts": to_counts(BLOCK)},
        ],
        ids=["grey", "lists", "rle", "compressed", "plain"],
    )
    def test_masks_come_in_every_form(self, run: Path, form: Any) -> None:
        heap.open(run).edit_masks(replace={"a.png#0": form})
        assert same(results(run)["a.png"].objects.masks[0], BLOCK)

    @pytest.mark.parametrize(
        ("edits", "said"),
        [
            ({"replace": {"a.png#7": BLOCK}}, "no object 'a.png#7'"),
            ({"replace": {"z.png#0": BLOCK}}, "no image 'z.png'"),
            ({"add": {"z.png": [BLOCK]}}, "no image 'z.png'"),
            ({"replace": {"a.png#0": BLOCK.T}}, "60 rows and 80 columns"),
            ({"replace": {"a.png#0": BLOCK & False}}, "is empty"),
            ({"replace": {"a.png#0": "all of it"}}, "cannot be used"),
            ({"add": {"a.png": [{"size": [60, 80], "counts": [1, 2]}]}}, "do not make 60 x 80"),
            ({"split": {"a.png#0": BY_PARTS}}, "is connected"),
            ({"split": {"a.png#0": BY_REGIONS}}, "lies in one region"),
            ({"split": {"a.png#0": "somehow"}}, "cannot be split by 'somehow'"),
            ({"split": {"a.png#0": [BLOCK]}}, "at least two parts"),
            ({"split": {"a.png#0": [BLOCK, BLOCK]}}, "overlap"),
            ({"split": {"b.png#0": BY_PARTS}, "replace": {"b.png#0": BLOCK}}, "do one of the two"),
            ({}, "no mask to correct"),
        ],
    )
    def test_what_cannot_be_done_changes_nothing(
        self, run: Path, edits: dict[str, Any], said: str
    ) -> None:
        before = results(run)
        good = {"b.png#0": BLOCK} if "replace" not in edits else {}
        collection = heap.open(run)
        with pytest.raises(InputError, match=said):
            collection.edit_masks(**{"replace": good} | edits if edits else {})
        assert results(run) == before
        assert not collection.history


class TestAdding:
    def test_a_missed_object_is_the_last_of_its_image(self, run: Path) -> None:
        edited = heap.open(run).edit_masks(add={"a.png": [BLOCK], "c.png": [LEFT, RIGHT]})
        assert edited.ids == ("a.png#2", "c.png#0", "c.png#1")
        now = results(run)
        assert [len(now[key].objects) for key in ("a.png", "c.png")] == [3, 2]
        assert now["a.png"].objects.scores.tolist() == pytest.approx([0.9, 0.8, 1.0])
        assert same(now["c.png"].objects.masks[1], RIGHT)
        assert RunStore.open(run).counts().empty == 0
        heap.open(run).undo()
        assert RunStore.open(run).counts().empty == 1

    def test_it_is_sorted_by_its_embedding(self, run: Path) -> None:
        collection = heap.open(run)
        collection.edit_categories(count=2)
        prototype = collection.categories[1].prototype
        with Editor(run) as editor:
            edit_masks(editor, MaskEdits(added={"c.png": [BLOCK]}), near(prototype))
        stored = row(run, "c.png#0")
        assert (stored["category"], stored["outdated"]) == (2, False)
        assert stored["similarity"] == pytest.approx(1, abs=1e-5)
        assert heap.open(run).search(object_id="c.png#0", count=1)[0].category == 2

    def test_without_the_model_it_is_not_found_and_search_says_so(self, run: Path) -> None:
        collection = heap.open(run)
        edited = collection.edit_masks(add={"c.png": [BLOCK]}, replace={"a.png#0": BLOCK})
        assert edited.outdated == edited.ids == ("a.png#0", "c.png#0")
        assert "does not say what model made it" in edited.reason
        hits = collection.search(object_id="a.png#1")
        assert hits.outdated == 2
        assert {hit.id for hit in hits} == {"a.png#0", "b.png#0"}
        assert collection.undo().undone
        assert collection.search(object_id="a.png#1").outdated == 0

    def test_a_run_without_any_object_gets_its_first(self, tmp_path: Path) -> None:
        run = make_run(tmp_path, {"a.png": []}, SIZE)
        with pytest.raises(InputError, match="its model is needed for the first"):
            heap.open(run).edit_masks(add={"a.png": [BLOCK]})
        with Editor(run) as editor:
            edit_masks(editor, MaskEdits(added={"a.png": [BLOCK]}), near((1, 0, 0)))
        assert len(next(iter(heap.open(run).results())).objects) == 1
        heap.open(run).undo()
        assert not len(next(iter(heap.open(run).results())).objects)
        heap.open(run).redo()
        assert len(heap.open(run).objects) == 1


class TestSplitting:
    def test_by_its_connected_parts(self, run: Path) -> None:
        speck = LEFT | RIGHT
        speck[0, 0] = True
        collection = heap.open(run)
        collection.edit_masks(replace={"b.png#0": speck})
        edited = collection.edit_masks(split={"b.png#0": BY_PARTS})
        assert edited.ids == ("b.png#0", "b.png#1")
        first, second = results(run)["b.png"].objects.masks
        corner = np.zeros(SIZE, dtype=bool)
        corner[0, 0] = True
        assert same(first, LEFT | corner), "a speck stays with the largest"
        assert same(second, RIGHT)
        assert results(run)["b.png"].objects.scores.tolist() == pytest.approx([0.9, 0.9])

    def test_by_masks_with_the_category_of_the_whole(self, run: Path) -> None:
        collection = heap.open(run)
        collection.edit_categories(count=2)
        category = row(run, "b.png#0")["category"]
        collection.edit_masks(split={"b.png#0": [RIGHT, LEFT]})
        assert [row(run, f"b.png#{place}")["category"] for place in (0, 1)] == [category] * 2
        assert same(results(run)["b.png"].objects.masks[0], RIGHT)

    def test_by_regions(self, tmp_path: Path) -> None:
        run = make_run(tmp_path, {"a.png": [BLOCK]}, SIZE)
        with RunStore.create_or_open(run, {}) as store:
            (record,) = store.records()
            labels = np.repeat([[0, 0, 1, 1]], 3, axis=0)
            two = np.zeros((2, 3), dtype=np.float32)
            regions = Regions(labels, two, two[:, 0], two[:, 0])
            shown = replace(record.result, regions=regions, saliency=labels.astype(np.float32))
            store.add([replace(record, result=shown)])
        wide = rectangle(30, 10, 60, 40)
        collection = heap.open(run)
        collection.edit_masks(replace={"a.png#0": wide})
        collection.edit_masks(split={"a.png#0": BY_REGIONS})
        (result,) = collection.results()
        # The border of the two regions is in the middle of the 80 columns.
        assert same(result.objects.masks[0], rectangle(40, 10, 60, 40))
        assert same(result.objects.masks[1], rectangle(30, 10, 40, 40))
        assert result.objects.regions.tolist() == [1, 0]


def test_everything_is_taken_back_and_made_again(run: Path) -> None:
    collection = heap.open(run)
    states = [results(run)]
    for edits in (
        {"replace": {"a.png#0": BLOCK}},
        {"add": {"a.png": [BLOCK], "c.png": [LEFT]}},
        {"split": {"a.png#0": [rectangle(10, 20, 30, 30), rectangle(10, 30, 30, 50)]}},
    ):
        collection.edit_masks(**edits)
        states.append(results(run))
    for expected in states[-2::-1]:
        collection.undo()
        assert results(run) == expected
    for expected in states[1:]:
        collection.redo()
        assert results(run) == expected
    assert (collection.objects.to_pandas("drawn")["id"]).tolist() != []


def test_other_corrections_go_with_it(run: Path) -> None:
    collection = heap.open(run)
    collection.edit_masks(add={"a.png": [BLOCK]})
    collection.edit_categories(count=2)
    category = row(run, "a.png#2")["category"]
    collection.undo()
    collection.undo()
    assert len(results(run)["a.png"].objects) == 2
    collection.redo()
    collection.redo()
    assert row(run, "a.png#2")["category"] == category


def test_a_photo_that_was_worked_on_again_since_stays(run: Path) -> None:
    collection = heap.open(run)
    before = results(run)
    collection.edit_masks(replace={"a.png#0": BLOCK}, add={"b.png": [BLOCK]})
    with RunStore.create_or_open(run, {}) as store:
        (record,) = store.records(["a.png"])
        fresh = replace(record, result=before["a.png"], drawn=())
        store.add([fresh])
    collection.undo()
    assert results(run) == before


def test_damage_is_not_covered_up(run: Path) -> None:
    table = RunStore.open(run).table("objects")
    table.update(where="id = 'a.png#1'", values={"x1": 3.0})
    with pytest.raises(InputError, match="damaged"):
        heap.open(run).edit_masks(replace={"a.png#0": BLOCK})


def test_the_gallery_shows_it(run: Path) -> None:
    collection = heap.open(run)
    collection.edit_masks(replace={"a.png#0": LEFT})
    page = (run / GALLERY).read_text("utf-8")
    # The same box, so that only the mask tells them apart.
    collection.edit_masks(replace={"a.png#0": rectangle(3, 18, 28, 43)})
    assert results(run)["a.png"].objects.boxes[0].tolist() == [3, 18, 28, 43]
    now = (run / GALLERY).read_text("utf-8")
    assert now != page
    assert '"drawn": [0]' in now
    collection.undo()
    assert (run / GALLERY).read_text("utf-8") == page


def test_exports_mark_it(run: Path, tmp_path: Path) -> None:
    collection = heap.open(run)
    collection.edit_masks(add={"a.png": [BLOCK]}, replace={"a.png#1": LEFT})
    collection.export("coco", tmp_path / "coco")
    told = json.loads((tmp_path / "coco/annotations/instances_default.json").read_text())
    # The best score first: an object that a person has added is sure.
    marked = [(each["score"], each.get("source")) for each in told["annotations"][:3]]
    assert marked == [(1.0, "person"), (pytest.approx(0.9), None), (pytest.approx(0.8), "person")]
    collection.export("voc", tmp_path / "voc")
    xml = (tmp_path / "voc/Annotations/a.xml").read_text()
    assert xml.count("<source>person</source>") == 2
    collection.export("csv", tmp_path / "csv")
    lines = (tmp_path / "csv/objects.csv").read_text().splitlines()
    place = lines[0].replace('"', "").split(",").index("drawn")
    assert [line.split(",")[place] for line in lines[1:4]] == ["true", "false", "true"]
    collection.export("labelme", tmp_path / "labelme")
    shapes = json.loads((tmp_path / "labelme/a.json").read_text())["shapes"]
    assert sum("corrected by a person" in each["description"] for each in shapes) == 2
    collection.export("masks", tmp_path / "masks")
    with Image.open(tmp_path / "masks/masks/a.png") as image:
        assert np.asarray(image)[30, 20] == 1, "it covers what it is drawn over"


@pytest.mark.parametrize("seed", range(4))
def test_plain_run_lengths_come_back(seed: int) -> None:
    mask = np.random.default_rng(seed).random((7, 5)) < 0.5
    assert (from_counts(to_counts(mask), (7, 5)) == mask).all()
    assert (mask_of({"size": [7, 5], "counts": to_counts(mask)}, (5, 7), "it") == mask).all()
    assert (Rle.encode(mask).decode() == mask).all()
