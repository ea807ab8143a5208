import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from profiles import swapped_profile
from runs import result_of, ring

from heap.base.errors import ImageError
from heap.export.formats import FORMATS, FormatName
from heap.export.items import Item, Labelled
from heap.export.originals import read_original, write_crops
from heap.store.photos import Photos, note_folders
from heap.store.store import RunStore

SIZE = (60, 80)
MASK = ring(SIZE, (30, 40), 20, 8)
PIXELS = np.stack([*np.mgrid[:60, :80], np.full(SIZE, 100)], axis=-1).astype(np.uint8) * 3 // 2


def item_of(source: Path, label: str = "wheel") -> Item:
    objects = result_of("a/ü 1.jpg", [MASK], SIZE).objects
    each = Labelled(
        id="a/ü 1.jpg#0",
        box=tuple(objects.boxes[0].tolist()),
        score=0.9,
        mask=objects.masks[0],
        label=label,
        vector=objects.embeddings[0],
    )
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    key = f"a/ü 1{source.suffix}"
    return Item(key, "a/ü 1", SIZE[1], SIZE[0], str(source), digest, (each,))


@pytest.fixture
def photos(tmp_path: Path) -> Photos:
    """Of a run that was made of the images in `tmp_path`."""
    with RunStore.create_or_open(tmp_path / "run", {}) as store:
        note_folders(store, [str(tmp_path / "a.png")])
    return Photos(RunStore.open(tmp_path / "run"))


def saved(folder: Path, name: str, turned: bool = False) -> Path:
    path = folder / name
    image = Image.fromarray(PIXELS)
    if turned:
        exif = Image.Exif()
        exif[0x0112] = 6  # Shown turned right, so it is stored turned left.
        image.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    else:
        image.save(path)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.JPG", "a.jpeg", "a.bmp"])
def test_what_readers_take_is_copied_byte_by_byte(
    photos: Photos, tmp_path: Path, name: str
) -> None:
    source, out = saved(tmp_path, name), tmp_path / "out"
    out.mkdir()
    item = item_of(source)
    written = read_original(photos, item).put(out, FORMATS["yolo"], "copy")
    assert written == f"a/ü 1{source.suffix}"
    assert (out / written).read_bytes() == source.read_bytes()
    assert not (out / written).is_symlink()


def test_a_link_leads_to_the_original(photos: Photos, tmp_path: Path) -> None:
    source, out = saved(tmp_path, "a.png"), tmp_path / "out"
    out.mkdir()
    written = out / read_original(photos, item_of(source)).put(out, FORMATS["yolo"], "link")
    assert written.readlink() == source


def test_a_suffix_says_what_the_file_is_and_is_that_of_voc_there(
    photos: Photos, tmp_path: Path
) -> None:
    source = saved(tmp_path, "a.JPG")
    lying = source.rename(tmp_path / "a.png")
    assert (
        read_original(photos, item_of(lying)).put(tmp_path, FORMATS["yolo"], "copy") == "a/ü 1.jpg"
    )
    source = saved(tmp_path, "a.JPEG")
    assert (
        read_original(photos, item_of(source)).put(tmp_path, FORMATS["voc"], "copy") == "a/ü 1.jpg"
    )


@pytest.mark.parametrize(("name", "turned"), [("a.png", True), ("a.tif", False)])
@pytest.mark.parametrize("format", ["yolo", "voc"])
def test_what_lies_on_its_side_or_is_of_another_kind_is_encoded_again(
    photos: Photos, tmp_path: Path, name: str, turned: bool, format: str
) -> None:
    source, out = saved(tmp_path, name, turned), tmp_path / "out"
    out.mkdir()
    style = FORMATS["yolo" if format == "yolo" else "voc"]
    written = out / read_original(photos, item_of(source)).put(out, style, "link")
    assert not written.is_symlink()
    assert written.suffix == (".png" if format == "yolo" else ".jpg")
    with Image.open(written) as image:
        assert image.getexif().get(0x0112) is None
        found = np.asarray(image).astype(int)
    assert found.shape == PIXELS.shape
    assert abs(found - PIXELS).mean() < (1e-9 if format == "yolo" else 2)


