"""Points 12, 14, 15, 18 to 20: what exports read and write, and what a fit learns from."""

import csv
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import lancedb
import pytest
from PIL import Image

from .conftest import STEM, Command, Photo, files_in


def exported(run: Path, run_heap: Command, *line: object) -> Path:
    done = run_heap("export", run, "--format", *line)
    assert done.returncode == 0, done.stderr
    return run / f"export-{line[0]}"


def stems(folder: Path, suffix: str) -> list[str]:
    """Names of the files of one kind, with their folders below the last one of the layout."""
    return sorted(path.stem for path in folder.rglob(f"*{suffix}"))


@pytest.mark.accident(12, "A run of somebody else made exports copy any image of the machine")
@pytest.mark.parametrize("stored", ["nothing", "its own"])
def test_run_that_points_at_another_file(
    photo: Photo, discover: Command, run_heap: Command, tmp_path: Path, stored: str
) -> None:
    photo(0, "p/x.png"), photo(1, "p/y.png")
    secret = photo(3, "private/secret.png")
    assert discover("p").returncode == 0
    digest = hashlib.sha256(secret.read_bytes()).hexdigest() if stored == "its own" else ""
    table = lancedb.connect(tmp_path / "run" / "store").open_table("images")
    table.update(where="key = 'x.png'", values={"source": str(secret), "digest": digest})
    run_heap("export", tmp_path / "run", "--format", "yolo", "--images", "copy")
    assert secret.read_bytes() not in files_in(tmp_path / "run").values()


@pytest.mark.accident(14, "An export replaced a complete earlier one by an empty one, with exit 0")
def test_export_after_the_photos_moved(
    photo: Photo, discover: Command, run_heap: Command, tmp_path: Path
) -> None:
    for number in range(2):
        photo(number, f"p/{number}.png")
    assert discover("p").returncode == 0
    before = files_in(exported(tmp_path / "run", run_heap, "yolo"))
    (tmp_path / "p").rename(tmp_path / "q")
    done = run_heap("export", tmp_path / "run", "--format", "yolo")
    assert done.returncode != 0
    assert "--photos" in done.stderr
    assert files_in(tmp_path / "run" / "export-yolo") == before


@pytest.mark.accident(14, "A discover from the new place of photos did not note where they are now")
def test_discover_after_the_photos_moved(
    photo: Photo, discover: Command, run_heap: Command, tmp_path: Path
) -> None:
    for number in range(2):
        photo(number, f"p/{number}.png")
    assert discover("p").returncode == 0
    (tmp_path / "p").rename(tmp_path / "q")
    assert discover("q").returncode == 0
    folder = exported(tmp_path / "run", run_heap, "yolo")
    assert len(list(folder.rglob("*.png"))) == 2


@pytest.mark.accident(15, "A photo exchanged for another of its size got the old mask in exports")
def test_photo_that_was_exchanged(
    photo: Photo, discover: Command, run_heap: Command, tmp_path: Path
) -> None:
    photo(0, "p/x.png"), photo(1, "p/y.png")
    assert discover("p").returncode == 0
    other = photo(3, "p/x.png").read_bytes()
    done = run_heap("export", tmp_path / "run", "--format", "yolo")
    assert "x.png" in done.stderr
    assert other not in files_in(tmp_path / "run" / "export-yolo").values()
    assert stems(tmp_path / "run" / "export-yolo", ".png") == ["y"]


def encoder_with(folder: Path, encoder: Path, **preprocessor: object) -> Path:
    """A copy of an encoder whose file on colours holds these entries; none: without that file."""
    shutil.copytree(encoder, folder)
    (folder / "preprocessor_config.json").unlink()
    if preprocessor:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


@pytest.mark.accident(18, "An encoder that does not say how colours are normalised got ImageNet's")
def test_encoder_without_a_preprocessor(
    photos: Path, run_heap: Command, fit_options: list[object], encoder_folder: Path, tmp_path: Path
) -> None:
    encoder = encoder_with(tmp_path / "encoder", encoder_folder)
    done = run_heap(
        "fit", photos, "--out", tmp_path / "model", "--encoder", encoder, *fit_options[2:]
    )
    assert done.returncode == 2
    assert "preprocessor_config.json" in done.stderr


