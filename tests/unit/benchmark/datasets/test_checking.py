import hashlib
import json
from pathlib import Path

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

from heap.base.errors import InputError
from heap.benchmark.datasets import check_dataset
from heap.benchmark.datasets.catalogue import CATALOGUE, Checksum, Entry, Split
from heap.benchmark.datasets.pairs import Pairs


def found(name: str, path: Path, root: Path | None = None) -> set[str]:
    """The problems, with the places relative to the root, but for those about counts."""
    problems = (str(problem) for problem in check_dataset(name, path))
    return {
        problem.replace(f"{root or path}/", "")
        for problem in problems
        if " images instead of " not in problem
    }


def test_nothing_is_wrong(tmp_path: Path) -> None:
    assert check_dataset("folder", pairs(tmp_path / "folder")) == ()
    assert check_dataset("coco", coco(tmp_path / "coco")) == ()
    assert check_dataset("coco", tmp_path / "coco" / "instances.json") == ()
    lists = {"Main/trainval": ["1", "2"], "Main/train": ["1"], "Main/val": ["2"]}
    assert found("voc2012", voc(tmp_path, "2012", lists)) == set()


def test_what_is_not_there(tmp_path: Path) -> None:
    (problem,) = check_dataset("folder", tmp_path / "none")
    assert (problem.place, problem.what) == (str(tmp_path / "none"), "does not exist")
    with pytest.raises(InputError, match="did you mean folder"):
        check_dataset("folders", tmp_path)


def test_progress(tmp_path: Path) -> None:
    said: list[tuple[str, int, int | None]] = []
    check_dataset("folder", pairs(tmp_path), lambda *how_far: said.append(how_far))
    assert said == [("checking", 1, 2), ("checking", 2, 2)]


def test_everything_wrong_with_a_folder(tmp_path: Path) -> None:
    pairs(tmp_path, names="abcdef")
    (tmp_path / "masks" / "a.png").unlink()
    (tmp_path / "images" / "b.jpg").unlink()
    plane(tmp_path / "masks" / "c.png", np.zeros((3, 4)))
    (tmp_path / "masks" / "d.png").write_bytes(b"no image")
    (tmp_path / "images" / "e.jpg").write_bytes(b"")
    problems = found("folder", tmp_path)
    assert {problem.partition(", not one of")[0] for problem in problems} == {
        "masks/a.png: the mask is missing; there is an image for it",
        "masks/b.png: is the mask of no image",
        "masks/c.png: the mask is 4 x 3 pixels, but its image is 12 x 8 upright",
        problem_of(problems, "masks/d.png"),
        problem_of(problems, "images/e.jpg"),
    }
    assert "the mask cannot be read: not one of JPEG" in problem_of(problems, "masks/d.png")
    assert "is no readable image" in problem_of(problems, "images/e.jpg")


def problem_of(problems: set[str], place: str) -> str:
    (problem,) = (each for each in problems if each.startswith(place))
    return problem


def test_everything_wrong_with_voc(tmp_path: Path) -> None:
    lists = {"Segmentation/train": list("abcde"), "Segmentation/val": ["e", "f"]}
    root = voc(tmp_path, "2012", lists, ["SegmentationClass"])
    listed = root / "ImageSets" / "Segmentation" / "train.txt"
    listed.write_text("a\nb\na\n\n../x\nc\nd\ne\n")
    (root / "JPEGImages" / "a.jpg").unlink()
    (root / "SegmentationClass" / "a.png").unlink()
    (root / "Annotations" / "b.xml").write_text("<annotation>\n<size></annotation>")
    bad = [(1, 1, 2, 2), (5, 1, 2, 2), (1, 1, "nan", 2), (1, 1, 2, 90)]
    (root / "Annotations" / "c.xml").write_text(voc_xml("c", bad, size=(9, 9)))
    classes = np.zeros((HEIGHT, WIDTH))
    classes[3, 5] = 21
    plane(root / "SegmentationClass" / "d.png", classes, palette=True)
    assert found("voc2012-seg", tmp_path, root) == {
        "ImageSets/Segmentation/train.txt, line 3: 'a' is named twice, first on line 1",
        "ImageSets/Segmentation/train.txt, line 5: the file name '../x' leads out of the data set",
        "ImageSets/Segmentation/val.txt, line 1: 'e' is also in "
        "ImageSets/Segmentation/train.txt, line 8",
        "JPEGImages/a.jpg: is missing, but named in ImageSets/Segmentation/train.txt, line 1",
        "SegmentationClass/a.png: is missing, but named in ImageSets/Segmentation/train.txt, "
        "line 1",
        "Annotations/b.xml, line 2, column 9: is not well-formed XML: mismatched tag: line 2, "
        "column 8",
        "Annotations/c.xml: is for a picture of 9 x 9 pixels, but c.jpg is 12 x 8 upright",
        "Annotations/c.xml, object 2: the box x1 4, y1 0, x2 2, y2 2 has a negative size "
        "(of 'dog', xmin '5', ymin '1', xmax '2', ymax '2', counted from 1)",
        "Annotations/c.xml, object 3: the box x1 0, y1 0, x2 nan, y2 2 is not finite "
        "(of 'dog', xmin '1', ymin '1', xmax 'nan', ymax '2', counted from 1)",
        "Annotations/c.xml, object 4: the box x1 0, y1 0, x2 2, y2 90 is outside the picture of "
        "12 x 8 (of 'dog', xmin '1', ymin '1', xmax '2', ymax '90', counted from 1)",
        "SegmentationClass/d.png: class 21 at x 5, y 3; there are 0 to 20, and 255",
    }


