from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heap.errors import ImageError, InputError
from heap.evaluation.samples import files_of, samples


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images with masks that go from 126 to 129."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for number, suffix in enumerate(("jpg", "png", "jpeg")):
        Image.new("RGB", (4, 2), (90 * number, 0, 0)).save(
            tmp_path / "images" / f"{number}.{suffix}"
        )
        levels = np.array([[126, 127, 128, 129], [0, 0, 0, 255]], dtype=np.uint8)
        Image.fromarray(levels).save(tmp_path / "masks" / f"{number}.png")
    return tmp_path


def test_images_and_masks_have_the_same_stem(folder: Path) -> None:
    found = samples(folder)
    assert [sample.key for sample in found] == ["0.jpg", "1.png", "2.jpeg"]
    assert [sample.mask.name for sample in found] == ["0.png", "1.png", "2.png"]
    assert samples(folder, 2) == found[:2]


def test_the_truth_is_above_127(folder: Path) -> None:
    truth = samples(folder)[0].truth()
    assert truth.tolist() == [[False, False, True, True], [False, False, False, True]]


def test_the_picture_is_decoded(folder: Path) -> None:
    picture = samples(folder)[1].picture()
    assert (picture.key, picture.width, picture.height) == ("1.png", 4, 2)
    assert picture.pixels[0, 0].tolist() == [90, 0, 0]


def test_a_missing_mask_is_named(folder: Path) -> None:
    (folder / "masks" / "2.png").unlink()
    with pytest.raises(InputError, match=r"mask .*2\.png is missing"):
        samples(folder)
    assert len(samples(folder, 2)) == 2


def test_a_mask_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "masks" / "0.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"0\.png cannot be read"):
        samples(folder)[0].truth()


def test_a_damaged_image_is_refused_when_it_is_read(folder: Path) -> None:
    (folder / "images" / "0.jpg").write_bytes(b"")
    sample = samples(folder)[0]
    with pytest.raises(ImageError, match="empty"):
        sample.picture()


@pytest.mark.parametrize("place", ["nowhere", "empty", "images/0.jpg"])
def test_a_folder_without_files_is_refused(place: str, folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match="no data in"):
        files_of(folder / place)
