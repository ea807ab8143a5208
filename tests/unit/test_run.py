"""A run of real pictures as a collection, in Python."""

import copy
import json
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import heap as package
from heap.base.errors import ConfigError, InputError, StoreError
from heap.categories.sorting import sort_objects
from heap.discovery.command import discover
from heap.images import Picture
from heap.model.heap import Heap
from heap.run import Run
from heap.store import schema
from heap.store.editing import Editor


@pytest.fixture(scope="module")
def run(heap: Heap, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("collection") / "run"
    discover(photos, out, model=heap)
    with Editor(out) as editor:
        sort_objects(editor, 2)
    return out


@pytest.fixture
def collection(run: Path) -> Run:
    return package.open(run)


def test_what_it_holds(collection: Run) -> None:
    results = list(collection.results())
    assert len(collection) == len(results) == 12
    assert len(collection.objects) == sum(len(each.objects) for each in results)
    frame = collection.objects.to_pandas()
    assert list(frame["id"]) != []
    first = next(each for each in results if len(each.objects))
    row = frame[frame["id"] == f"{first.key}#0"].iloc[0]
    assert [row[side] for side in ("x1", "y1", "x2", "y2")] == first.objects.boxes[0].tolist()
    np.testing.assert_array_equal(row["vector"], first.objects.embeddings[0])
    assert [each.id for each in collection.categories] == [1, 2]
    sizes = [len(collection.objects.to_arrow(f"category = {each}")) for each in (1, 2)]
    assert sizes == [each.size for each in collection.categories]


def test_an_image_of_the_run_finds_its_own_object(
    collection: Run, photos: Path, heap: Heap, pictures: list[Picture]
) -> None:
    picture = pictures[0]
    objects = heap([picture])[0].objects
    for image in (photos / picture.key, str(photos / picture.key), picture):
        best = collection.search(image)[0]
        assert best.id == f"{picture.key}#0"
        assert best.similarity == pytest.approx(1, abs=1e-4)
        np.testing.assert_allclose(best.box, objects.boxes[0])
    others = collection.search(object_id=best.id, count=3)
    assert best.id not in {hit.id for hit in others}
    assert len(others) == 3


def test_a_box_of_an_image_finds_the_object_in_it(collection: Run, pictures: list[Picture]) -> None:
    frame = collection.objects.to_pandas()
    row = frame[frame["key"] == pictures[0].key].iloc[0]
    box = (float(row["x1"]), float(row["y1"]), float(row["x2"]), float(row["y2"]))
    best = collection.search(pictures[0], box=box)[0]
    assert best.id == row["id"]
    assert best.similarity == pytest.approx(1, abs=1e-4)
    with pytest.raises(InputError, match=r"nothing of .* in the box"):
        collection.search(pictures[0], box=(5.0, 5.0, 5.0, 9.0))


def test_an_image_is_embedded_as_the_objects_were(
    photos: Path, heap: Heap, pictures: list[Picture], tmp_path: Path
) -> None:
    discover(photos, tmp_path / "run", model=heap, config=replace(heap.defaults, crop=64))
    best = package.open(tmp_path / "run").search(pictures[0])[0]
    assert best.id == f"{pictures[0].key}#0"
    assert best.similarity == pytest.approx(1, abs=1e-4)
    (usual,) = heap(pictures[:1])
    (small,) = heap(pictures[:1], replace(heap.defaults, crop=64))
    assert not np.allclose(usual.objects.embeddings, small.objects.embeddings, rtol=1e-3)


def test_a_run_of_an_earlier_version_is_searched_by_its_objects_only(
    run: Path, heap: Heap, pictures: list[Picture], photos: Path, tmp_path: Path
) -> None:
    old = Path(shutil.copytree(run, tmp_path / "old"))
    with Editor(old) as editor:
        config = editor.store.config
        del config["discover"]["crop"]
        editor.store.table(schema.CONFIG).update(values={"config": json.dumps(config)})
    collection = package.open(old)
    assert len(collection.search(object_id=f"{pictures[0].key}#0", count=3)) == 3
    with pytest.raises(InputError, match=r"made by an earlier version.*discover them again"):
        collection.search(pictures[0])
    with pytest.raises(ConfigError, match=r"discover\.crop \(None -> 224\)"):
        discover(photos, old, model=heap)


def test_what_cannot_be_searched(collection: Run, photos: Path, tmp_path: Path) -> None:
    image = next(photos.iterdir())
    for arguments in (
        {},
        {"image": image, "object_id": "a"},
        {"object_id": "a", "box": (0.0, 0.0, 1.0, 1.0)},
    ):
        with pytest.raises(InputError, match="search takes"):
            collection.search(**arguments)
    (tmp_path / "x.txt").write_text("nothing")
    with pytest.raises(StoreError, match="holds no run"):
        package.open(tmp_path)


def test_another_model_is_refused(collection: Run) -> None:
    with pytest.raises(InputError, match="made with another model than embedded"):
        collection.model("embedded")


def test_where_images_came_from_is_known(collection: Run, photos: Path) -> None:
    record = next(collection.store.records())
    assert record.source == str((photos / record.result.key).resolve())
    with Image.open(record.source) as image:
        assert image.size == (record.result.width, record.result.height)


def test_an_export_is_a_method_of_a_run(run: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "yolo"
    exported = package.open(run, photos=photos).export(
        "yolo", out, categories=True, split="train=0.5,val=0.5", crops=True
    )
    assert exported.folder == out
    assert sum(count.images for count in exported.splits.values()) == 12
    assert sum(path.is_file() for path in (out / "images").rglob("*")) == 12
    assert exported.crops == len(list((out / "crops").rglob("*.png"))) > 0
    with pytest.raises(InputError, match="scores are from 0 to 1"):
        package.open(run).export("csv", min_score=2.0)


def test_an_image_of_any_form_is_searched(collection: Run, photos: Path) -> None:
    path = photos / "00.png"
    with Image.open(path) as opened:
        pixels = np.array(opened)
    forms: list[Any] = [
        pixels,
        torch.from_numpy(pixels),
        Image.fromarray(pixels),
        path.read_bytes(),
    ]
    for image in forms:
        assert collection.search(image, count=np.int64(1))[0].id == "00.png#0"
    with pytest.raises(InputError, match="search takes one image"):
        collection.search([pixels])
    with pytest.raises(InputError, match="holds int64; convert it to uint8"):
        collection.search(pixels.astype(np.int64))


def test_a_box_is_four_numbers_of_any_kind(collection: Run, pictures: list[Picture]) -> None:
    row = collection.objects.to_pandas().iloc[0]
    edges = [float(row[side]) for side in ("x1", "y1", "x2", "y2")]
    boxes: list[Any] = [edges, np.array(edges), torch.tensor(edges)]
    hits = [collection.search(pictures[0], box=box) for box in boxes]
    assert hits[0] == hits[1] == hits[2]
    with pytest.raises(InputError, match="box has 2 numbers"):
        collection.search(pictures[0], box=(1, 2))


def test_categories_are_whole_numbers_of_any_kind(run: Path, tmp_path: Path) -> None:
    own = package.open(shutil.copytree(run, tmp_path / "run"))
    edited = own.edit_categories(
        count=np.int64(2), again=True, rename={np.int64(1): "disc"}, seed=np.uint8(3)
    )
    assert edited.categories[0].name == "disc"
    assert own.categories == own.categories
    assert "array" not in repr(own.categories)


def test_a_run_is_its_place(run: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.parent)
    collection = package.open("run", photos=photos)
    monkeypatch.chdir("/")
    copies = [pickle.loads(pickle.dumps(collection)), copy.deepcopy(collection)]  # noqa: S301
    for again in copies:
        assert (again, hash(again)) == (package.open(run, photos=photos), hash(collection))
        assert [each.key for each in again.results()] == [each.key for each in collection.results()]
    assert collection != package.open(run)
    objects = len(collection.objects)
    assert repr(package.open(run)) == f"Run({str(run)!r}, 12 images, {objects} objects, 0 failed)"


def test_a_notebook_shows_the_first_images(collection: Run) -> None:
    page = collection._repr_html_()
    assert page.count('<img src="data:image/jpeg;base64,') == 6
    assert "12 images" in page
    assert os.fspath(collection.store.run) in page