def test_images_that_are_gone_torn_or_of_another_size_are_refused(
    photos: Photos, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    source = saved(tmp_path, "a.png")
    item, grown = item_of(source), replace(item_of(source), width=81)
    with pytest.raises(ImageError, match="80x60 now and was 81x60"):
        read_original(photos, grown).put(out, FORMATS["yolo"], "copy")
    source.write_bytes(source.read_bytes()[:-20])
    with pytest.raises(ImageError, match="another content"):
        read_original(photos, item)
    with pytest.raises(ImageError, match="Truncated"):
        write_crops(read_original(photos, item_of(source)), out, {"wheel": "wheel"})
    source.unlink()
    with pytest.raises(ImageError, match="cannot read"):
        read_original(photos, item)
    assert list(out.iterdir()) == []


def test_a_crop_is_the_object_and_transparent_around_it(photos: Photos, tmp_path: Path) -> None:
    original = read_original(photos, item_of(saved(tmp_path, "a.png", turned=True)))
    assert write_crops(original, tmp_path / "crops", {"wheel": "big wheel"}) == 1
    path = tmp_path / "crops" / "big wheel" / "a" / "ü 1-0.png"
    with Image.open(path) as image:
        assert image.mode == "RGBA"
        found = np.asarray(image)
    assert np.array_equal(found[..., :3], PIXELS[10:51, 20:61])
    assert np.array_equal(found[..., 3] == 255, MASK[10:51, 20:61])
    assert set(np.unique(found[..., 3])) == {0, 255}


PHOTO = Path(__file__).parents[3] / "demo" / "photos" / "astronaut.jpg"


def turned_photo(folder: Path) -> tuple[Path, Item]:
    """A JPEG of a camera that was held upright, with a profile of its own, and its item."""
    exif, path = Image.Exif(), folder / "photo.jpg"
    exif[0x0112] = 6
    with Image.open(PHOTO) as photo:
        photo.save(path, quality=80, exif=exif, icc_profile=swapped_profile())
        size = photo.size
    return path, replace(item_of(path), width=size[1], height=size[0], objects=())


@pytest.mark.parametrize("format", ["yolo", "voc", "labelme"])
def test_a_turned_jpeg_stays_one_with_its_size_and_its_colours(
    photos: Photos, tmp_path: Path, format: FormatName
) -> None:
    (tmp_path / "out").mkdir()
    source, item = turned_photo(tmp_path)
    original = read_original(photos, item)
    path = tmp_path / "out" / original.put(tmp_path / "out", FORMATS[format], "copy")
    assert path.suffix == ".jpg"
    assert path.stat().st_size < 1.3 * source.stat().st_size
    with Image.open(path) as image:
        assert image.info["icc_profile"] == swapped_profile()
        assert image.size == (item.width, item.height)
        assert image.getexif().get(0x0112) is None
        assert abs(np.asarray(image).astype(int) - original.picture.pixels).mean() < 2


def test_what_is_made_of_a_photo_has_its_profile(photos: Photos, tmp_path: Path) -> None:
    source, out = tmp_path / "a.tif", tmp_path / "out"
    out.mkdir()
    Image.fromarray(PIXELS).save(source, icc_profile=swapped_profile())
    original = read_original(photos, item_of(source))
    write_crops(original, out / "crops", {"wheel": "wheel"})
    paths = [out / original.put(out, FORMATS["yolo"], "copy"), *out.glob("crops/wheel/a/*.png")]
    assert len(paths) == 2
    for path in paths:
        with Image.open(path) as image:
            assert image.info["icc_profile"] == swapped_profile()
