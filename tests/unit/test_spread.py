"""The engine of a cluster where it is refused, and the portions that a listing is cut into."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heap
from heap.base.errors import InputError
from heap.discovery.portions import CHUNKS, Ending, Listed, Matches, Portion
from heap.images import Limits, list_images
from heap.store.records import Stored


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"cluster": {"workers": 2}}, 'those of the engine "ray"'),
        ({"engine": "ray", "cluster": {"cpus": 0}}, "cpus"),
    ],
)
def test_options_that_cannot_be_are_refused(
    photos: Path, tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        heap.discover(photos, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("images", ["-", [("a", np.zeros((64, 64, 3), np.uint8))]])
def test_images_that_other_machines_do_not_see_are_refused(images: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not seen by other machines"):
        heap.discover(images, tmp_path / "run", engine="ray")


def test_without_ray_it_is_said_what_to_install(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "heap.discovery.cluster", raising=False)

    with pytest.raises(InputError, match=r"pip install 'heap\[ray\]'"):
        heap.discover(photos, tmp_path / "run", engine="ray")


def test_chunks_of_portions_are_those_of_the_whole_listing(photos: Path) -> None:
    sources = list(list_images(photos))
    done = [
        Stored(source.key, source.location, "digest", source.stamp(), failed=False)
        for source in sources[:3]
    ]
    listed = Listed([str(photos)], str(Path.cwd()), None, done, 2, Limits())

    parts = list(listed.parts())

    chunks = [chunk for part in parts if isinstance(part, Portion) for chunk in part.waiting]
    keys = [source.key for source in sources]
    pairs = [keys[at : at + 2] for at in range(4, 12, 2)]
    assert [[source.key for source in chunk] for chunk in chunks] == [[keys[3]], *pairs]
    matches = [part for part in parts if isinstance(part, Matches)]
    assert [(part.listed, part.left) for part in matches] == [(2 * CHUNKS, 5), (4, 4)]
    assert parts[-1] == Ending(2, [], {})


def test_an_image_alone_is_a_portion(photos: Path) -> None:
    listed = Listed([str(photos)], str(Path.cwd()), 3, [], 2, Limits(), alone=True)

    portions = [part for part in listed.parts() if isinstance(part, Portion)]

    assert [[len(chunk) for chunk in portion.waiting] for portion in portions] == [[1]] * 3
    (failure,) = portions[0].failures("worker", "it ended")
    assert (failure.key, failure.source) == ("00.png", str(photos / "00.png"))