def test_a_list_that_is_missing(tmp_path: Path) -> None:
    root = voc(tmp_path, "2012", {"Segmentation/val": ["a"]})
    assert found("voc2012-seg", tmp_path, root) == {
        "ImageSets/Segmentation/train.txt: is missing",
        "SegmentationClass: is missing, or no folder",
    }


def test_counts(tmp_path: Path) -> None:
    root = voc(tmp_path, "2007", {"Main/trainval": ["1", "2"], "Main/test": ["3"]})
    assert [str(problem) for problem in check_dataset("voc2007", tmp_path)] == [
        f"{root}, split trainval: has 2 images instead of 5011",
        f"{root}, split test: has 1 images instead of 4952, a count as published that we did not "
        "verify",
    ]


def test_everything_wrong_with_coco(tmp_path: Path) -> None:
    coco(
        tmp_path,
        [
            annotation(1, bbox=[9, 1, 9, 1]),
            annotation(2, segmentation=[[0, 0, 1]]),
            annotation(3, image=2, segmentation=None),
        ],
    )
    (tmp_path / "images" / "b.jpg").unlink()
    polygon = "the polygons[0] are malformed: List should have at least 6 items"
    assert {problem.partition(" after validation")[0] for problem in found("coco", tmp_path)} == {
        "images/b.jpg: is missing",
        "instances.json, annotation 3: has no segmentation, while others have one",
        "instances.json, annotation 1, image a.jpg: the box x1 9, y1 1, x2 18, y2 2 is outside "
        "the picture of 12 x 8",
    }
    coco(tmp_path, [annotation(2, segmentation=[[0, 0, 1]])])
    (problem,) = found("coco", tmp_path)
    assert problem.startswith(f"instances.json, annotation 2, image a.jpg: {polygon}")


def test_coco_of_another_size(tmp_path: Path) -> None:
    coco(tmp_path)
    picture(tmp_path / "images" / "a.jpg", orientation=6)
    assert found("coco", tmp_path) == {
        "instances.json, image 1: is 12 x 8 pixels there, but a.jpg is 8 x 12 upright"
    }


def test_checksums_of_a_list(tmp_path: Path) -> None:
    picture(tmp_path / "train2014" / "a.jpg")
    (tmp_path / "annotations").mkdir()
    whole = json.dumps(coco_json([], ["a.jpg"]))
    (tmp_path / "annotations" / "instances_train2014.json").write_text(whole)
    (tmp_path / "coco_20k_filenames.txt").write_text("train2014/a.jpg\n")
    (problem,) = found("coco20k", tmp_path)
    assert problem == (
        "coco_20k_filenames.txt: its sha256 is "
        "30f7a5f3aee0e7dcf8d3ab4a4d5d7d2e6c6c7b6d7d4be0d2b4ee17a8a4e4fd5f instead of "
        "74637e9b4f93f2ebef9b1f664aff53edd1f41ef08dad97bd22ce8e455052b335"
    ).replace(
        "30f7a5f3aee0e7dcf8d3ab4a4d5d7d2e6c6c7b6d7d4be0d2b4ee17a8a4e4fd5f",
        hashlib.sha256(b"train2014/a.jpg\n").hexdigest(),
    )


def test_names_and_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = hashlib.sha256(b"a.jpg\nb.jpg\n").hexdigest()
    archive = Checksum("a.zip", "md5", hashlib.md5(b"right", usedforsecurity=False).hexdigest())
    entry = Entry("tiny", "", "", Pairs("images", "masks"), (Split("all", 2, True, names),))
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    assert found("tiny", pairs(tmp_path)) == set()
    for path in sorted(tmp_path.glob("*/a.*")):
        path.rename(path.with_stem("c"))
    assert found("tiny", tmp_path) == {
        f"{tmp_path}, split all: its images do not have the names of the official ones"
    }
    splits = (Split("all", 2),)
    monkeypatch.setitem(
        CATALOGUE, "tiny", Entry("tiny", "", "", entry.layout, splits, "", "", (archive,))
    )
    assert found("tiny", tmp_path) == set()
    (tmp_path / "a.zip").write_bytes(b"right")
    assert found("tiny", tmp_path) == set()
    (tmp_path / "a.zip").write_bytes(b"wrong")
    (problem,) = found("tiny", tmp_path)
    assert problem.startswith("a.zip: its md5 is ")
    assert problem.endswith(", a value as published that we did not verify")


def test_names_that_would_break_the_line(tmp_path: Path) -> None:
    pairs(tmp_path, names=["a\n\x1b[31mé"])
    (tmp_path / "masks" / "a\n\x1b[31mé.png").unlink()
    (problem,) = found("folder", tmp_path)
    assert problem.startswith(r"masks/a\n\x1b[31mé.png: the mask is missing")
