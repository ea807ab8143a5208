"""Exports read again by what people read them with."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from defusedxml import ElementTree
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from runs import blobs, box_of, make_run, ring, sort_into

from heap.export.command import Choices, export
from heap.export.outlines import CENTRE, outline, pieces
from heap.export.splits import Splits
from heap.objects import largest_piece

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SIZE = (240, 320)
HOLES = ring(SIZE, (120, 160), 90, 30) & ~ring(SIZE, (120, 160), 60, 55)
BLOBS = blobs(SIZE, 1, 0.3)
THIN = np.zeros(SIZE, dtype=bool)
THIN[7, 5:200] = THIN[7:150, 200] = True
OF = {
    "one/ü 1.jpg": [HOLES],
    "one/two.jpg": [BLOBS, HOLES, THIN],
    "none.jpg": [],
    "three.jpg": [THIN, blobs(SIZE, 2, 0.5)],
}
NAMES = {1: "wheel <&\"' ü🐈", 2: ""}
MEMBERS = {"one/ü 1.jpg#0": 1, "one/two.jpg#1": 1, "one/two.jpg#0": 2, "three.jpg#1": 2}
CLASSES = [NAMES[1], "category-2", "other"]
LABELS = {
    key: [CLASSES[MEMBERS.get(f"{key}#{index}", 3) - 1] for index in range(len(masks))]
    for key, masks in OF.items()
}
SPLITS = Splits.parse("train=0.5,val=0.5", seed=4)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = make_run(tmp_path_factory.mktemp("made"), OF, SIZE)
    sort_into(found, NAMES, MEMBERS)
    return found


def iou(found: np.ndarray, mask: np.ndarray) -> float:
    return float((found & mask).sum() / (found | mask).sum())


def same(found: Any, key: str, classes: list[str]) -> None:
    """Detections of supervision are the objects of an image, in their order."""
    assert len(found) == len(OF[key])
    for place, (mask, label) in enumerate(zip(OF[key], LABELS[key], strict=True)):
        assert iou(np.asarray(found.mask[place], dtype=bool), mask) >= 0.98
        assert classes[found.class_id[place]] == label


def by_photo(dataset: Any, keys: dict[str, str]) -> dict[str, Any]:
    """The annotations of a data set by the keys of the images, which `keys` has by file name."""
    assert all(image.shape == (*SIZE, 3) for _, image, _ in dataset)
    return {keys[Path(path).name]: found for path, found in dataset.annotations.items()}


def keys_of(folder: Path, run: Path) -> dict[str, str]:
    """Keys by the names of the images in an export: copies are recognised by their content."""
    contents = {
        (run.parent / "photos" / f"{at}.png").read_bytes(): key for at, key in enumerate(OF)
    }
    return {path.name: contents[path.read_bytes()] for path in folder.glob("*.png")}


@pytest.mark.fault("F47")
@pytest.mark.parametrize("package", ["pycocotools.coco", "faster_coco_eval"])
def test_coco_by_coco_s_own_code_and_its_successor(run: Path, tmp_path: Path, package: str) -> None:
    folder = export(run, "coco", tmp_path / "out", Choices(categories=True)).folder
    coco = pytest.importorskip(package).COCO(str(folder / "annotations.json"))
    assert [each["name"] for each in coco.loadCats([1, 2, 3])] == CLASSES
    images = {each["file_name"]: each for each in coco.loadImgs(coco.getImgIds())}
    assert set(images) == set(OF)
    for key, image in images.items():
        assert (image["height"], image["width"]) == SIZE
        found = coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]], iscrowd=0))
        assert [CLASSES[each["category_id"] - 1] for each in found] == LABELS[key]
        for each, mask in zip(found, OF[key], strict=True):
            assert np.array_equal(coco.annToMask(each), mask)
            x1, y1, x2, y2 = box_of(mask)
            assert each["bbox"] == [x1, y1, x2 - x1, y2 - y1]
            assert each["area"] == mask.sum()
    scores = [each["score"] for each in coco.anns.values()]
    assert sorted(set(np.round(scores, 6))) == [0.7, 0.8, 0.9]


def test_coco_splits_by_supervision(run: Path, tmp_path: Path) -> None:
    from supervision import DetectionDataset

    choices = Choices(categories=True, splits=SPLITS, images="copy")
    folder = export(run, "coco", tmp_path / "out", choices).folder
    seen: set[str] = set()
    for split in ("train", "val"):
        images = folder / "images" / split
        dataset = DetectionDataset.from_coco(
            str(images), str(folder / f"{split}.json"), force_masks=True
        )
        assert dataset.classes == CLASSES
        found = by_photo(dataset, keys_of(images, run))
        assert all(SPLITS.of(key) == split for key in found)
        for key, each in found.items():
            same(each, key, CLASSES)
        seen |= set(found)
    assert seen == set(OF)


@pytest.mark.fault("F47")
def test_yolo_by_supervision(run: Path, tmp_path: Path) -> None:
    from supervision import DetectionDataset

    folder = export(run, "yolo", tmp_path / "out", Choices(categories=True, splits=SPLITS)).folder
    about = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    assert list(about["names"].values()) == CLASSES
    assert list(about["names"]) == [0, 1, 2]
    seen: set[str] = set()
    for split in ("train", "val"):
        images = folder / about[split]
        dataset = DetectionDataset.from_yolo(
            str(images), str(folder / "labels" / split), str(folder / "data.yaml"),
            force_masks=True,
        )  # fmt: skip
        found = by_photo(dataset, keys_of(images, run))
        for key, each in found.items():
            same(each, key, dataset.classes)
        seen |= set(found)
    assert seen == set(OF)


def test_yolo_as_its_trainer_draws_it(run: Path, tmp_path: Path) -> None:
    """Ultralytics cuts coordinates off where supervision rounds them."""
    from supervision import polygon_to_mask

    folder = export(run, "yolo", tmp_path / "out").folder
    about = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    assert about["train"] == about["val"] == "images/train"
    keys = {Path(name).stem: key for name, key in keys_of(folder / about["train"], run).items()}
    for path in (folder / "labels" / "train").iterdir():
        lines = path.read_text().splitlines()
        for line, mask in zip(lines, OF[keys[path.stem]], strict=True):
            number, *shares = line.split()
            assert number == "0"
            points = np.array(shares, dtype=np.float32).reshape(-1, 2)
            assert points.min() >= 0
            assert points.max() <= 1
            found = polygon_to_mask((points * SIZE[::-1]).astype(np.int32), SIZE[::-1])
            assert iou(found.astype(bool), mask) >= 0.98


def test_voc_by_supervision(run: Path, tmp_path: Path) -> None:
    from supervision import DetectionDataset

    folder = export(run, "voc", tmp_path / "out", Choices(categories=True)).folder
    dataset = DetectionDataset.from_pascal_voc(
        str(folder / "JPEGImages"), str(folder / "Annotations"), force_masks=True
    )
    stems = {path.stem: path for path in (folder / "Annotations").iterdir()}
    found = {}
    for path, each in dataset.annotations.items():
        found[name_of(stems[Path(path).stem], folder)] = each
    assert set(found) == set(OF)
    for key, each in found.items():
        same(each, key, dataset.classes)
        boxes = [box_of(mask) for mask in OF[key]]
        assert each.xyxy.tolist() == boxes


def name_of(annotation: Path, folder: Path) -> str:
    """The key of an image: an image is known by its masks, which are VOC's in a PNG."""
    root = ElementTree.parse(annotation).getroot()
    assert (folder / "JPEGImages" / str(root.findtext("filename"))).is_file()
    with Image.open(folder / "SegmentationObject" / f"{annotation.stem}.png") as image:
        values = np.asarray(image)
    (key,) = (key for key, masks in OF.items() if np.array_equal(numbered(masks), values))
    return key


