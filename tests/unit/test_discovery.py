import math
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from profiles import swapped_profile

import heap as package
from heap.base.errors import ConfigError, InputError
from heap.base.files import file_stem
from heap.categories.drawing import MaskEdits, edit_masks
from heap.categories.edit import reject_objects
from heap.categories.sorting import sort_objects
from heap.config import DiscoverConfig
from heap.discovery.command import discover
from heap.discovery.outcome import Discovery
from heap.discovery.pictures import save_masks
from heap.images import Picture
from heap.model.heap import Heap
from heap.results import Rle
from heap.store.editing import Editor
from heap.store.store import RunStore

CONFIG = DiscoverConfig(chunk=5, batch=3, save=())
REPORTS = ("objects.json", "failed.jsonl", "gallery.html")


@pytest.fixture(scope="module")
def whole(heap: Heap, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Discovery:
    return discover(photos, tmp_path_factory.mktemp("whole") / "run", model=heap, config=CONFIG)


def assert_same(ours: Discovery, theirs: Discovery) -> None:
    for name in REPORTS:
        assert (ours.folder / name).read_bytes() == (theirs.folder / name).read_bytes()


def test_a_run_holds_what_the_model_says(
    whole: Discovery, heap: Heap, pictures: list[Picture]
) -> None:
    for ours, theirs in zip(whole.results(), heap(pictures, CONFIG), strict=True):
        assert ours.key == theirs.key
        assert ours.to_coco() == theirs.to_coco()
        np.testing.assert_array_equal(ours.saliency, theirs.saliency)
    assert whole.images == whole.counts.done + whole.counts.empty == 12
    assert whole.rate > 0


@pytest.mark.parametrize("limit", [1, 5, 7])
def test_a_limit_can_be_lifted_later(
    limit: int, heap: Heap, photos: Path, whole: Discovery, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    first = discover(photos, out, model=heap, config=CONFIG, limit=limit)
    assert first.images == first.counts.done + first.counts.empty == limit
    second = discover(photos, out, model=heap, config=CONFIG)
    assert second.images == 12 - limit
    # The title of the gallery is the name of the folder, which is the same.
    assert_same(second, whole)


def test_images_can_be_added_later(
    heap: Heap, photos: Path, whole: Discovery, tmp_path: Path
) -> None:
    growing = tmp_path / "photos"
    growing.mkdir()
    for path in sorted(photos.iterdir())[:10]:
        shutil.copy(path, growing)
    discover(growing, tmp_path / "run", model=heap, config=CONFIG)
    for path in sorted(photos.iterdir())[10:]:
        shutil.copy(path, growing)
    grown = discover(growing, tmp_path / "run", model=heap, config=CONFIG)
    assert grown.images == 2
    assert_same(grown, whole)


def test_corrections_stay_when_images_are_added(heap: Heap, photos: Path, tmp_path: Path) -> None:
    growing = Path(shutil.copytree(photos, tmp_path / "photos"))
    discover(growing, tmp_path / "run", model=heap, config=CONFIG)
    with Editor(tmp_path / "run") as editor:
        sort_objects(editor, 2)
        ids = RunStore.open(tmp_path / "run").table("objects").to_arrow()["id"].to_pylist()
        reject_objects(editor, ids[:3])

    def said() -> dict[str, tuple[int, bool]]:
        table = RunStore.open(tmp_path / "run").table("objects").to_arrow().to_pylist()
        return {row["id"]: (row["category"], row["rejected"]) for row in table}

    before = said()
    # It comes first, and so into every chunk another image.
    shutil.copy(next(iter(sorted(photos.iterdir()))), growing / "0 new.png")
    grown = discover(growing, tmp_path / "run", model=heap, config=CONFIG)
    assert grown.images == 1
    after = said()
    assert {each: after[each] for each in before} == before
    assert sum(rejected for _, rejected in after.values()) == 3


def test_it_works_in_any_thread(heap: Heap, photos: Path, whole: Discovery, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(discover, photos, tmp_path / "run", model=heap, config=CONFIG).result()
    assert_same(run, whole)


def test_a_timeout_that_no_clock_can_count_is_refused(
    heap: Heap, photos: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"timeout is inf; it has to be from 0 to 1000000"):
        discover(photos, tmp_path / "run", model=heap, timeout=math.inf)


def test_another_configuration_or_folder_is_refused(
    heap: Heap, photos: Path, whole: Discovery, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"discover\.merge \(0\.6 -> 0\.5\)"):
        discover(photos, whole.folder, model=heap, config=replace(CONFIG, merge=0.5))
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no run"):
        discover(photos, tmp_path, model=heap, config=CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_label_maps_number_the_objects(heap: Heap, photos: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, save=("masks", "regions", "overlays"))
    run = discover(photos, tmp_path / "run", model=heap, config=config)
    for kind in config.save:
        assert len(list((run.folder / kind).iterdir())) == 12
    for result in run.results():
        with Image.open(run.folder / "masks" / f"{file_stem(result.key)}.png") as image:
            labels = np.asarray(image)
        assert labels.shape == (result.height, result.width)
        assert labels.max() == len(result.objects)
        for number, mask in enumerate(result.objects.masks, start=1):
            np.testing.assert_array_equal(labels == number, mask.decode())


def test_a_pixel_of_several_objects_belongs_to_the_best(
    heap: Heap, pictures: list[Picture], tmp_path: Path
) -> None:
    (result,) = heap(pictures[:1])
    masks = [np.zeros((result.height, result.width), dtype=bool) for _ in range(3)]
    masks[0][:2, :2], masks[1][:4, :3], masks[2][1:6, 1:6] = True, True, True
    objects = replace(result.objects, masks=tuple(map(Rle.encode, masks)))
    save_masks(replace(result, objects=objects), tmp_path)
    (path,) = tmp_path.iterdir()
    with Image.open(path) as image:
        labels = np.asarray(image)[:7, :7]
    assert ["".join(map(str, row)) for row in labels.tolist()] == [
        "1120000", "1123330", "2223330", "2223330", "0333330", "0333330", "0000000",
    ]  # fmt: skip


def test_a_label_map_ends_with_255(heap: Heap, pictures: list[Picture], tmp_path: Path) -> None:
    (result,) = heap(pictures[:1])
    masks = []
    for number in range(300):
        mask = np.zeros((result.height, result.width), dtype=bool)
        mask[number // 90, number % 90] = True
        masks.append(Rle.encode(mask))
    many = replace(result, objects=replace(result.objects, masks=tuple(masks)))
    save_masks(many, tmp_path)
    (path,) = tmp_path.iterdir()
    with Image.open(path) as image:
        labels = np.asarray(image)
    assert sorted(np.unique(labels)) == list(range(256))


def test_a_photo_with_a_profile_has_its_colours_in_the_gallery_and_the_overlays(
    heap: Heap, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    red = Image.new("RGB", (64, 64), (250, 0, 0))
    red.save(tmp_path / "photos" / "a.png", icc_profile=swapped_profile())
    config = replace(CONFIG, save=("overlays",), min_score=1.0)
    run = discover(tmp_path / "photos", tmp_path / "run", model=heap, config=config)
    (record,) = RunStore.open(run.folder).records()
    (overlay,) = (run.folder / "overlays").iterdir()
    for file in (BytesIO(record.thumbnail), overlay):
        with Image.open(file) as image:
            shown = np.asarray(image.convert("RGB")).astype(int)
        assert np.abs(shown - [0, 250, 0]).max() <= 4


def test_corrected_masks_stay_and_get_their_embeddings(
    heap: Heap, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    discover(photos, out, model=heap, config=CONFIG, limit=5)
    collection = package.open(out)
    first = next(result for result in collection.results() if len(result.objects))
    mask = np.zeros((first.height, first.width), dtype=bool)
    mask[3:40, 5:60] = True

    def unable(key: str, boxes: object) -> np.ndarray:
        raise InputError("the model is elsewhere")

    with Editor(out) as editor:
        edits = MaskEdits({f"{first.key}#0": mask}, {first.key: [mask]})
        edited = edit_masks(editor, edits, unable)
    assert edited.reason == "the model is elsewhere"
    assert edited.outdated == edited.ids
    again = discover(photos, out, model=heap, config=CONFIG, limit=5)
    assert again.images == 0
    objects = next(result for result in collection.results() if result.key == first.key).objects
    assert (objects.masks[0].decode() == mask).all()
    assert (objects.masks[-1].decode() == mask).all()
    assert len(objects) == len(first.objects) + 1
    assert collection.search(object_id=edited.ids[0]).outdated == 0
    # Both have one box, and so one embedding.
    np.testing.assert_array_equal(objects.embeddings[0], objects.embeddings[-1])
    assert np.linalg.norm(objects.embeddings[0]) > 0
    collection.undo()
    (back,) = (result for result in collection.results() if result.key == first.key)
    assert back == first
