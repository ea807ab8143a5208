from pathlib import Path

import pytest
from miniatures import HEIGHT, WIDTH, picture

from heap.base.errors import InputError
from heap.benchmark.datasets import check_dataset, open_dataset


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("sky/2.png", "sky/1.jpg", "grass/1.jpg", "grass/3.jpg", "grass/2.jpg"):
        picture(tmp_path / name)
    (tmp_path / "notes").mkdir()
    (tmp_path / "sky" / "about.txt").touch()
    return tmp_path


def test_each_folder_of_images_is_a_split(root: Path) -> None:
    data = open_dataset(f"empty:{root}")
    assert (data.name, data.place, data.classes) == ("empty", root, ())
    assert [(each.split, each.key) for each in data.examples] == [
        ("grass", "grass/1.jpg"), ("grass", "grass/2.jpg"), ("grass", "grass/3.jpg"),
        ("sky", "sky/1.jpg"), ("sky", "sky/2.png"),
    ]  # fmt: skip


def test_nothing_is_in_them(root: Path) -> None:
    example = open_dataset(f"empty:{root}").examples[0]
    truth = example.truth(example.picture())
    assert truth.boxes.shape == (0, 4)
    assert truth.crowds.shape == (0,)
    assert truth.foreground is not None
    assert truth.foreground.shape == (HEIGHT, WIDTH)
    assert not truth.foreground.any()
    assert truth.instances is not None
    assert truth.instances.shape == (0, HEIGHT, WIDTH)
    assert truth.void is None, "all of it is scored"


def test_the_limit_is_of_each_split(root: Path) -> None:
    keys = [each.key for each in open_dataset(f"empty:{root}", limit=1).examples]
    assert keys == ["grass/1.jpg", "sky/1.jpg"]


def test_splits_by_name(root: Path) -> None:
    assert {each.split for each in open_dataset(f"empty:{root}", splits=["sky"]).examples} == {
        "sky"
    }
    with pytest.raises(InputError, match="snow: is missing, or no folder"):
        open_dataset(f"empty:{root}", splits=["sky", "snow"])


def test_an_image_in_no_folder_is_said_to_be_left_out(root: Path) -> None:
    assert check_dataset("empty", root) == ()
    picture(root / "stray.jpg")
    (root / "sky" / "1.jpg").write_bytes(b"no image")
    assert len(open_dataset(f"empty:{root}").examples) == 5
    stray, damaged = check_dataset("empty", root)
    assert str(stray) == f"{root}/stray.jpg: is left out: it is in none of the folders"
    assert str(damaged).startswith(f"{root}/sky/1.jpg: is no readable image")


def test_without_a_folder_of_images(tmp_path: Path) -> None:
    (tmp_path / "sky").mkdir()
    picture(tmp_path / "stray.jpg")
    with pytest.raises(InputError, match="has no folder with an image in it"):
        open_dataset(f"empty:{tmp_path}")
    with pytest.raises(InputError, match="nowhere: is missing, or no folder"):
        open_dataset(f"empty:{tmp_path / 'nowhere'}")
