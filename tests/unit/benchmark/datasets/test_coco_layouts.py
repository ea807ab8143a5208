import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from miniatures import (
    HEIGHT,
    WIDTH,
    annotation,
    coco,
    coco_json,
    picture,
)

from heap.base.errors import InputError
from heap.benchmark.datasets import open_dataset
from heap.benchmark.truth import VOID, Truth


def truth_of(*annotations: dict[str, Any], root: Path) -> Truth:
    """Of the first of two images."""
    return open_dataset(f"coco:{coco(root, annotations)}").examples[0].read(WIDTH, HEIGHT)


def test_a_file_with_its_images(tmp_path: Path) -> None:
    dataset = open_dataset(f"coco:{coco(tmp_path)}")
    assert dataset.classes == ("background", "car", "dog")
    assert [(each.split, each.key) for each in dataset.examples] == [
        ("all", "a.jpg"), ("all", "b.jpg"),
    ]  # fmt: skip
    example, empty = dataset.examples
    truth = example.truth(example.picture())
    square = np.zeros((HEIGHT, WIDTH), dtype=bool)
    square[1:5, 2:6] = True
    assert truth.boxes.tolist() == [[2, 1, 6, 5]]
    assert truth.crowds.tolist() == [False]
    assert truth.instances is not None
    assert truth.void is not None
    assert np.array_equal(truth.instances, square[None])
    assert truth.foreground is not None
    assert np.array_equal(truth.foreground, square)
    assert truth.classes is not None
    assert np.array_equal(truth.classes, 2 * square)
    assert not truth.void.any()
    nothing = empty.read(WIDTH, HEIGHT)
    assert nothing.boxes.shape == (0, 4)
    assert nothing.box_classes == ()
    assert nothing.instances is not None
    assert nothing.instances.shape == (0, HEIGHT, WIDTH)
    assert nothing.foreground is not None
    assert not nothing.foreground.any()
    assert len(open_dataset(f"coco:{tmp_path}", limit=1).examples) == 1


@pytest.mark.parametrize(
    ("file", "images"),
    [
        ("any.json", "images"),
        ("any.json", "."),
        ("annotations/instances_val2017.json", "val2017"),
        ("annotations/instances_val2017.json", "images/val2017"),
    ],
)
def test_where_the_images_of_a_file_may_be(file: str, images: str, tmp_path: Path) -> None:
    place = picture(tmp_path / images / "a.jpg")
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(coco_json([annotation(1)], ["a.jpg"])))
    (example,) = open_dataset(f"coco:{path}").examples
    assert example.image.samefile(place)


def test_images_in_folders(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "deep" / "a.jpg")
    (tmp_path / "instances.json").write_text(json.dumps(coco_json([], ["deep/a.jpg"])))
    assert [each.key for each in open_dataset(f"coco:{tmp_path}").examples] == ["deep/a.jpg"]


def test_boxes_stay_as_they_are(tmp_path: Path) -> None:
    truth = truth_of(annotation(1, bbox=[0.25, 1.5, 11.8, 0]), root=tmp_path)
    assert truth.boxes.tolist() == [[0.25, 1.5, 12.05, 1.5]]


def test_crowds_are_void_where_there_is_no_object(tmp_path: Path) -> None:
    # Run lengths go down the columns: the crowd is columns 4 to 7, the object columns 2 to 5.
    crowd = {"size": [HEIGHT, WIDTH], "counts": [4 * HEIGHT, 4 * HEIGHT, 4 * HEIGHT]}
    truth = truth_of(
        annotation(1, iscrowd=1, bbox=[4, 0, 4, 8], segmentation=crowd),
        annotation(2),
        root=tmp_path,
    )
    assert truth.crowds.tolist() == [True, False]
    assert truth.classes is not None
    assert truth.void is not None
    assert truth.foreground is not None
    assert truth.classes[1].tolist() == [0, 0, 2, 2, 2, 2, VOID, VOID, 0, 0, 0, 0]
    assert np.array_equal(truth.void, truth.classes == VOID)
    assert np.array_equal(truth.foreground, truth.classes == 2)
    assert truth.instances is not None
    assert truth.instances.sum(axis=(1, 2)).tolist() == [32, 16]
    assert truth.box_classes == ("dog", "dog")


