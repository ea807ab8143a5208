import io
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

import heap
from heap.masks.palette import REGIONS, rgb
from heap.serve.app import make_app
from heap.store.editing import Editor

from .conftest import BASE, PHOTOS

SVG = "{http://www.w3.org/2000/svg}"


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


def test_a_tile_shows_the_object(reader: TestClient, found_run: Path) -> None:
    row = heap.open(found_run).objects.to_pandas("id = 'dog.jpg#0'").iloc[0]
    shown = picture(reader, "tile", id="dog.jpg#0", side=96)
    assert shown.size == (96, 96)
    whole = picture(reader, "thumbnail", key="dog.jpg").convert("L")
    scale = whole.width / 640
    middle = [float(row[low] + row[high]) / 2 * scale for low, high in (("x1", "x2"), ("y1", "y2"))]
    assert whole.getpixel((round(middle[0]), round(middle[1]))) == pytest.approx(
        shown.convert("L").getpixel((48, 48)), abs=40
    )


def test_regions_are_in_their_colours(reader: TestClient, found_run: Path) -> None:
    (result,) = (each for each in heap.open(found_run).results() if each.key == "cat.jpg")
    shown = picture(reader, "regions", key="cat.jpg").convert("RGB")
    assert shown.size == (240, 180)
    present = {REGIONS[each % len(REGIONS)] for each in np.unique(result.regions.label_map)}
    assert {colour for _, colour in shown.getcolors(9999) or []} <= set(map(rgb, present))


@pytest.mark.parametrize(("kind", "tag"), [("masks", "path"), ("boxes", "rect")])
def test_objects_are_laid_over_but_for_rejected_ones(
    client: TestClient, run: Path, kind: str, tag: str
) -> None:
    def drawn() -> list[str]:
        answer = client.get(f"/pictures/{kind}", params={"key": "chickens.jpg"})
        assert answer.headers["content-type"] == "image/svg+xml"
        shapes = ElementTree.fromstring(answer.text).iter(f"{SVG}{tag}")  # noqa: S314  # ours
        return [str(shape.get("stroke")) for shape in shapes]

    before = drawn()
    assert len(before) == len(set(before)) > 1
    body = {"ids": ["chickens.jpg#0"], "rejected": True}
    assert client.post("/api/objects/rejected", json=body).status_code == 200
    assert drawn() == before[1:]


@pytest.mark.parametrize("kind", ["thumbnail", "photo", "masks", "boxes", "regions"])
def test_a_browser_is_sent_only_what_it_does_not_have(reader: TestClient, kind: str) -> None:
    first = reader.get(f"/pictures/{kind}", params={"key": "cat.jpg"})
    tag = {"If-None-Match": first.headers["etag"]}
    again = reader.get(f"/pictures/{kind}", params={"key": "cat.jpg"}, headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    other = reader.get(f"/pictures/{kind}", params={"key": "dog.jpg"}, headers=tag)
    assert other.status_code == 200
    assert other.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("path", ["thumbnail?key=no", "tile?id=no", "tile?id=cat.jpg%2399"])
def test_pictures_of_nothing_are_not_found(reader: TestClient, path: str) -> None:
    assert reader.get(f"/pictures/{path}").status_code == 404
