"""Broken, odd and hostile images among good ones: the run ends, and says what it left out."""

import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from PIL import ExifTags, Image
from pycocotools.coco import COCO

from heap.discovery.command import discover
from heap.discovery.outcome import Discovery
from heap.model.heap import Heap

Photo = Callable[[int], Image.Image]

WEIRD = "\N{CAT} two\nlines <img src=x onerror=alert(1)>, '=cmd()'.png"
BAD = {
    "zero.jpg": ("open", "empty"),
    "text.jpg": ("open", "not an image"),
    "torn.jpg": ("decode", "truncated"),
    "bomb.png": ("limit", "pixels"),
}
ODD = ["dot.png", "cmyk.jpg", "deep.png", "moving.gif", "turned.png", "upright.png", WEIRD]


def bomb(side: int) -> bytes:
    """One-bit black of `side` times `side` pixels, in a few kilobytes."""
    packer = zlib.compressobj(9)
    row = bytes(1 + side // 8)
    body = b"".join([packer.compress(row) for _ in range(side)] + [packer.flush()])
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)), (b"IDAT", body),
              (b"IEND", b"")]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def make_bad(folder: Path, photo: Photo) -> None:
    (folder / "zero.jpg").touch()
    (folder / "text.jpg").write_text("<!doctype html><title>404</title>")
    photo(0).save(folder / "torn.jpg")
    whole = (folder / "torn.jpg").read_bytes()
    (folder / "torn.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "bomb.png").write_bytes(bomb(16_000))


def make_odd(folder: Path, photo: Photo) -> None:
    Image.new("RGB", (1, 1), "red").save(folder / "dot.png")
    photo(1).convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    grey = np.asarray(photo(2).convert("L")).astype(np.uint16)
    Image.fromarray(257 * grey).save(folder / "deep.png")
    photo(3).save(folder / "moving.gif", save_all=True, append_images=[photo(4)])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    photo(5).transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png", exif=exif)
    photo(5).save(folder / "upright.png")
    photo(1).save(folder / WEIRD)


@pytest.fixture(scope="module")
def folder(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def photo(number: int) -> Image.Image:
        with Image.open(photos / f"{number:02d}.png") as image:
            return image.convert("RGB")

    place = tmp_path_factory.mktemp("hostile")
    for number in range(3):
        photo(number).save(place / f"good {number}.png")
    make_bad(place, photo)
    make_odd(place, photo)
    return place


@pytest.fixture(scope="module")
def run(folder: Path, heap: Heap, tmp_path_factory: pytest.TempPathFactory) -> Discovery:
    return discover(folder, tmp_path_factory.mktemp("out") / "run", model=heap)


def name_of(key: str) -> str:
    return os.fsdecode(unquote_to_bytes(key))


@pytest.mark.fault("F01", "F02", "F03", "F09")
def test_every_good_image_is_done_and_every_bad_one_listed(run: Discovery, folder: Path) -> None:
    assert run.counts.failed == len(BAD)
    assert run.counts.done + run.counts.empty == 3 + len(ODD)
    assert run.images == len(list(folder.iterdir()))
    lines = [json.loads(line) for line in (run.folder / "failed.jsonl").read_text().splitlines()]
    assert [line["path"] for line in lines] == sorted(BAD)
    for line in lines:
        stage, reason = BAD[line["path"]]
        assert line["stage"] == stage
        assert reason in line["reason"]
        assert "\n" not in line["reason"]


@pytest.mark.fault("F15")
def test_names_survive(run: Discovery, folder: Path) -> None:
    coco = COCO(str(run.folder / "objects.json"))
    names = {name_of(image["file_name"]) for image in coco.loadImgs(coco.getImgIds())}
    assert names == {path.name for path in folder.iterdir()} - BAD.keys()
    assert {name_of(result.key) for result in run.results()} == names
    gallery = (run.folder / "gallery.html").read_text()
    assert "<img src=x" not in gallery
    overlays = [path.name for path in (run.folder / "overlays").iterdir()]
    assert len(overlays) == len(names)
    assert all(name.isprintable() and "<" not in name for name in overlays)


def test_masks_have_the_size_of_the_image(run: Discovery, folder: Path) -> None:
    results = list(run.results())
    assert sum(len(result.objects) for result in results) > 0
    for result in results:
        with Image.open(folder / name_of(result.key)) as image:
            size = image.size
        if result.key == "turned.png":
            size = size[::-1]
        assert (result.width, result.height) == size
        assert np.isfinite(result.saliency).all()
        for mask in result.objects.masks:
            assert (mask.width, mask.height) == size


@pytest.mark.fault("F05")
def test_a_turned_photo_gives_what_the_upright_one_gives(run: Discovery) -> None:
    found = {result.key: result for result in run.results()}
    turned, upright = found["turned.png"].to_coco(), found["upright.png"].to_coco()
    assert turned == upright
    assert turned, "there is an object in it"


def test_a_second_run_of_the_same_folder_is_the_same(
    run: Discovery, folder: Path, heap: Heap, tmp_path: Path
) -> None:
    again = discover(folder, tmp_path / "run", model=heap)
    for name in ("objects.json", "failed.jsonl"):
        assert (again.folder / name).read_bytes() == (run.folder / name).read_bytes()
    third = discover(folder, tmp_path / "run", model=heap)
    assert third.images == 0
    assert third.counts == again.counts
