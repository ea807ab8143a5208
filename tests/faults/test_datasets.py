"""Wrong annotations: each gets one clear error that names the file and the place in it."""

import json
import os
from collections.abc import Callable
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
    pairs,
    picture,
    plane,
    voc,
    voc_xml,
)
from PIL import Image

from heap.base.errors import InputError
from heap.benchmark.datasets import check_dataset, open_dataset

pytestmark = pytest.mark.timeout(60)

BOMB = (
    '<?xml version="1.0"?>\n<!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(
        f'<!ENTITY {b} "{10 * f"&{a};"}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>\n<annotation><filename>&i;</filename></annotation>"
)
EXTERNAL = (
    '<!DOCTYPE annotation [<!ENTITY file SYSTEM "{secret}">]>\n'
    "<annotation><filename>&file;</filename></annotation>"
)
DTD = '<!DOCTYPE annotation SYSTEM "http://127.0.0.1:1/voc.dtd">\n<annotation/>'


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    """VOC2012 with one image."""
    return voc(tmp_path, "2012", {"Main/trainval": ["a"], "Segmentation/train": ["a"]})


def read_voc(root: Path) -> Any:
    return open_dataset(f"voc2012:{root}").examples[0].read(WIDTH, HEIGHT)


def error_of(act: Callable[..., object], *arguments: object) -> str:
    """What the InputError says, on one line, that the call has to end with."""
    with pytest.raises(InputError) as caught:
        act(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.fault("F43")
@pytest.mark.parametrize("text", [BOMB, EXTERNAL, DTD])
def test_f43_entities_and_document_types(text: str, devkit: Path) -> None:
    (devkit / "secret").write_text("a.jpg")
    path = devkit / "Annotations" / "a.xml"
    path.write_text(text.replace("{secret}", (devkit / "secret").as_uri()))
    message = error_of(read_voc, devkit)
    assert message == (
        f"{path}: declares a document type or entities, which no annotation needs; "
        "it was not read"
    )  # fmt: skip


@pytest.mark.fault("F43")
def test_f43_a_text_of_50_mb(devkit: Path) -> None:
    path = devkit / "Annotations" / "a.xml"
    path.write_bytes(b"<annotation><filename>" + 50 * 2**20 * b"a" + b"</filename></annotation>")
    assert f"{str(path)!r} is larger than the limit of 1048576 bytes" in error_of(read_voc, devkit)


@pytest.mark.fault("F43")
def test_f43_elements_within_elements(devkit: Path) -> None:
    depth = 60_000
    (devkit / "Annotations" / "a.xml").write_text(depth * "<object>" + depth * "</object>")
    assert "a.xml: is no VOC annotation: the root is <object>" in error_of(read_voc, devkit)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: is not well-formed XML"),
        ("no XML", "line 1, column 1: is not well-formed XML"),
        ("<annotation>\n  <object>\n</annotation>", "line 3, column 3: is not well-formed XML"),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', "a.xml"),
        ("<html></html>", "is no VOC annotation: the root is <html>"),
        ("<annotation></annotation>", "is for a picture of ? x ? pixels, but a.jpg is 12 x 8"),
    ],
)
def test_bad_xml(text: str, message: str, devkit: Path) -> None:
    (devkit / "Annotations" / "a.xml").write_text(text)
    found = error_of(read_voc, devkit)
    assert str(devkit / "Annotations" / "a.xml") in found
    assert message in found


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (("nan", 1, 2, 2), "is not finite"),
        ((1, 1, "inf", 2), "is not finite"),
        ((1, 1, "1e999", 2), "is not finite"),
        ((1, 1, "", 2), "is not finite"),
        ((1, 1, "two", 2), "xmax 'two'"),
        ((9, 1, 2, 2), "has a negative size"),
        ((1, 8, 2, 2), "has a negative size"),
        ((1, 1, WIDTH + 2, 2), "is outside the picture of 12 x 8"),
        ((1, -1, 2, 2), "is outside the picture of 12 x 8"),
    ],
)
def test_bad_boxes_of_voc(box: Any, message: str, devkit: Path) -> None:
    path = devkit / "Annotations" / "a.xml"
    path.write_text(voc_xml("a", [(1, 1, 2, 2), box]))
    found = error_of(read_voc, devkit)
    assert found.startswith(f"{path}, object 2: ")
    assert message in found


