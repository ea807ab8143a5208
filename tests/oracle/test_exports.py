"""Exports read again by what people read them with."""

import csv
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from defusedxml import ElementTree
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from properties import examples
from runs import blobs, box_of, make_run, ring, sort_into

from heap.export.command import Choices, export
from heap.export.splits import Splits
from heap.masks.outlines import CENTRE, outline, pieces
from heap.model.objects import largest_piece

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


def least(mask: np.ndarray, *, joined: bool = False) -> float:
    """IoU that a mask must come back with; seams cost a little where its pieces are `joined`."""
    return 0.98 if joined and largest_piece(mask).sum() < mask.sum() else 0.99


def same(found: Any, key: str, classes: list[str], *, joined: bool = False) -> None:
    """Detections of supervision are the objects of an image, in their order."""
    assert len(found) == len(OF[key])
    for place, (mask, label) in enumerate(zip(OF[key], LABELS[key], strict=True)):
        assert iou(np.asarray(found.mask[place], dtype=bool), mask) >= least(mask, joined=joined)
        assert classes[found.class_id[place]] == label


def key_at(path: Path, folder: Path) -> str:
    """The key of the image whose file in an export this is: it has the photo's name."""
    (key,) = (key for key in OF if key == f"{path.relative_to(folder).with_suffix('')}.jpg")
    return key


def by_photo(dataset: Any, folder: Path, run: Path) -> dict[str, Any]:
    """The annotations of a data set whose images lie in `folder` by the keys of the images."""
    assert all(image.shape == (*SIZE, 3) for _, image, _ in dataset)
    found = {key_at(Path(path), folder): each for path, each in dataset.annotations.items()}
    for path in map(Path, dataset.annotations):
        photo = run.parent / "photos" / f"{[*OF].index(key_at(path, folder))}.png"
        assert path.suffix == ".jpg" or path.read_bytes() == photo.read_bytes()
    return found


def folders_of(folder: Path) -> list[Path]:
    """The folders with files in them, which supervision reads one by one."""
    return sorted({path.parent for path in folder.rglob("*") if path.is_file()})


@pytest.mark.fault("F47")
@pytest.mark.parametrize("package", ["pycocotools.coco", "faster_coco_eval"])
def test_coco_by_coco_s_own_code_and_its_successor(run: Path, tmp_path: Path, package: str) -> None:
    folder = export(run, "coco", tmp_path / "out", Choices(categories=True)).folder
    coco = import_module(package).COCO(str(folder / "annotations" / "instances_default.json"))
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


def test_coco_polygons_by_coco_s_own_code_and_as_label_studio_takes_them(
    run: Path, tmp_path: Path
) -> None:
    from pycocotools.coco import COCO

    folder = export(run, "coco-polygons", tmp_path / "out", Choices(categories=True)).folder
    found = COCO(str(folder / "annotations" / "instances_default.json"))
    assert {image["file_name"] for image in found.imgs.values()} == OF.keys()
    for image in found.loadImgs(found.getImgIds()):
        masks = OF[image["file_name"]]
        annotations = found.loadAnns(found.getAnnIds(imgIds=[image["id"]]))
        for each, mask in zip(annotations, masks, strict=True):
            assert iou(found.annToMask(each).astype(bool), mask) >= 0.99
            assert (each["iscrowd"], each["area"]) == (0, mask.sum())
            # Its converter reads each as x1, y1, x2, y2, ...; run lengths end it with an error.
            for polygon in each["segmentation"]:
                assert len(polygon) % 2 == 0
                assert len(polygon) >= 6
                points = np.array(polygon).reshape(-1, 2)
                assert ((points > 0) & (points < SIZE[::-1])).all()


def test_coco_splits_by_supervision(run: Path, tmp_path: Path) -> None:
    from supervision import DetectionDataset

    choices = Choices(categories=True, splits=SPLITS, images="copy")
    folder = export(run, "coco", tmp_path / "out", choices).folder
    seen: set[str] = set()
    for split in ("train", "val"):
        images = folder / "images" / split
        dataset = DetectionDataset.from_coco(
            str(images), str(folder / "annotations" / f"instances_{split}.json"), force_masks=True
        )
        assert dataset.classes == CLASSES
        found = by_photo(dataset, images, run)
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
        for place in folders_of(images):
            labels = folder / "labels" / split / place.relative_to(images)
            dataset = DetectionDataset.from_yolo(
                str(place), str(labels), str(folder / "data.yaml"), force_masks=True
            )
            found = by_photo(dataset, images, run)
            for key, each in found.items():
                same(each, key, dataset.classes, joined=True)
            seen |= set(found)
    assert seen == set(OF)