def numbered(masks: list[np.ndarray]) -> np.ndarray:
    """A label map in which a better object covers a lower one."""
    values = np.zeros(SIZE, dtype=np.uint8)
    for number, mask in reversed(list(enumerate(masks, start=1))):
        values[mask] = number
    return values


@pytest.mark.fault("F47")
def test_voc_as_the_devkit_has_it(run: Path, tmp_path: Path) -> None:
    root = tmp_path / "VOCdevkit" / "VOC2012"
    folder = export(run, "voc", root, Choices(categories=True, splits=SPLITS)).folder
    stems = {path.stem for path in (folder / "Annotations").iterdir()}
    for kind in ("Main", "Segmentation"):
        lists = [(folder / "ImageSets" / kind / f"{split}.txt") for split in ("train", "val")]
        assert {line for path in lists for line in path.read_text().splitlines()} == stems
    assert {path.stem for path in (folder / "JPEGImages").glob("*.jpg")} == stems
    for stem in stems:
        key = name_of(folder / "Annotations" / f"{stem}.xml", folder)
        with Image.open(folder / "SegmentationClass" / f"{stem}.png") as image:
            assert image.mode == "P"
            # VOC's aeroplane is 128 0 0, its bicycle 0 128 0, its bird 128 128 0.
            assert (image.getpalette() or [])[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
            values = np.asarray(image)
        expected = np.zeros(SIZE, dtype=np.uint8)
        for mask, label in reversed(list(zip(OF[key], LABELS[key], strict=True))):
            expected[mask] = CLASSES.index(label) + 1
        assert np.array_equal(values, expected)


LABELME: dict[str, Any] = {
    "version": str,
    "flags": dict,
    "shapes": list,
    "imagePath": str,
    "imageData": type(None),
    "imageHeight": int,
    "imageWidth": int,
}
"""What LabelMe's `LabelFile.load` takes from a file, and of which type."""
SHAPE: dict[str, Any] = {
    "label": str,
    "points": list,
    "group_id": (int, type(None)),
    "description": str,
    "shape_type": str,
    "flags": dict,
    "mask": type(None),
}


def labelme_mask(points: list[list[float]]) -> np.ndarray:
    """As LabelMe's own `shape_to_mask` draws a polygon."""
    image = Image.new("1", SIZE[::-1])
    ImageDraw.Draw(image).polygon([(x, y) for x, y in points], outline=1, fill=1)
    return np.asarray(image)


@pytest.mark.fault("F47")
def test_labelme_by_its_schema(run: Path, tmp_path: Path) -> None:
    folder = export(run, "labelme", tmp_path / "out", Choices(categories=True)).folder
    keys = keys_of(folder, run)
    assert set(keys.values()) == set(OF)
    for path in folder.glob("*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        assert set(content) == set(LABELME)
        assert all(isinstance(content[name], kind) for name, kind in LABELME.items())
        assert (content["imageHeight"], content["imageWidth"]) == SIZE
        objects: dict[int, np.ndarray] = {}
        labels = {}
        for shape in content["shapes"]:
            assert set(shape) == set(SHAPE)
            assert all(isinstance(shape[name], kind) for name, kind in SHAPE.items())
            assert shape["shape_type"] == "polygon"
            name, _, score = shape["description"].partition(", score ")
            index = int(name.rpartition("#")[2])
            assert name == f"{keys[content['imagePath']]}#{index}"
            assert float(score) == pytest.approx(0.9 - 0.1 * index)
            assert shape["group_id"] in (None, index + 1)
            labels[index] = shape["label"]
            objects[index] = objects.get(index, np.zeros(SIZE, bool)) | labelme_mask(
                shape["points"]
            )
        key = keys[content["imagePath"]]
        assert [labels[index] for index in sorted(labels)] == LABELS[key]
        for index, mask in enumerate(OF[key]):
            if mask is not THIN:  # LabelMe fills lines of one pixel to two.
                assert iou(objects[index], mask) >= 0.98


def test_labelme_by_supervision(run: Path, tmp_path: Path) -> None:
    from supervision import DetectionDataset

    folder = export(run, "labelme", tmp_path / "out", Choices(categories=True)).folder
    dataset = DetectionDataset.from_labelme(str(folder), str(folder))
    found = by_photo(dataset, keys_of(folder, run))
    assert set(found) == set(OF)
    for key, each in found.items():
        same(each, key, dataset.classes)


def check_rows(rows: list[dict[str, Any]]) -> None:
    from pycocotools import mask as coco_mask

    assert [row["id"] for row in rows] == [
        f"{key}#{index}" for key in sorted(OF) for index in range(len(OF[key]))
    ]
    for row in rows:
        key, _, index = row["id"].rpartition("#")
        mask = OF[key][int(index)]
        size = [int(row["mask_height"]), int(row["mask_width"])]
        found = coco_mask.decode({"size": size, "counts": row["mask_counts"].encode()})
        assert np.array_equal(found, mask)
        assert [float(row[side]) for side in ("x1", "y1", "x2", "y2")] == box_of(mask)
        assert int(row["area"]) == mask.sum()
        assert row["label"] == LABELS[key][int(index)]
        assert float(row["score"]) == pytest.approx(0.9 - 0.1 * int(index))
        assert row["image"] == key
        assert row["split"] == SPLITS.of(key)
        assert Path(row["source"]).is_file()


@pytest.mark.fault("F47")
def test_csv_by_the_standard_library_and_pyarrow(run: Path, tmp_path: Path) -> None:
    from pyarrow.csv import read_csv

    folder = export(run, "csv", tmp_path / "out", Choices(categories=True, splits=SPLITS)).folder
    with (folder / "objects.csv").open(newline="", encoding="utf-8") as file:
        check_rows(list(csv.DictReader(file)))
    check_rows(read_csv(folder / "objects.csv").to_pylist())


@pytest.mark.fault("F47")
def test_parquet_by_pyarrow(run: Path, tmp_path: Path) -> None:
    from pyarrow.parquet import read_table

    from heap.collection.store import RunStore

    choices = Choices(categories=True, splits=SPLITS)
    folder = export(run, "parquet", tmp_path / "out", choices).folder
    rows = read_table(folder / "objects.parquet").to_pylist()
    check_rows(rows)
    vectors = np.concatenate([each.objects.embeddings for each in RunStore.open(run).results()])
    assert np.array_equal([row["vector"] for row in rows], vectors)


def test_csv_and_parquet_by_pandas(run: Path, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    choices = Choices(categories=True, splits=SPLITS)
    table = export(run, "csv", tmp_path / "csv", choices).folder / "objects.csv"
    check_rows(pandas.read_csv(table).to_dict("records"))
    columns = export(run, "parquet", tmp_path / "parquet", choices).folder / "objects.parquet"
    found = pandas.read_parquet(columns)
    check_rows(found.to_dict("records"))
    assert np.stack(found["vector"]).shape == (6, 3)


def test_label_maps_by_pillow(run: Path, tmp_path: Path) -> None:
    folder = export(run, "masks", tmp_path / "out", Choices(categories=True)).folder
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    files = {row["image"]: row["file"] for row in rows}
    for key, name in files.items():
        with Image.open(folder / "masks" / name) as image:
            assert np.array_equal(np.asarray(image), numbered(OF[key]))
        assert [row["label"] for row in rows if row["image"] == key] == LABELS[key]
    assert len(list((folder / "masks").iterdir())) == len(OF)


@pytest.mark.fault("F47")
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(200, 500),
    width=st.integers(200, 500),
    share=st.floats(0.3, 0.8),
)
@settings(max_examples=8)
def test_polygons_come_back_by_the_rasterisers_of_their_readers(
    seed: int, height: int, width: int, share: float
) -> None:
    from supervision import polygon_to_mask

    mask = blobs((height, width), seed, share)
    whole = outline(mask)
    assert whole is not None
    points = whole + CENTRE
    for drawn in (np.rint(points), np.floor(points)):
        found = polygon_to_mask(drawn.astype(np.int32), (width, height))
        assert iou(found.astype(bool), mask) >= 0.98
    image = Image.new("1", (width, height))
    for each in pieces(mask):
        corners = [(x, y) for x, y in (each + CENTRE).tolist()]
        ImageDraw.Draw(image).polygon(corners, outline=1, fill=1)
    # A hole of one piece may hold another one, but it is drawn as background only there.
    assert iou(np.asarray(image), mask) >= 0.98


@given(seed=st.integers(0, 10_000), side=st.integers(6, 20), share=st.floats(0.3, 0.7))
@settings(max_examples=40)
def test_small_masks_come_back_exactly(seed: int, side: int, share: float) -> None:
    small_mask_comes_back(largest_piece(blobs((side, side), seed, share, 1)))


@pytest.mark.parametrize(
    "rows",
    [
        ("001110", "111111", "111111", "111110", "001100"),
        ("111", "110", "010"),
        ("0011", "1110", "0010"),
        ("100", "100", "100", "111"),
    ],
)
def test_small_masks_that_were_found_in_photos_come_back_exactly(rows: tuple[str, ...]) -> None:
    small_mask_comes_back(np.array([[each == "1" for each in row] for row in rows]))


def small_mask_comes_back(part: np.ndarray) -> None:
    """All rasterisers give it back from its ring, although few pixels are easily lost."""
    from supervision import polygon_to_mask

    mask = np.pad(part, 3)
    whole = outline(mask)
    assert whole is not None
    for drawn in (np.rint(whole + CENTRE), np.floor(whole + CENTRE)):
        found = polygon_to_mask(drawn.astype(np.int32), mask.shape[::-1])
        assert np.array_equal(found.astype(bool), mask)
    image = Image.new("1", mask.shape[::-1])
    (piece,) = pieces(mask)
    corners = [(x, y) for x, y in (piece + CENTRE).tolist()]
    ImageDraw.Draw(image).polygon(corners, outline=1, fill=1)
    assert np.array_equal(np.asarray(image), mask)
