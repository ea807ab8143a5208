"""Points 1 to 3: which image is which, what is a photo, and names of any bytes."""

import csv
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from .conftest import HIGH, SQUARE, WIDE, Command, Photo, files_in, images_of, sizes_of


@pytest.mark.accident(1, "In a second folder, photos with names of the first were skipped as done")
def test_second_folder_with_the_same_names(photo: Photo, discover: Command, tmp_path: Path) -> None:
    photo(0, "a/x.png"), photo(1, "b/x.png")
    assert [discover(folder).returncode for folder in "ab"] == [0, 0]
    assert sizes_of(tmp_path / "run") == [HIGH, WIDE]


@pytest.mark.accident(1, "A second image on standard input was skipped as done")
def test_second_image_on_standard_input(photos: Path, discover: Command, tmp_path: Path) -> None:
    for number in range(2):
        with (photos / f"{number:02d}.png").open() as image:
            assert discover("-", stdin=image).returncode == 0
    assert sizes_of(tmp_path / "run") == [HIGH, WIDE]


@pytest.mark.accident(1, "A photo that was edited kept its objects of before")
def test_photo_with_another_content(photo: Photo, discover: Command, tmp_path: Path) -> None:
    for number in range(2):
        photo(number, "p/x.png")
        assert discover("p").returncode == 0
    assert sizes_of(tmp_path / "run") == [HIGH]


@pytest.mark.accident(1, "A photo that came first in a longer list was never read; another, twice")
def test_list_that_grows_at_its_head(photo: Photo, discover: Command, tmp_path: Path) -> None:
    photo(0, "lb/x.png"), photo(1, "lb/y.png"), photo(2, "la/x.png")
    assert discover("lb/x.png", "lb/y.png").returncode == 0
    assert discover("la/x.png", "lb/x.png", "lb/y.png").returncode == 0
    assert sizes_of(tmp_path / "run") == [HIGH, SQUARE, WIDE]


@pytest.mark.accident(1, "Of files with one name, COCO named one IMG_1.png#2, which is nowhere")
def test_files_of_one_name(photo: Photo, discover: Command, tmp_path: Path) -> None:
    names = ["2019/trip/IMG_1.png", "2020/trip/IMG_1.png"]
    photo(0, names[0]), photo(1, names[1])
    assert discover(*names).returncode == 0
    assert [image["file_name"] for image in images_of(tmp_path / "run")] == names


@pytest.mark.accident(1, "An image that had failed was not tried again when it was mended")
def test_image_that_was_mended(photo: Photo, discover: Command, tmp_path: Path) -> None:
    photo(0, "p/x.png")
    (tmp_path / "p" / "y.png").write_bytes(b"torn")
    assert discover("p").returncode == 0
    photo(1, "p/y.png")
    assert discover("p").returncode == 0
    assert sizes_of(tmp_path / "run") == [HIGH, WIDE]


@pytest.mark.accident(1, "Nothing was said of a photo that is gone")
def test_photo_that_is_gone(photo: Photo, discover: Command) -> None:
    photo(0, "p/x.png"), photo(1, "p/lost-one.png")
    assert discover("p").returncode == 0
    Path(photo(1, "p/lost-one.png")).unlink()
    done = discover("p")
    assert done.returncode == 0
    assert "lost-one.png" in "".join(done.stderr.split())


@pytest.mark.accident(2, "`heap discover .` a second time took its own overlays for photos")
def test_folder_that_holds_its_run(photo: Photo, discover: Command, tmp_path: Path) -> None:
    photo(0, "p/x.png"), photo(1, "p/sub/y.png")
    for _ in range(2):
        assert discover(".", out="heap-run", cwd=tmp_path / "p").returncode == 0
    assert sizes_of(tmp_path / "p" / "heap-run") == [HIGH, WIDE]


@pytest.mark.accident(2, "The images of an export were taken for photos")
def test_folder_that_holds_an_export(
    photo: Photo, discover: Command, run_heap: Command, tmp_path: Path
) -> None:
    photo(0, "p/x.png"), photo(1, "p/y.png")
    assert discover("p").returncode == 0
    line = ["export", tmp_path / "run", "--format", "yolo", "--out", tmp_path / "p" / "labels"]
    assert run_heap(*line).returncode == 0
    assert discover("p").returncode == 0
    assert sizes_of(tmp_path / "run") == [HIGH, WIDE]


@pytest.mark.accident(3, "One name that is not UTF-8 ended every discover of its folder")
def test_name_that_is_not_utf_8(photo: Photo, discover: Command, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    photo(0, "p/x.png"), photo(1, f"p/{name}")
    done = discover("p")
    assert done.returncode == 0, done.stderr
    assert {image["file_name"] for image in images_of(tmp_path / "run")} == {"x.png", name}


ODD = ["9.41\u202fAM.png", "一\u3000.png", "100%.png", "👩\u200d🚀.png"]


@pytest.mark.accident(3, "COCO and CSV gave names, escaped by percents, that do not exist")
def test_names_that_were_escaped(
    photo: Photo, discover: Command, run_heap: Command, tmp_path: Path
) -> None:
    for name in ODD:
        photo(0, f"p/{name}")
    assert discover("p").returncode == 0
    assert {image["file_name"] for image in images_of(tmp_path / "run")} == set(ODD)
    assert run_heap("export", tmp_path / "run", "--format", "csv").returncode == 0
    with (tmp_path / "run" / "export-csv" / "objects.csv").open(encoding="utf-8") as file:
        assert {row["image"] for row in csv.DictReader(file)} == set(ODD)


@pytest.mark.accident(4, "`heap fit --out` wrote a model among the photos of a folder")
def test_model_among_photos(
    photo: Photo, run_heap: Command, tmp_path: Path, fit_options: list[object]
) -> None:
    for number in range(4):
        photo(number, f"p/{number}.png")
    before = files_in(tmp_path / "p")
    done = run_heap("fit", tmp_path / "p", "--out", tmp_path / "p", *fit_options)
    assert done.returncode == 2
    assert files_in(tmp_path / "p") == before


@pytest.mark.accident(4, "A discover in which every image failed ended with 0")
def test_run_in_which_every_image_failed(discover: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    assert discover("bad.png").returncode == 1


@pytest.mark.accident(4, "Links to images were skipped without a line")
def test_links_to_images(photo: Photo, discover: Command, tmp_path: Path) -> None:
    target = photo(0, "data/x.png")
    photo(1, "p/y.png")
    (tmp_path / "p" / "x.png").symlink_to(target)
    assert discover("p").returncode == 0
    assert sizes_of(tmp_path / "run") == [HIGH, WIDE]


@pytest.mark.accident(4, "HEIC was skipped without a line, where its library is installed too")
def test_heic(photos: Path, photo: Photo, discover: Command, tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    photo(1, "p/y.png")
    with Image.open(photos / "00.png") as image:
        heif.from_pillow(image).save(tmp_path / "p" / "x.heic")
    assert discover("p").returncode == 0
    assert sizes_of(tmp_path / "run") == [HIGH, WIDE]


@pytest.mark.accident(4, "Files that are no images by their names were passed over unsaid")
def test_what_is_passed_over(photo: Photo, discover: Command, tmp_path: Path) -> None:
    photo(0, "p/x.png")
    shutil.copyfile(__file__, tmp_path / "p" / "notes.psd")
    done = discover("p")
    assert done.returncode == 0
    assert ".psd" in done.stderr
