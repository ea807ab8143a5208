from pathlib import Path

import numpy as np
import pytest
from miniatures import HEIGHT, WIDTH, plane, voc, voc_xml

from heap.base.errors import InputError
from heap.benchmark.datasets import open_dataset
from heap.benchmark.truth import VOID

DETECTION = {"Main/trainval": ["2", "1", "3"], "Main/train": ["1"], "Main/val": ["2", "3"]}
SEGMENTATION = {"Segmentation/train": ["2007_2", "2007_1"], "Segmentation/val": ["2007_3"]}


def keys(spec: str, limit: int | None = None) -> list[tuple[str, str]]:
    return [(each.split, each.key) for each in open_dataset(spec, limit).examples]


@pytest.mark.parametrize("year", ["2007", "2012"])
def test_detection_is_trainval_by_name(year: str, tmp_path: Path) -> None:
    voc(tmp_path, year, DETECTION)
    assert keys(f"voc{year}:{tmp_path}") == [
        ("trainval", "1.jpg"), ("trainval", "2.jpg"), ("trainval", "3.jpg"),
    ]  # fmt: skip
    assert keys(f"voc{year}:{tmp_path}", 1) == [("trainval", "1.jpg")]
    example = open_dataset(f"voc{year}:{tmp_path}").examples[0]
    truth = example.truth(example.picture())
    # VOC's 2, 3, 6, 7; what is truncated and difficult counts, and the parts of an object do not.
    assert truth.boxes.tolist() == [[1, 2, 6, 7]]
    assert truth.crowds.tolist() == [False]
    assert truth.foreground is truth.classes is truth.instances is truth.void is None


def test_any_folder_above_the_images_will_do(tmp_path: Path) -> None:
    root = voc(tmp_path, "2007", DETECTION)
    for place in (tmp_path, root.parent, root):
        assert open_dataset(f"voc2007:{place}").place == root


def test_other_splits_on_request(tmp_path: Path) -> None:
    voc(tmp_path, "2007", DETECTION | {"Main/test": ["9"]})
    dataset = open_dataset(f"voc2007:{tmp_path}", splits=("train", "test"))
    assert [(each.split, each.key) for each in dataset.examples] == [
        ("train", "1.jpg"), ("test", "9.jpg"),
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"trainval\.txt, line 2: '1' is also in .*train\.txt"):
        open_dataset(f"voc2007:{tmp_path}", splits=("train", "trainval"))
    with pytest.raises(InputError, match="no split 'all'; it has trainval, train, val, test"):
        open_dataset(f"voc2007:{tmp_path}", splits=("all",))


def test_segmentation(tmp_path: Path) -> None:
    voc(tmp_path, "2012", SEGMENTATION, ["SegmentationClass"])
    dataset = open_dataset(f"voc2012-seg:{tmp_path}")
    assert [(each.split, each.key) for each in dataset.examples] == [
        ("train", "2007_1.jpg"), ("train", "2007_2.jpg"), ("val", "2007_3.jpg"),
    ]  # fmt: skip
    assert (len(dataset.classes), dataset.classes[12]) == (21, "dog")
    assert keys(f"voc2012-seg:{tmp_path}", 1) == [("train", "2007_1.jpg"), ("val", "2007_3.jpg")]
    truth = dataset.examples[0].read(WIDTH, HEIGHT)
    assert truth.boxes.tolist() == [[1, 2, 6, 7]]
    assert truth.classes is not None
    assert truth.void is not None
    assert truth.foreground is not None
    assert truth.classes[0].tolist() == [VOID] + 5 * [12] + 6 * [0]
    assert truth.void[0].tolist() == [True] + 11 * [False]
    assert truth.foreground[0].tolist() == [False] + 5 * [True] + 6 * [False]


def test_augmented_training_masks_are_another_folder(tmp_path: Path) -> None:
    lists = {"Segmentation/trainaug": ["1", "2"], "Segmentation/val": ["3"]}
    root = voc(tmp_path, "2012", lists, ["SegmentationClass", "SegmentationClassAug"])
    # The masks of trainaug are grey: their values are the classes.
    plane(root / "SegmentationClassAug" / "1.png", np.full((HEIGHT, WIDTH), 15))
    plane(root / "SegmentationClassAug" / "3.png", np.full((HEIGHT, WIDTH), 15))
    dataset = open_dataset(f"voc2012-seg-aug:{tmp_path}")
    assert [each.split for each in dataset.examples] == ["train", "train", "val"]
    classes = [each.read(WIDTH, HEIGHT).classes for each in dataset.examples]
    assert [np.unique(each).tolist() for each in classes if each is not None] == [
        [15], [0, 12, VOID], [0, 12, VOID],
    ]  # fmt: skip


def test_fractions_of_pixels_are_kept(tmp_path: Path) -> None:
    root = voc(tmp_path, "2012", DETECTION)
    boxes = [("1.5", "2", " 7.25 ", "8"), (1, 1, WIDTH, HEIGHT)]
    (root / "Annotations" / "1.xml").write_text(voc_xml("1", boxes))
    truth = open_dataset(f"voc2012:{root}").examples[0].read(WIDTH, HEIGHT)
    assert truth.boxes.tolist() == [[0.5, 1, 7.25, 8], [0, 0, WIDTH, HEIGHT]]


def test_boxes_have_the_names_of_their_classes(tmp_path: Path) -> None:
    root = voc(tmp_path, "2012", SEGMENTATION | DETECTION, ["SegmentationClass"])
    text = voc_xml("2007_1", [(2, 3, 6, 7), (1, 1, 4, 4)]).replace("dog", " cat\n", 1)
    for name in ("1", "2007_1"):
        (root / "Annotations" / f"{name}.xml").write_text(text.replace("2007_1", name))
    for kind in ("voc2012", "voc2012-seg"):
        truth = open_dataset(f"{kind}:{root}").examples[0].read(WIDTH, HEIGHT)
        # Not those of parts of an object, such as its head.
        assert truth.box_classes == ("cat", "dog")


def test_an_image_without_objects(tmp_path: Path) -> None:
    root = voc(tmp_path, "2012", DETECTION)
    (root / "Annotations" / "1.xml").write_text(voc_xml("1", []))
    truth = open_dataset(f"voc2012:{root}").examples[0].read(WIDTH, HEIGHT)
    assert truth.boxes.shape == (0, 4)
    assert truth.crowds.shape == (0,)
    assert truth.box_classes == ()