def test_yolo_boxes_by_supervision(run: Path, tmp_path: Path) -> None:
    from supervision import DetectionDataset

    folder = export(run, "yolo-detect", tmp_path / "out", Choices(categories=True)).folder
    images, seen = folder / "images" / "train", set()
    for place in folders_of(images):
        labels = folder / "labels" / "train" / place.relative_to(images)
        dataset = DetectionDataset.from_yolo(str(place), str(labels), str(folder / "data.yaml"))
        assert dataset.classes == CLASSES
        for key, each in by_photo(dataset, images, run).items():
            assert [CLASSES[number] for number in each.class_id] == LABELS[key]
            for box, mask in zip(each.xyxy, OF[key], strict=True):
                assert box == pytest.approx(box_of(mask), abs=0.01)
            seen.add(key)
    assert seen == set(OF)


def labels_by_its_trainer(image: str) -> str:
    """Ultralytics' `img2label_paths`: the last folder called images becomes one called labels."""
    return "/labels/".join(image.rsplit("/images/", 1)).rsplit(".", 1)[0] + ".txt"


def test_yolo_as_its_trainer_draws_it(run: Path, tmp_path: Path) -> None:
    """Ultralytics cuts coordinates off where supervision rounds them."""
    from supervision import polygon_to_mask

    folder = export(run, "yolo", tmp_path / "out").folder
    about = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    assert about["train"] == about["val"] == "images/train"
    images = folder / about["train"]
    for image in images.rglob("*.png"):
        path = Path(labels_by_its_trainer(str(image)))
        lines = path.read_text().splitlines()
        for line, mask in zip(lines, OF[key_at(image, images)], strict=True):
            number, *shares = line.split()
            assert number == "0"
            points = np.array(shares, dtype=np.float32).reshape(-1, 2)
            assert points.min() >= 0
            assert points.max() <= 1
            found = polygon_to_mask((points * SIZE[::-1]).astype(np.int32), SIZE[::-1])
            assert iou(found.astype(bool), mask) >= least(mask, joined=True)


def test_voc_by_supervision(run: Path, tmp_path: Path) -> None:
    from supervision import DetectionDataset

    folder = export(run, "voc", tmp_path / "out", Choices(categories=True)).folder
    images, seen = folder / "JPEGImages", set()
    for place in folders_of(images):
        annotations = folder / "Annotations" / place.relative_to(images)
        dataset = DetectionDataset.from_pascal_voc(str(place), str(annotations), force_masks=True)
        for key, each in by_photo(dataset, images, run).items():
            same(each, key, dataset.classes)
            assert each.xyxy.tolist() == [box_of(mask) for mask in OF[key]]
            seen.add(key)
    assert seen == set(OF)


