"""Points 5 to 7, 16: images with which something is wrong, and damaged weights and stores."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import lancedb
import numpy as np
import pytest
from PIL import Image, ImageCms

from .conftest import HIGH, WIDE, Command, Photo, images_of, sizes_of


def failures_of_spoiled(
    python: list[str], spoil: str, folder: Path, model: Path, *more: object
) -> list[str]:
    """Discover the photos in `p` after a library of others was changed; gives those that failed."""
    program = f"{spoil}\nimport runpy\nrunpy.run_module('heap', run_name='__main__')"
    line = ["discover", "p", "--model", model, "--out", "run", "--no-refine", "--precision", "fp32"]
    done = subprocess.run(
        [*python, "-c", program, *map(str, [*line, *more])], cwd=folder, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    failed = (folder / "run" / "failed.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["path"] for line in failed]


ENCODER = """
import torch
from torch import nn

call = nn.Conv2d.forward

def spoiled(self, pixels):
    red = pixels[:, 0].flatten(1).amin(dim=1) > 2
    if pixels.shape[1] == 3 and bool(red.any()):
        {fault}
    return call(self, pixels)

nn.Conv2d.forward = spoiled
"""


def red_among(photo: Photo, folder: Path) -> None:
    """Two photos, and one of the size of the first whose red is full everywhere."""
    photo(0, "p/a.png"), photo(1, "p/z.png")
    with Image.open(folder / "p" / "a.png") as image:
        pixels = np.array(image)
    pixels[..., 0] = 255
    Image.fromarray(pixels).save(folder / "p" / "m.png")


@pytest.mark.accident(5, "An error of the model with one image stopped the run")
@pytest.mark.parametrize(
    "fault", ["raise ValueError('of the model')", "pixels[red] = torch.nan"],
    ids=["error", "nan"],
)  # fmt: skip
def test_image_that_the_model_fails_with(
    photo: Photo, python: list[str], model: Path, tmp_path: Path, fault: str
) -> None:
    red_among(photo, tmp_path)
    assert failures_of_spoiled(python, ENCODER.format(fault=fault), tmp_path, model) == ["m.png"]
    assert [image["file_name"] for image in images_of(tmp_path / "run")] == ["a.png", "z.png"]


HANGING = """
import time
from PIL import ImageFile

load = ImageFile.ImageFile.load

def hang(self):
    if self.size == (80, 80):
        time.sleep(300)
    return load(self)

