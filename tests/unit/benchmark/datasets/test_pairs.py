from pathlib import Path

import numpy as np
import pytest
from miniatures import HEIGHT, WIDTH, pairs, picture, plane
from PIL import Image

from heap.base.errors import ImageError, InputError
from heap.benchmark.datasets import open_dataset

LAYOUTS = {
    "ecssd": ("images", "ground_truth_mask"),
    "dut-omron": ("DUT-OMRON-image", "pixelwiseGT-new-PNG"),
    "duts-te": ("DUTS-TE-Image", "DUTS-TE-Mask"),
    "duts-tr": ("DUTS-TR-Image", "DUTS-TR-Mask"),
    "folder": ("images", "masks"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_official_layouts(name: str, tmp_path: Path) -> None:
    pairs(tmp_path, *LAYOUTS[name], names=["0002", "0001"])
    dataset = open_dataset(f"{name}:{tmp_path}")
    assert (dataset.name, dataset.place, dataset.classes) == (name, tmp_path, ())
    assert [(each.split, each.key) for each in dataset.examples] == [
        ("all", "0001.jpg"), ("all", "0002.jpg"),
    ]  # fmt: skip
    example = dataset.examples[0]
    truth = example.truth(example.picture())
    assert truth.foreground is not None
    # The columns are 20, 40, ... 240: the seventh is the first above 127.
    assert truth.foreground[0].tolist() == 6 * [False] + 6 * [True]
    assert truth.boxes.tolist() == [[6, 0, 12, 8]]
    assert truth.crowds.tolist() == [False]
    assert truth.void is truth.classes is truth.instances is None


def test_boxes_are_of_the_4_connected_parts(tmp_path: Path) -> None:
    pairs(tmp_path)
    levels = np.zeros((HEIGHT, WIDTH))
    levels[0:2, 0:2] = levels[2:4, 2:5] = 128
    plane(tmp_path / "masks" / "a.png", levels)
    truth = open_dataset(f"folder:{tmp_path}").examples[0].read(WIDTH, HEIGHT)
    assert truth.boxes.tolist() == [[0, 0, 2, 2], [2, 2, 5, 4]]


def test_foreground_is_above_127(tmp_path: Path) -> None:
    pairs(tmp_path)
    levels = np.zeros((HEIGHT, WIDTH))
    levels[0, :4] = 126, 127, 128, 129
    plane(tmp_path / "masks" / "a.png", levels)
    truth = open_dataset(f"folder:{tmp_path}").examples[0].read(WIDTH, HEIGHT)
    assert truth.foreground is not None
    assert np.argwhere(truth.foreground).tolist() == [[0, 2], [0, 3]]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_masks_of_any_kind(mode: str, tmp_path: Path) -> None:
    pairs(tmp_path)
    white = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    white[2:4, 3:9] = 255
    Image.fromarray(white).convert(mode).save(tmp_path / "masks" / "a.png")
    truth = open_dataset(f"folder:{tmp_path}").examples[0].read(WIDTH, HEIGHT)
    assert truth.boxes.tolist() == [[3, 2, 9, 4]]


def test_images_of_any_format_and_nothing_else(tmp_path: Path) -> None:
    pairs(tmp_path, names=["b"])
    picture(tmp_path / "images" / "a.webp")
    plane(tmp_path / "masks" / "a.png", np.zeros((HEIGHT, WIDTH)))
    (tmp_path / "images" / "Thumbs.db").touch()
    (tmp_path / "images" / "._b.jpg").touch()
    dataset = open_dataset(f"folder:{tmp_path}")
    assert [each.key for each in dataset.examples] == ["a.webp", "b.jpg"]
    assert dataset.examples[0].read(WIDTH, HEIGHT).boxes.shape == (0, 4)


def test_a_limit_needs_no_more_than_it_takes(tmp_path: Path) -> None:
    pairs(tmp_path, names="abc")
    (tmp_path / "masks" / "c.png").unlink()
    assert len(open_dataset(f"folder:{tmp_path}", limit=2).examples) == 2
    with pytest.raises(InputError, match=r"c\.png: the mask is missing"):
        open_dataset(f"folder:{tmp_path}", limit=3)


def test_two_images_of_one_stem(tmp_path: Path) -> None:
    pairs(tmp_path)
    picture(tmp_path / "images" / "a.png")
    with pytest.raises(InputError, match=r"a\.png: is the mask of 2 images"):
        open_dataset(f"folder:{tmp_path}")


def test_damage_is_found_when_it_is_read(tmp_path: Path) -> None:
    pairs(tmp_path, names="ab")
    (tmp_path / "images" / "a.jpg").write_bytes(b"")
    (tmp_path / "masks" / "b.png").write_bytes(b"no image")
    first, second = open_dataset(f"folder:{tmp_path}").examples
    with pytest.raises(ImageError, match=r"a\.jpg: the file is empty"):
        first.picture()
    with pytest.raises(InputError, match=r"b\.png: the mask cannot be read"):
        second.truth(second.picture())


@pytest.mark.parametrize("place", ["nowhere", "images/a.jpg"])
def test_no_folders(place: str, tmp_path: Path) -> None:
    pairs(tmp_path)
    with pytest.raises(InputError, match=r"images: is missing, or no folder \(and 1 more"):
        open_dataset(f"folder:{tmp_path / place}")


def test_no_images(tmp_path: Path) -> None:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="images: has no image in it"):
        open_dataset(f"folder:{tmp_path}")