@pytest.mark.fault("F47")
def test_voc_as_the_devkit_has_it(run: Path, tmp_path: Path) -> None:
    root = tmp_path / "VOCdevkit" / "VOC2012"
    folder = export(run, "voc", root, Choices(categories=True, splits=SPLITS)).folder
    stems = {key.removesuffix(".jpg") for key in OF}
    for kind in ("Main", "Segmentation"):
        lists = [(folder / "ImageSets" / kind / f"{split}.txt") for split in ("train", "val")]
        names = [line for path in lists for line in path.read_text("utf-8").splitlines()]
        assert set(names) == stems
    for key in OF:
        name = key.removesuffix(".jpg")
        root = ElementTree.parse(folder / "Annotations" / f"{name}.xml").getroot()
        assert root.findtext("filename") == key
        assert (folder / "JPEGImages" / key).is_file()
        assert [each.text for each in root.iterfind("object/name")] == LABELS[key]
        with Image.open(folder / "SegmentationObject" / f"{name}.png") as image:
            assert np.array_equal(np.asarray(image), numbered(OF[key]))
        with Image.open(folder / "SegmentationClass" / f"{name}.png") as image:
            assert image.mode == "P"
            # VOC's aeroplane is 128 0 0, its bicycle 0 128 0, its bird 128 128 0.
            assert (image.getpalette() or [])[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
            values = np.asarray(image)
        expected = np.zeros(SIZE, dtype=np.uint8)
        for mask, label in reversed(list(zip(OF[key], LABELS[key], strict=True))):
            expected[mask] = CLASSES.index(label) + 1
        assert np.array_equal(values, expected)
    # As CVAT and Datumaro read it: four fields, the second a colour; # begins a comment.
    lines = (folder / "labelmap.txt").read_text("utf-8").splitlines()
    fields = [line.split(":") for line in lines if not line.startswith("#")]
    assert fields == [
        ["background", "0,0,0", "", ""],
        [CLASSES[0], "128,0,0", "", ""],
        [CLASSES[1], "0,128,0", "", ""],
        [CLASSES[2], "128,128,0", "", ""],
    ]


def numbered(masks: list[np.ndarray]) -> np.ndarray:
    """A label map in which a better object covers a lower one."""
    values = np.zeros(SIZE, dtype=np.uint8)
    for number, mask in reversed(list(enumerate(masks, start=1))):
        values[mask] = number
    return values


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
    paths = list(folder.rglob("*.json"))
    assert {key_at(path, folder) for path in paths} == set(OF)
    for path in paths:
        key = key_at(path, folder)
        assert (path.parent / json.loads(path.read_text("utf-8"))["imagePath"]).is_file()
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
            assert name == f"{key}#{index}"
            assert float(score) == pytest.approx(0.9 - 0.1 * index)
            assert shape["group_id"] in (None, index + 1)
            labels[index] = shape["label"]
            objects[index] = objects.get(index, np.zeros(SIZE, bool)) | labelme_mask(
                shape["points"]
            )
        assert [labels[index] for index in sorted(labels)] == LABELS[key]
        for index, mask in enumerate(OF[key]):
            if mask is not THIN:  # LabelMe fills lines of one pixel to two.
                assert iou(objects[index], mask) >= 0.99


def test_labelme_by_supervision(run: Path, tmp_path: Path) -> None:
    from supervision import DetectionDataset

    folder = export(run, "labelme", tmp_path / "out", Choices(categories=True)).folder
    seen = set()
    for place in (folder, folder / "one"):
        dataset = DetectionDataset.from_labelme(str(place), str(place))
        found = by_photo(dataset, folder, run)
        for key, each in found.items():
            same(each, key, dataset.classes)
        seen |= set(found)
    assert seen == set(OF)


OF_OBJECT = ("id", "label", "score", "x1", "y1", "x2", "y2", "area", "mask_counts")
"""What an image without an object has not got."""


def check_rows(rows: list[dict[str, Any]]) -> None:
    from pycocotools import mask as coco_mask

    assert [row["image"] for row in rows] == [
        key for key in sorted(OF) for _ in range(max(1, len(OF[key])))
    ]
    (empty,) = (row for row in rows if row["image"] == "none.jpg")
    # pandas has nan for nothing, the standard library "".
    assert all(empty[name] in ("", None) or empty[name] != empty[name] for name in OF_OBJECT)
    assert (empty["split"], int(empty["mask_height"])) == (SPLITS.of("none.jpg"), SIZE[0])
    rows = [row for row in rows if row is not empty]
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

    from heap.store.store import RunStore

    choices = Choices(categories=True, splits=SPLITS)
    folder = export(run, "parquet", tmp_path / "out", choices).folder
    rows = read_table(folder / "objects.parquet").to_pylist()
    check_rows(rows)
    vectors = np.concatenate([each.objects.embeddings for each in RunStore.open(run).results()])
    assert np.array_equal([row["vector"] for row in rows if row["id"]], vectors)


def test_csv_and_parquet_by_pandas(run: Path, tmp_path: Path) -> None:
    import pandas

    choices = Choices(categories=True, splits=SPLITS)
    table = export(run, "csv", tmp_path / "csv", choices).folder / "objects.csv"
    check_rows(pandas.read_csv(table).to_dict("records"))
    columns = export(run, "parquet", tmp_path / "parquet", choices).folder / "objects.parquet"
    found = pandas.read_parquet(columns)
    check_rows(found.to_dict("records"))
    assert np.stack(found["vector"].dropna()).shape == (6, 3)


def test_label_maps_by_pillow(run: Path, tmp_path: Path) -> None:
    folder = export(run, "masks", tmp_path / "out", Choices(categories=True)).folder
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    files = {row["image"]: row["file"] for row in rows}
    for key, name in files.items():
        with Image.open(folder / "masks" / name) as image:
            assert np.array_equal(np.asarray(image), numbered(OF[key]))
        assert name == key.replace(".jpg", ".png")
        assert [row["label"] for row in rows if row["image"] == key] == (LABELS[key] or [""])
    assert set(files) == set(OF)
    assert len(list((folder / "masks").rglob("*.png"))) == len(OF)


@pytest.mark.fault("F47")
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(200, 500),
    width=st.integers(200, 500),
    share=st.floats(0.3, 0.8),
)
@settings(max_examples=examples(8))
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
        assert iou(found.astype(bool), mask) >= least(mask, joined=True)
    image = Image.new("1", (width, height))
    for each in pieces(mask):
        corners = [(x, y) for x, y in (each + CENTRE).tolist()]
        ImageDraw.Draw(image).polygon(corners, outline=1, fill=1)
    # A hole of one piece may hold another one, but it is drawn as background only there.
    assert iou(np.asarray(image), mask) >= 0.99


@given(seed=st.integers(0, 10_000), side=st.integers(6, 20), share=st.floats(0.3, 0.7))
@settings(max_examples=examples(40))
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