def test_an_object_without_a_box(devkit: Path) -> None:
    bare = voc_xml("a", []).replace(
        "</annotation>", "<object><name>dog</name></object></annotation>"
    )
    (devkit / "Annotations" / "a.xml").write_text(bare)
    assert "object 1: the box" in error_of(read_voc, devkit)


@pytest.mark.parametrize("name", ["", "<name> </name>"])
def test_an_object_without_a_class(name: str, devkit: Path) -> None:
    path = devkit / "Annotations" / "a.xml"
    path.write_text(voc_xml("a").replace("<name>dog</name>", name))
    assert error_of(read_voc, devkit) == f"{path}, object 1: has no name of a class"


@pytest.mark.fault("F44")
@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "b.jpg"])
def test_f44_the_file_name_of_an_annotation(name: str, devkit: Path) -> None:
    (devkit / "Annotations" / "a.xml").write_text(voc_xml("a", filename=name))
    assert f"is about the image {name!r}, not 'a.jpg'" in error_of(read_voc, devkit)


@pytest.mark.fault("F44")
@pytest.mark.parametrize(
    "name", ["../../outside", "/etc/passwd", "..\\x", "C:\\x", "C:x", "\\\\host\\x", "a/../../x"]
)
def test_f44_names_that_lead_out(name: str, devkit: Path, tmp_path: Path) -> None:
    listed = devkit / "ImageSets" / "Main" / "trainval.txt"
    listed.write_text(f"a\n{name}\n")
    leads = f"the file name {name!r} leads out of the data set"
    assert f"{listed}, line 2: {leads}" in error_of(open_dataset, f"voc2012:{devkit}")
    root = coco(tmp_path / "coco")
    (root / "instances.json").write_text(json.dumps(coco_json([], [name])))
    message = error_of(open_dataset, f"coco:{root}")
    assert message == f"{root / 'instances.json'}, image 1: {leads}"


@pytest.mark.fault("F44")
@pytest.mark.parametrize("name", ["", ".", "a\0.jpg"])
def test_f44_names_of_nothing(name: str, tmp_path: Path) -> None:
    root = coco(tmp_path)
    (root / "instances.json").write_text(json.dumps(coco_json([], [name])))
    assert "image 1: " in error_of(open_dataset, f"coco:{root}")


def test_a_list_that_is_no_text(devkit: Path) -> None:
    listed = devkit / "ImageSets" / "Main" / "trainval.txt"
    listed.write_bytes(b"a\n\xff\xfe\n")
    assert error_of(open_dataset, f"voc2012:{devkit}") == f"{listed}: is no text in UTF-8"
    listed.write_bytes(b"\n")
    assert error_of(open_dataset, f"voc2012:{devkit}") == f"{listed}: names no image"


@pytest.mark.fault("F45")
def test_f45_nesting_a_million_deep(tmp_path: Path) -> None:
    root = coco(tmp_path)
    for text in (10**6 * "[", '{"images": ' + 10**6 * '{"a":'):
        (root / "instances.json").write_text(text)
        message = error_of(open_dataset, f"coco:{root}")
        assert message.startswith(f"{root / 'instances.json'}: Invalid JSON: recursion limit")


@pytest.mark.fault("F45")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid JSON: EOF"),
        ('{\n"images": [}', "Invalid JSON: expected value at line 2 column 12"),
        ("\udcff", "Invalid JSON"),
        ("[]", "the file = []"),
        ("{}", "images: Field required"),
        ('{"images": {}, "annotations": [], "categories": []}', "images = {}"),
        ('{"images": [], "annotations": [], "categories": []}', "has no images"),
    ],
)
def test_f45_files_that_are_no_coco(text: str, message: str, tmp_path: Path) -> None:
    root = coco(tmp_path)
    (root / "instances.json").write_bytes(text.encode(errors="surrogateescape"))
    assert f"{root / 'instances.json'}: {message}" in error_of(open_dataset, f"coco:{root}")


NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.fault("F45")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bbox": [NAN, 1, 2, 2]}, "annotation 5: bbox.0 = nan: Input should be a finite number"),
        ({"bbox": [1, 1, 2, INFINITY]}, "annotation 5: bbox.3 = inf: Input should be a finite"),
        ({"bbox": [1, 1, -2, 2]}, "annotation 5: bbox.2 = -2: Input should be greater than or"),
        ({"bbox": [1, 1, 2]}, "annotation 5: bbox.3: Field required"),
        ({"bbox": [1, 1, 2, "2"]}, "annotation 5: bbox.3 = '2': Input should be a valid number"),
        ({"bbox": None}, "annotation 5: bbox = None"),
        ({"id": "x"}, "annotation x: id = 'x': Input should be a valid integer"),
        ({"id": None}, "annotation at position 1: id = None"),
        ({"iscrowd": 2}, "annotation 5: iscrowd = 2"),
        ({"id": 1}, "annotation 1: the id is there 2 times"),
        ({"image_id": 9}, "annotation 5: there is no image 9"),
        ({"category_id": 9}, "annotation 5: there is no category 9"),
        ({"segmentation": []}, "annotation 5: has no segmentation, while others have one"),
    ],
)
def test_f45_annotations_that_are_refused_at_once(
    wrong: dict[str, Any], message: str, tmp_path: Path
) -> None:
    root = coco(tmp_path, [annotation(1), annotation(5) | wrong])
    found = error_of(open_dataset, f"coco:{root}")
    assert found.startswith(f"{root / 'instances.json'}, {message}")


@pytest.mark.fault("F45")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"bbox": [11, 1, 3, 2]}, "the box x1 11, y1 1, x2 14, y2 3 is outside the picture"),
        ({"bbox": [-3, 1, 3, 2]}, "the box x1 -3, y1 1, x2 0, y2 3 is outside the picture"),
        ({"bbox": [1e300, 1, 1e300, 2]}, "is outside the picture"),
        ({"bbox": [1e308, 1, 1.7e308, 2]}, "is not finite"),
        ({"segmentation": [[1, 2, NAN, 4, 5, 6]]}, "the polygons[0][2] are malformed"),
        ({"segmentation": [[1, 2, 3]]}, "the polygons[0] are malformed"),
        ({"segmentation": "x"}, "the polygons are malformed"),
        ({"segmentation": {"size": [9, 9], "counts": "x"}}, "the run lengths are of size [9, 9]"),
    ],
)
def test_f45_annotations_that_are_refused_when_read(
    wrong: dict[str, Any], message: str, tmp_path: Path
) -> None:
    root = coco(tmp_path, [annotation(1), annotation(5) | wrong])
    example = open_dataset(f"coco:{root}").examples[0]
    found = error_of(example.read, WIDTH, HEIGHT)
    assert found.startswith(f"{root / 'instances.json'}, annotation 5, image a.jpg: ")
    assert message in found


@pytest.mark.fault("F45")
def test_f45_images_that_are_there_twice(tmp_path: Path) -> None:
    root = coco(tmp_path)
    whole = coco_json([])
    whole["images"][1]["id"] = 1
    (root / "instances.json").write_text(json.dumps(whole))
    assert "image 1: the id is there 2 times" in error_of(open_dataset, f"coco:{root}")
    (root / "instances.json").write_text(json.dumps(coco_json([], ["a.jpg", "a.jpg"])))
    assert "2 images have the file name 'a.jpg'" in error_of(open_dataset, f"coco:{root}")


@pytest.mark.fault("F45")
def test_f45_images_that_are_nowhere(tmp_path: Path) -> None:
    root = coco(tmp_path)
    (root / "images" / "b.jpg").unlink()
    message = f"{root / 'images' / 'b.jpg'}: is missing"
    assert error_of(open_dataset, f"coco:{root}") == message
    (root / "images" / "a.jpg").unlink()
    assert "its image 'a.jpg' is in none of" in error_of(open_dataset, f"coco:{root}")


