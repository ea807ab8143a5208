import json
from collections.abc import Callable
from pathlib import Path

import pytest

from heap.base.errors import InputError, StoreError
from heap.benchmark.run.once import make_once
from heap.fitting.folder import ABOUT

MADE_WITH = {"settings": {"steps": 5}, "seed": 0}
PHOTOS = ("a", "b")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    assert make_once(folder, MADE_WITH, PHOTOS, lambda: 7)["images"] == 7
    return folder


def never() -> int:
    raise AssertionError("there is a model already")


def test_it_is_made_once(made: Path) -> None:
    first = json.loads((made / ABOUT).read_text())["fit"]
    assert first["seconds"] >= 0
    assert make_once(made, MADE_WITH, PHOTOS, never) == first
    assert make_once(made, MADE_WITH, (), never) == first, "nothing to learn from is needed now"


def test_other_making_is_refused(made: Path) -> None:
    with pytest.raises(InputError, match=r"made otherwise: seed \(0 -> 1\), settings.steps"):
        make_once(made, {"settings": {"steps": 6}, "seed": 1}, PHOTOS, never)
    with pytest.raises(InputError, match=r"has learned from a, b; .* leave out --fit"):
        make_once(made, MADE_WITH, ("a",), never)


def test_one_that_was_stopped_is_made_by_the_same_call_and_by_no_other(tmp_path: Path) -> None:
    def stop() -> int:
        raise KeyboardInterrupt

    folder = tmp_path / "model"
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            make_once(folder, MADE_WITH, PHOTOS, stop)
    with pytest.raises(InputError, match=r"made otherwise: seed"):
        make_once(folder, {**MADE_WITH, "seed": 1}, PHOTOS, never)
    with pytest.raises(InputError, match="name unlabelled images to learn from with --fit"):
        make_once(folder, MADE_WITH, (), never)
    found = make_once(folder, MADE_WITH, PHOTOS, lambda: 3)
    assert found == {"images": 3, "seconds": None}, "how long it took in all is not known"
    assert make_once(folder, MADE_WITH, PHOTOS, never) == found


@pytest.mark.parametrize(
    "damage",
    [lambda text: text[:9], lambda text: "[]", lambda text: "{}", lambda text: ""],
    ids=["torn", "list", "bare", "empty"],
)
def test_damage_is_named(damage: Callable[[str], str], made: Path) -> None:
    path = made / ABOUT
    path.write_text(damage(path.read_text()))
    with pytest.raises(StoreError) as caught:
        make_once(made, MADE_WITH, PHOTOS, never)
    assert str(path) in str(caught.value)