@pytest.mark.accident(18, "`do_normalize: false` of an encoder was ignored")
def test_encoder_without_normalising(
    photos: Path, run_heap: Command, fit_options: list[object], encoder_folder: Path, tmp_path: Path
) -> None:
    colours = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}
    models = []
    for name, normalise in (("yes", True), ("no", False)):
        encoder = encoder_with(
            tmp_path / name / "encoder", encoder_folder, do_normalize=normalise, **colours
        )
        out = tmp_path / name / "model"
        done = run_heap("fit", photos, "--out", out, "--encoder", encoder, *fit_options[2:])
        assert done.returncode == 0, done.stderr
        models.append((out / "model.safetensors").read_bytes()[-4000:])
    assert models[0] != models[1]


@pytest.mark.accident(19, "A fit on black images ended well")
def test_fit_on_black_images(run_heap: Command, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    for number in range(8):
        Image.new("RGB", (64 + number, 64)).save(tmp_path / "p" / f"{number}.png")
    done = run_heap("fit", "p", "--out", "model", "--steps", 30, cwd=tmp_path)
    assert done.returncode == 1
    assert "contrast" in done.stderr


@pytest.mark.accident(19, "A fit on copies of one image ended well")
def test_fit_on_copies(
    photo: Photo, run_heap: Command, fit_options: list[object], tmp_path: Path
) -> None:
    for number in range(8):
        photo(0, f"p/{number}.png")
    options = [*fit_options]
    options[options.index("--prior") + 1] = "none"
    done = run_heap("fit", "p", "--out", "model", *options, cwd=tmp_path)
    assert done.returncode == 1
    assert "copies" in done.stderr


@pytest.mark.accident(19, 'precision="banana" computed in fp32 and was recorded')
def test_precision_that_there_is_not(model: Path, python: list[str]) -> None:
    code = f"import heap; heap.Heap.from_pretrained({str(model)!r}, precision='banana')"
    done = subprocess.run([*python, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "banana" in done.stderr.splitlines()[-1]


@pytest.mark.accident(20, "Files of exports were called by hashes that belong to no photo")
def test_names_of_exported_files(
    photo: Photo, discover: Command, run_heap: Command, tmp_path: Path
) -> None:
    photo(0, "p/cat.png"), photo(1, "p/2020/dog.png")
    assert discover("p").returncode == 0
    folder = exported(tmp_path / "run", run_heap, "yolo")
    assert stems(folder / "labels", ".txt") == ["cat", "dog"]
    assert next(folder.rglob("dog.txt")).parent.name == "2020"


@pytest.mark.accident(20, "No table said which photo a file of an export belongs to")
def test_table_of_photos(run: Path, original: Path, run_heap: Command) -> None:
    folder = exported(run, run_heap, "yolo")
    rows = [
        row
        for path in folder.rglob("*.csv")
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    ]
    photos = {path.name for path in (original / "photos").iterdir()}
    assert {row["photo"] for row in rows} == photos
    assert all((folder / row["file"]).is_file() for row in rows)


@pytest.mark.accident(20, "Images without objects were no rows of a CSV, as the help promised")
def test_images_without_objects(run: Path, original: Path, run_heap: Command) -> None:
    folder = exported(run, run_heap, "csv", "--min-score", 0.999)
    with (folder / "objects.csv").open(encoding="utf-8", newline="") as file:
        images = {row["image"] for row in csv.DictReader(file)}
    assert images == {path.name for path in (original / "photos").iterdir()}
    assert f"{STEM}.png" in images


@pytest.mark.accident(20, "A split without an image was written without a word")
def test_empty_split(run: Path, run_heap: Command) -> None:
    line = ["--format", "yolo", "--split", "train=0.999,val=0.001"]
    done = run_heap("export", run, *line)
    assert done.returncode == 2
    assert "val" in done.stderr


@pytest.mark.accident(20, "VOC had no labelmap.txt, which CVAT and others read")
def test_label_map_of_voc(run: Path, run_heap: Command) -> None:
    folder = exported(run, run_heap, "voc")
    assert list(folder.rglob("labelmap.txt"))
