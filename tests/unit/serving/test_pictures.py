import hashlib
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from runs import make_run, with_source

import heap
from heap.images import formats
from heap.masks.palette import REGIONS, rgb
from heap.serving.app import make_app
from heap.store.editing import Editor

from .conftest import BASE, PHOTOS


def picture(client: TestClient, kind: str, **values: str | int) -> Image.Image:
    answer = client.get(f"/pictures/{kind}", params=values)
    assert answer.status_code == 200, answer.text
    return Image.open(io.BytesIO(answer.content))


def test_thumbnail_and_photo_show_the_image(reader: TestClient) -> None:
    small, large = (picture(reader, kind, key="cat.jpg") for kind in ("thumbnail", "photo"))
    assert small.size == (480, 360)
    assert large.size == (640, 480)
    near = np.asarray(large.convert("L").resize((48, 36)), dtype=int)
    assert np.abs(near - np.asarray(small.convert("L").resize((48, 36)), dtype=int)).mean() < 4


@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".tif", {"compression": "tiff_lzw"}), (".jp2", {}), (".ppm", {}), (".heic", {})],
)
def test_formats_that_browsers_do_not_show_are_sent_as_jpeg(
    tmp_path: Path, suffix: str, options: dict[str, str]
) -> None:
    assert suffix in formats.suffixes()
    with Image.open(PHOTOS / "cat.jpg") as photo:
        expected = np.asarray(photo.convert("RGB").resize((48, 36)), dtype=int)
        photo.save(tmp_path / f"cat{suffix}", **options)
    run = make_run(tmp_path, {f"cat{suffix}": []}, (480, 640))
    with_photo(run, f"cat{suffix}", tmp_path / f"cat{suffix}")
    with TestClient(make_app(run, photos=tmp_path), base_url=BASE) as client:
        shown = picture(client, "photo", key=f"cat{suffix}")
    assert (shown.format, shown.size) == ("JPEG", (640, 480))
    assert np.abs(np.asarray(shown.resize((48, 36)), dtype=int) - expected).mean() < 4


def with_photo(run: Path, key: str, photo: Path) -> None:
    """Say that the image of a run is this file."""
    with_source(run, key, str(photo), hashlib.sha256(photo.read_bytes()).hexdigest())


LOOKS = ("/pictures/photo?key=cat.jpg", "/api/nearest/box?key=cat.jpg&box=180,117,617,317")
"""What reads a photo again."""


def told(client: TestClient, path: str) -> str:
    """Why a photo is not read; nobody is told where it lies on this machine."""
    answer = client.get(path)
    assert answer.status_code == 410, answer.text
    detail = str(answer.json()["detail"])
    assert "/" not in detail
    return detail


@pytest.mark.parametrize("look", LOOKS)
def test_a_photo_that_was_moved_or_is_another_one_is_gone(
    found_run: Path, tmp_path: Path, look: str
) -> None:
    photos = Path(shutil.copytree(found_run.parent / "photos", tmp_path / "photos"))
    with TestClient(make_app(found_run, photos=photos), base_url=BASE) as client:
        assert client.get(look).status_code == 200
        shutil.copy(photos / "dog.jpg", photos / "cat.jpg")
        assert told(client, look).startswith("the photo is not the one that was discovered")
        (photos / "cat.jpg").unlink()
        assert told(client, look).startswith("the photo is not where it was")


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("digest", ["as it was", ""])
def test_a_run_cannot_make_the_server_read_other_files_of_this_machine(
    run: Path, tmp_path: Path, look: str, digest: str
) -> None:
    places = [str(tmp_path / "secret.jpg"), f"file://{tmp_path}/secret.jpg", "http://x/secret.jpg"]
    shutil.copy(PHOTOS / "cat.jpg", places[0])
    with Editor(run) as editor:
        table = editor.store.table("images")
        for place in places:
            table.update(where="key = 'cat.jpg'", values={"source": place})
            if not digest:
                table.update(where="key = 'cat.jpg'", values={"digest": digest})
            with TestClient(make_app(run), base_url=BASE) as client:
                assert told(client, look).startswith("the photo lies where heap serve does not")


def test_regions_are_in_their_colours(reader: TestClient, found_run: Path) -> None:
    (result,) = (each for each in heap.open(found_run).results() if each.key == "cat.jpg")
    shown = picture(reader, "regions", key="cat.jpg").convert("RGB")
    assert shown.size == (240, 180)
    present = {REGIONS[each % len(REGIONS)] for each in np.unique(result.regions.label_map)}
    assert {colour for _, colour in shown.getcolors(9999) or []} <= set(map(rgb, present))


@pytest.mark.parametrize(
    "path", ["/pictures/thumbnail", "/pictures/photo", "/pictures/regions", "/api/outlines"]
)
def test_a_browser_is_sent_only_what_it_does_not_have(reader: TestClient, path: str) -> None:
    first = reader.get(path, params={"key": "cat.jpg"})
    tag = {"If-None-Match": first.headers["etag"]}
    again = reader.get(path, params={"key": "cat.jpg"}, headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    other = reader.get(path, params={"key": "dog.jpg"}, headers=tag)
    assert other.status_code == 200
    assert other.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("path", ["thumbnail?key=no", "photo?key=no", "regions?key=torn.jpg"])
def test_pictures_of_nothing_are_not_found(reader: TestClient, path: str) -> None:
    assert reader.get(f"/pictures/{path}").status_code == 404