@pytest.mark.fault("F45")
def test_f45_more_masks_than_fit(tmp_path: Path) -> None:
    side = 20_000
    root = coco(tmp_path)
    whole = coco_json([annotation(number) for number in range(1, 7)], ["a.jpg"])
    whole["images"][0] |= {"width": side, "height": side}
    (root / "instances.json").write_text(json.dumps(whole))
    example = open_dataset(f"coco:{root}").examples[0]
    message = error_of(example.read, side, side)
    assert "image 1: 6 masks of 20000 x 20000 pixels are too large" in message


@pytest.mark.parametrize("name", ["folder", "voc2012-seg"])
def test_masks_that_are_wrong(name: str, devkit: Path, tmp_path: Path) -> None:
    if name == "folder":
        root = pairs(tmp_path / "pairs", names=["a"])
        mask = root / "masks" / "a.png"
    else:
        root, mask = devkit, devkit / "SegmentationClass" / "a.png"
        plane(mask, np.zeros((HEIGHT, WIDTH)), palette=True)
        (root / "ImageSets" / "Segmentation" / "val.txt").write_text("b\n")
        picture(root / "JPEGImages" / "b.jpg")
        (root / "Annotations" / "b.xml").write_text(voc_xml("b"))
        plane(root / "SegmentationClass" / "b.png", np.zeros((HEIGHT, WIDTH)))
    read = open_dataset(f"{name}:{root}").examples[0].read
    whole = mask.read_bytes()
    read(WIDTH, HEIGHT)
    for data in (b"", b"text", whole[:-30], whole[: len(whole) // 2]):
        mask.write_bytes(data)
        assert error_of(read, WIDTH, HEIGHT).startswith(f"{mask}: the mask cannot be read: ")
    Image.new("L", (5, 4)).save(mask)
    sizes = "the mask is 5 x 4 pixels, but its image is 12 x 8 upright"
    assert error_of(read, WIDTH, HEIGHT) == f"{mask}: {sizes}"
    Image.new("I;16", (WIDTH, HEIGHT)).save(mask)
    assert f"{mask}: the mask has colours of mode I" in error_of(read, WIDTH, HEIGHT)
    mask.unlink()
    assert str(mask) in error_of(read, WIDTH, HEIGHT)
    assert str(mask) in error_of(open_dataset, f"{name}:{root}")
    os.mkfifo(mask)
    assert str(mask) in error_of(open_dataset, f"{name}:{root}")
    assert str(mask) in error_of(read, WIDTH, HEIGHT)
    assert any(str(mask) in str(problem) for problem in check_dataset(name, root))


def test_class_masks_in_colours(devkit: Path) -> None:
    mask = devkit / "SegmentationClass" / "a.png"
    plane(mask, np.zeros((HEIGHT, WIDTH)))
    example = open_dataset(f"voc2012-seg:{devkit}", splits=["train"]).examples[0]
    Image.new("RGB", (WIDTH, HEIGHT)).save(mask)
    assert error_of(example.read, WIDTH, HEIGHT) == (
        f"{mask}: the mask has colours of mode RGB, not P or L"
    )
    values = np.zeros((HEIGHT, WIDTH))
    values[7, 2] = 254
    plane(mask, values, palette=True)
    assert error_of(example.read, WIDTH, HEIGHT) == (
        f"{mask}: class 254 at x 2, y 7; there are 0 to 20, and 255"
    )


def test_a_bomb_for_a_mask_is_not_decoded(tmp_path: Path) -> None:
    root = pairs(tmp_path, names=["a"])
    mask = root / "masks" / "a.png"
    Image.new("1", (10_000, 8_000)).save(mask)
    example = open_dataset(f"folder:{root}").examples[0]
    assert "the mask is 10000 x 8000 pixels" in error_of(example.read, WIDTH, HEIGHT)
    (problem,) = check_dataset("folder", root)
    assert "the mask is 10000 x 8000 pixels" in problem.what
