"""Way in 7: where people put the application, and what they show in it."""

import io
from pathlib import Path

import httpx
import pytest
from PIL import Image
from servers import serving

from .conftest import Command, Program


@pytest.mark.way(7, "There was no application from Python, for notebooks")
def test_notebooks(program: Program) -> None:
    program("""
        import asyncio, urllib.request
        async def cell():
            with heap.serve(run, port=0) as serving:
                assert serving.address.url in serving._repr_html_()
                page = await asyncio.to_thread(urllib.request.urlopen, serving.address.page)
                assert page.status == 200
        asyncio.run(cell())
    """)


@pytest.mark.way(7, "TIFF, JPEG 2000, PPM and HEIC were sent as they are, and not shown")
def test_pictures_that_browsers_do_not_show(
    photos: Path, discover: Command, python: list[str], tmp_path: Path
) -> None:
    (tmp_path / "p").mkdir()
    keys = ["a.tif", "b.jp2", "c.ppm", "d.heic"]
    with Image.open(photos / "00.png") as photo:
        from pillow_heif import register_heif_opener

        register_heif_opener()
        for key in keys:
            photo.save(tmp_path / "p" / key)
    assert discover("p").returncode == 0
    with serving(tmp_path / "run", python=python) as address:
        answers = {
            key: httpx.get(f"{address}/pictures/photo", params={"key": key}, timeout=60)
            for key in keys
        }
        kinds = {key: answer.headers["content-type"] for key, answer in answers.items()}
        assert kinds == dict.fromkeys(keys, "image/jpeg")
        for answer in answers.values():
            with Image.open(io.BytesIO(answer.content)) as shown:
                assert shown.size == (96, 64)