@pytest.mark.parametrize("order", [1, -1])
def test_the_smaller_is_on_top(order: int, tmp_path: Path) -> None:
    small = annotation(2, category_id=3, segmentation=[[3, 2, 5, 2, 5, 4, 3, 4]])
    truth = truth_of(*[annotation(1), small][::order], root=tmp_path)
    assert truth.classes is not None
    assert truth.classes[2].tolist() == [0, 0, 2, 1, 1, 2, 0, 0, 0, 0, 0, 0]


def test_boxes_alone(tmp_path: Path) -> None:
    bare = {name: value for name, value in annotation(1).items() if name != "segmentation"}
    car = annotation(2, segmentation=[], category_id=3)
    truth = truth_of(bare, car, root=tmp_path)
    assert len(truth.boxes) == 2
    assert truth.box_classes == ("dog", "car")
    assert truth.foreground is truth.classes is truth.instances is truth.void is None


def test_too_many_categories_for_a_map(tmp_path: Path) -> None:
    whole = coco_json([annotation(1)], ["a.jpg"], {each: str(each) for each in range(255)})
    picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "instances.json").write_text(json.dumps(whole))
    dataset = open_dataset(f"coco:{tmp_path}")
    assert dataset.classes == ()
    truth = dataset.examples[0].read(WIDTH, HEIGHT)
    assert truth.classes is None
    assert truth.box_classes == ("7",)
    assert truth.foreground is not None


def test_without_the_extra_polygons_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval.core", None)
    with pytest.raises(InputError, match=r"pip install 'heap\[eval\]'"):
        open_dataset(f"coco:{coco(tmp_path)}")
    runs = {"size": [HEIGHT, WIDTH], "counts": [0, HEIGHT * WIDTH]}
    assert truth_of(annotation(1, segmentation=runs), root=tmp_path).foreground is not None


def coco20k(root: Path, images: str, listed: list[str]) -> Path:
    names = [f"COCO_train2014_{number:012d}.jpg" for number in (9, 25, 30)]
    for name in names:
        picture(root / images / name)
    (root / "annotations").mkdir()
    whole = coco_json(
        [
            annotation(1, bbox=[0.5, 1.5, 2, 2.2]),
            annotation(2, bbox=[2.4, 1.6, 3.2, 3.2], iscrowd=1),
            annotation(3, image=2),
        ],
        names,
    )
    (root / "annotations" / "instances_train2014.json").write_text(json.dumps(whole))
    (root / "coco_20k_filenames.txt").write_text("".join(f"train2014/{n}\n" for n in listed))
    return root


@pytest.mark.parametrize("images", ["train2014", "images/train2014"])
def test_coco20k(images: str, tmp_path: Path) -> None:
    listed = ["COCO_train2014_000000000030.jpg", "COCO_train2014_000000000009.jpg"]
    dataset = open_dataset(f"coco20k:{coco20k(tmp_path, images, listed)}")
    assert [each.key for each in dataset.examples] == sorted(listed)
    truth = dataset.examples[0].read(WIDTH, HEIGHT)
    # Python rounds halves to even: 0.5, 1.5, 2.5, 3.7 and 2.4, 1.6, 5.6, 4.8.
    assert truth.boxes.tolist() == [[0, 2, 2, 4], [2, 2, 6, 5]]
    assert truth.crowds.tolist() == [False, True]
    assert len(open_dataset(f"coco20k:{tmp_path}", 1).examples) == 1


def test_coco20k_has_a_name_that_the_file_lacks(tmp_path: Path) -> None:
    coco20k(tmp_path, "train2014", ["COCO_train2014_000000000007.jpg"])
    with pytest.raises(InputError, match=r"filenames\.txt, line 1: .*0007\.jpg' is not in .*json"):
        open_dataset(f"coco20k:{tmp_path}")