ImageFile.ImageFile.load = hang
"""


@pytest.mark.accident(5, "An image whose decoder hangs held the run for good")
def test_decoder_that_hangs(
    photo: Photo, python: list[str], run_heap: Command, model: Path, tmp_path: Path
) -> None:
    photo(0, "p/a.png"), photo(2, "p/m.png"), photo(1, "p/z.png")
    limit = ["--timeout", 1] if "--timeout" in run_heap("discover", "--help").stdout else []
    assert failures_of_spoiled(python, HANGING, tmp_path, model, *limit) == ["m.png"]
    assert sizes_of(tmp_path / "run") == [HIGH, WIDE]


@pytest.mark.fault("F25")
@pytest.mark.accident(5, "A hub that does not answer was waited for for more than a minute")
def test_hub_that_never_answers(photo: Photo, tmp_path: Path) -> None:
    photo(0, "x.png")
    environment = {name: value for name, value in os.environ.items() if name[:3] != "HF_"}
    environment |= {name: str(tmp_path / name) for name in ("HF_HOME", "HEAP_CACHE_DIR")}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment["HF_ENDPOINT"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        # An interpreter of its own: the address is read when the library of the hub is imported.
        # Starting takes a part of the time as well.
        done = subprocess.run(
            [sys.executable, "-m", "heap", "discover", "x.png", "--model", "owner/tiny"],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("heap: there is no model 'owner/tiny'")
    assert done.stderr.count("\n") == 1


def flip(file: Path, place: int, bit: int = 1) -> None:
    """Flip one bit of a file."""
    data = bytearray(file.read_bytes())
    data[place] ^= bit
    file.write_bytes(data)


@pytest.mark.accident(6, "One flipped bit in the weights of a head went unnoticed")
def test_flipped_bit_in_the_weights(
    photo: Photo, run_heap: Command, model: Path, tmp_path: Path
) -> None:
    shutil.copytree(model, tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    flip(weights, weights.stat().st_size - 400)
    photo(0, "p/x.png")
    line = ["discover", "p", "--model", "model", "--out", "run"]
    done = run_heap(*line, cwd=tmp_path)
    assert done.returncode not in (0, 1)
    assert "model.safetensors" in done.stderr


@pytest.mark.accident(6, "One flipped bit in the configuration of a run went unnoticed")
def test_flipped_bit_in_the_configuration(run: Path, run_heap: Command) -> None:
    flipped = 0
    for file in run.glob("store/config.lance/data/*"):
        place = file.read_bytes().find(b'"min_area": 0.005')
        if place >= 0:
            flip(file, place + len(b'"min_area": 0.00'))
            flipped += 1
    assert flipped
    done = run_heap("inspect", run)
    assert done.returncode == 3
    assert "damage" in done.stderr


@pytest.mark.accident(6, "One flipped bit in a row of objects went unnoticed by search and table")
def test_flipped_bit_in_a_row_of_objects(run: Path, run_heap: Command) -> None:
    table = lancedb.connect(run / "store").open_table("objects")
    vector = np.array(table.to_arrow()["vector"][0].as_py(), np.float32)
    named = table.to_arrow()["id"].to_pylist()
    flipped = 0
    for file in run.glob("store/objects.lance/data/*"):
        place = file.read_bytes().find(vector.tobytes())
        if place >= 0:
            flip(file, place + 7)
            flipped += 1
    assert flipped
    done = run_heap("search", run, "--object", named[1], "--json")
    assert done.returncode == 0
    assert "damage" in done.stderr
    assert named[0].rpartition("#")[0] in done.stderr
    assert named[0] not in done.stdout


@pytest.mark.accident(7, "A rotated JPEG became a PNG of three times its size, without its profile")
def test_export_of_a_rotated_photo(discover: Command, run_heap: Command, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = np.random.default_rng(0).integers(0, 255, (12, 18, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).resize((180, 120)).save(
        tmp_path / "p" / "x.jpg", exif=exif, icc_profile=profile, quality=90
    )
    assert discover("p").returncode == 0
    assert run_heap("export", tmp_path / "run", "--format", "yolo").returncode == 0
    (written,) = (tmp_path / "run" / "export-yolo" / "images").rglob("*.*")
    with Image.open(written) as image:
        assert image.format == "JPEG"
        assert image.size == (120, 180)
        assert image.info["icc_profile"] == profile
    assert written.stat().st_size < 1.3 * (tmp_path / "p" / "x.jpg").stat().st_size


def mean_of(path: Path) -> float:
    with Image.open(path) as image:
        return float(np.asarray(image).mean())


@pytest.mark.accident(16, "Sensor data of 12 bits in 16 was nearly black to the model")
def test_sensor_data(photos: Path, discover: Command, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    with Image.open(photos / "01.png") as photo:
        grey = np.array(photo.convert("L"))
    Image.fromarray(grey).save(tmp_path / "p" / "08.png")
    Image.fromarray(grey.astype(np.uint16) * 16).save(tmp_path / "p" / "12.png")
    done = discover("p", "--json")
    assert done.returncode == 0, done.stderr
    overlays = tmp_path / "run" / "overlays"
    means = {path.name[:2]: mean_of(path) for path in overlays.iterdir()}
    assert means["12"] > 0.6 * means["08"]
    assert "stretched" in done.stdout


@pytest.mark.accident(16, "Of further pages of a TIFF nothing was said")
def test_further_pages(photos: Path, discover: Command, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    with Image.open(photos / "01.png") as photo:
        photo.save(tmp_path / "p" / "x.tif", save_all=True, append_images=[photo.rotate(90)])
    done = discover("p", "--json")
    assert done.returncode == 0, done.stderr
    assert "first of 2 frames" in done.stdout
    assert [image["note"] for image in images_of(tmp_path / "run")] == ["first of 2 frames"]
