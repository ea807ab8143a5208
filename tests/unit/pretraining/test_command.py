"""`heap pretrain` and `heap pack` in Python: from image files on."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from heap.base.errors import InputError
from heap.base.lock import RunLock
from heap.encoder.registry import packaged_encoder
from heap.images.failures import FAILURES
from heap.images.skipped import Skipped
from heap.pretraining.command import failures_of, pack, pretrain
from heap.pretraining.photos import read_packs

from .conftest import Config


def test_images_and_their_packs_give_the_same_encoder(
    photos: Path, tiny: Config, tmp_path: Path
) -> None:
    seen: list[tuple[str, int, int | None]] = []

    def note(stage: str, done: int, total: int | None) -> None:
        seen.append((stage.partition(":")[0], done, total))

    packs = pack(
        photos, tmp_path / "packs" / "photos", side=48, most_bytes=20_000, on_progress=note
    )
    assert seen == [("images", 12, 12)]
    assert len(packs) > 1
    seen.clear()
    pretrain(photos, tmp_path / "whole", config=tiny(), side=48, on_progress=note)
    assert seen[0] == ("images", 12, 12)
    assert seen[1:] == [("pretraining", 200 * step, 1000) for step in range(1, 6)]
    pretrain(list(packs), tmp_path / "packed", config=tiny())
    for name in ("model.safetensors", "heads.safetensors", "log.jsonl"):
        ours, theirs = ((tmp_path / each / name).read_bytes() for each in ("whole", "packed"))
        assert ours == theirs


def test_what_a_pack_holds(tmp_path: Path) -> None:
    """A bright square in the middle of a dark image is where the prior is high."""
    pixels = np.full((60, 90, 3), (20, 40, 60), dtype=np.uint8)
    pixels[20:40, 30:60] = (250, 200, 30)
    for name in ("a.png", "b.png"):
        Image.fromarray(pixels).save(tmp_path / name)
    photos = read_packs(pack(tmp_path, tmp_path / "pack", side=64))
    colours, priors = photos.pick(torch.tensor([0]), torch.device("cpu"))
    assert priors.shape == (1, 28, 28)
    assert priors[0, 14, 14] > 0.9
    assert priors[0, 2, 2] < 0.1
    for row, col, expected in ((32, 32, (250, 200, 30)), (5, 5, (20, 40, 60))):
        found = 255 * colours[0, :, row, col]
        assert (found - torch.tensor(expected)).abs().max() < 4


def test_what_is_left_out_is_said_with_its_reason(
    photos: Path, tiny: Config, tmp_path: Path
) -> None:
    mixed = Path(shutil.copytree(photos, tmp_path / "mixed"))
    (mixed / "05.png").write_bytes(b"no image")
    (mixed / "notes.doc").touch()
    (mixed / ".hidden.png").touch()
    skipped: list[Skipped] = []
    stem, out = tmp_path / "pack", tmp_path / "out"
    paths = pack(mixed, stem, side=32, on_skipped=skipped.append)
    assert len(read_packs(paths)) == 11
    pretrain(mixed, out, config=tiny(steps=1, batch=2), side=32, on_skipped=skipped.append)
    reasons = {"hidden": 1, "not images by their names (.doc)": 1}
    assert list(map(dict, skipped)) == [reasons, reasons]
    for path in (failures_of(stem), out / FAILURES):
        (failure,) = map(json.loads, path.read_text().splitlines())
        assert (failure["path"], failure["stage"]) == ("05.png", "open")
        assert "not an image" in failure["reason"]
    pack(photos, str(stem), side=32)
    assert not failures_of(stem).exists()


def test_too_few_images(photos: Path, tiny: Config, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    shutil.copy(photos / "00.png", few)
    (few / "bad.png").write_bytes(b"no image")
    for work in (lambda: pretrain(few, tmp_path / "out", config=tiny()),
                 lambda: pack(few, tmp_path / "pack")):  # fmt: skip
        with pytest.raises(InputError, match="at least two images; 1 of 2"):
            work()
    assert not list(tmp_path.glob("pack*"))


def test_what_cannot_be_used(photos: Path, tiny: Config, tmp_path: Path) -> None:
    packs = pack(photos, tmp_path / "packs" / "photos", side=32)
    with pytest.raises(InputError, match="either packs or images, not both"):
        pretrain([*packs, photos], tmp_path / "out", config=tiny())
    with pytest.raises(InputError, match="side 33 is odd"):
        pretrain(photos, tmp_path / "out", config=tiny(), side=33)
    for side in (0, -2):
        with pytest.raises(InputError, match=f"side is {side}; it has to be 2 or more"):
            pretrain(photos, tmp_path / "out", config=tiny(), side=side)
        with pytest.raises(InputError, match=f"side is {side}; it has to be 2 or more"):
            pack(photos, tmp_path / "out", side=side)
    with pytest.raises(InputError, match="quality_every is 0; it has to be 1 or more"):
        pretrain(photos, tmp_path / "out", config=tiny(), quality_every=0)
    with pytest.raises(InputError, match="--start dino-vits8 is not on this machine"):
        pretrain(packs, tmp_path / "out", config=tiny(), start="dino-vits8")
    with pytest.raises(InputError, match="there is no encoder 'dino-vits9'"):
        pretrain(packs, tmp_path / "out", config=tiny(), start="dino-vits9")


def test_one_process_at_a_time(photos: Path, tiny: Config, tmp_path: Path) -> None:
    with RunLock(tmp_path), pytest.raises(InputError, match="is being written by"):
        pretrain(photos, tmp_path, config=tiny())


def test_going_on_from_the_embedded_encoder(photos: Path, tiny: Config, tmp_path: Path) -> None:
    pretrain(photos, tmp_path, config=tiny(steps=1, batch=2), side=32, start="embedded-small")
    ours, theirs = (
        load_file(each / "model.safetensors")
        for each in (tmp_path, packaged_encoder("embedded-small"))
    )
    assert {name: value.shape for name, value in ours.items()} == {
        name: value.shape for name, value in theirs.items()
    }


def test_figures_of_a_labelled_folder(photos: Path, tiny: Config, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for kind in ("images", "masks"):
        (data / kind).mkdir(parents=True)
    for number in range(3):
        path = photos / f"{number:02d}.png"
        shutil.copy(path, data / "images")
        with Image.open(path) as image:
            width, height = image.size
        mask = np.zeros((height, width), dtype=np.uint8)
        mask[height // 4 : -height // 4, width // 4 : -width // 4] = 255
        Image.fromarray(mask).save(data / "masks" / path.name)
    out = tmp_path / "out"
    pretrain(photos, out, config=tiny(), side=48, quality=str(data))
    (line,) = map(json.loads, (out / "quality.jsonl").read_text().splitlines())
    assert line.pop("step") == 5
    assert set(line) == {"tokencut_iou", "tokencut_corloc", "heap_iou", "heap_corloc"}
    assert all(0 <= value <= 100 for value in line.values())
    assert json.dumps(line) in (out / "README.md").read_text()


def test_a_teacher_sees_images_that_are_spread_evenly(
    photos: Path, taught: Config, teachers: list[str], tmp_path: Path
) -> None:
    stages = []

    def note(stage: str, done: int, total: int | None) -> None:
        stages.append((stage.partition(":")[0], done, total))

    out = tmp_path / "out"
    pretrain(photos, out, config=taught(steps=1), limit=4, teacher=teachers[0], on_progress=note)
    assert stages == [
        ("images", 4, 4), ("teacher", 0, 4), ("teacher", 4, 4), ("pretraining", 1000, 1000),
    ]  # fmt: skip
    files = [photos / f"{number:02d}.png" for number in (0, 3, 6, 9)]
    # Held as large as images are without a teacher, since it sees them smaller.
    packs = pack(files, tmp_path / "pack", side=128)
    assert json.loads((out / "lessons.json").read_text())["photos"] == read_packs(packs).digest()
    with pytest.raises(InputError, match="packs are taken whole"):
        pretrain(packs, out, config=taught(steps=1), limit=4, teacher=teachers[0])
    with pytest.raises(InputError, match="there is no encoder 'dino-vits9'"):
        pretrain(photos, tmp_path / "none", config=taught(steps=1), teacher="dino-vits9")
    assert not (tmp_path / "none").exists()
