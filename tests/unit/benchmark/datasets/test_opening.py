from pathlib import Path

import pytest
from miniatures import HEIGHT, WIDTH, pairs, picture, voc

from heap.base.errors import InputError
from heap.benchmark.datasets import CATALOGUE, describe_datasets, open_dataset


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("folder", "write NAME:PATH"),
        ("folder:", "write NAME:PATH"),
        ("", "write NAME:PATH"),
        ("ecsd:/data", "no data set 'ecsd'; did you mean ecssd"),
        ("imagenet-21k:/data", "no data set 'imagenet-21k'; `heap datasets` lists them"),
        ("folder:/does/not/exist", "images: is missing"),
        ("coco:/does/not/exist", r"instances\.json: is missing"),
        ("voc2012-seg:/does/not/exist", "is no folder"),
    ],
)
def test_what_cannot_be_opened(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_dataset(spec)


def test_a_limit_of_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="limit of 0"):
        open_dataset(f"folder:{pairs(tmp_path)}", 0)


def test_all_that_is_missing_is_counted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"image: is missing.* \(and 1 more; `heap datasets ch"):
        open_dataset(f"dut-omron:{tmp_path}")
    (tmp_path / "JPEGImages").mkdir()
    with pytest.raises(InputError, match=r"Segmentation/train\.txt: is missing \(and 3 more"):
        open_dataset(f"voc2012-seg:{tmp_path}")
    (tmp_path / "JPEGImages").rmdir()
    with pytest.raises(InputError, match=r"no folder JPEGImages in it or in VOC2012 or in VOCdev"):
        open_dataset(f"voc2012-seg:{tmp_path}")


def test_the_wrong_year(tmp_path: Path) -> None:
    voc(tmp_path, "2007", {"Main/trainval": ["1"]})
    with pytest.raises(InputError, match="no folder JPEGImages"):
        open_dataset(f"voc2012:{tmp_path}")


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    pairs(tmp_path / "data")
    assert open_dataset("folder:~/data").place == tmp_path / "data"


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_an_annotation_of_the_picture_as_it_is_stored(orientation: int, tmp_path: Path) -> None:
    pairs(tmp_path, names=["a"])
    picture(tmp_path / "images" / "a.jpg", orientation=orientation)
    (example,) = open_dataset(f"folder:{tmp_path}").examples
    sizes = r"masks/a\.png: the mask is 12 x 8 pixels, but its image is 8 x 12 upright"
    with pytest.raises(InputError, match=sizes):
        example.truth(example.picture())


def test_an_annotation_of_the_picture_as_it_is_shown(tmp_path: Path) -> None:
    pairs(tmp_path, names=["a"])
    picture(tmp_path / "images" / "a.jpg", (HEIGHT, WIDTH), orientation=6)
    (example,) = open_dataset(f"folder:{tmp_path}").examples
    assert len(example.truth(example.picture()).boxes) == 1


def test_descriptions_are_plain_and_say_what_is_verified() -> None:
    described = {each["name"]: each for each in describe_datasets()}
    assert list(described) == list(CATALOGUE)
    splits = {
        (name, split["name"]): (split["images"], split["verified"])
        for name, each in described.items()
        for split in each["splits"]
    }
    assert splits["voc2007", "trainval"] == (5011, True)
    assert splits["voc2012", "trainval"] == (11540, True)
    assert splits["voc2012-seg", "train"] == (1464, False)
    assert splits["voc2012-seg", "val"] == (1449, False)
    assert splits["voc2012-seg-aug", "train"] == (10582, True)
    assert splits["coco20k", "all"] == (19817, True)
    assert splits["ecssd", "all"] == (1000, False)
    assert splits["dut-omron", "all"] == (5168, False)
    assert splits["duts-te", "all"] == (5019, False)
    assert splits["duts-tr", "all"] == (10553, True)
    assert all(each["about"] and "PATH" in each["tree"] for each in described.values())
    (list_of_coco,) = described["coco20k"]["checksums"]
    assert list_of_coco["verified"]
    assert len(list_of_coco["value"]) == 64
