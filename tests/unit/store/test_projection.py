"""The map of all objects: alike ones are beside each other, and places stay."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

import heap
from heap.base.errors import InputError
from heap.categories.projection import ObjectMap, draw_map, project, read_map
from heap.store.columns import unit_vectors
from heap.store.editing import Editor
from heap.store.store import RunStore

from .runs import DIM, add, around

AXES = np.eye(DIM).tolist()


def keep(run: Path) -> ObjectMap:
    with Editor(run) as editor:
        drawn = draw_map(editor.store)
        if drawn.rows is not None:
            editor.write_map(drawn.rows)
    return drawn.map


def grouped(count: int) -> np.ndarray:
    """Vectors of three groups, one after the other."""
    return np.concatenate([around(axis, count, seed) for seed, axis in enumerate(AXES)])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    add(tmp_path, {f"{seed}.jpg": around(axis, 20, seed) for seed, axis in enumerate(AXES)})
    return tmp_path


@pytest.mark.parametrize("count", [4, 30])
def test_alike_objects_are_beside_each_other(count: int) -> None:
    places = project(unit_vectors(grouped(count)))
    apart = cdist(places, places) + 9 * np.eye(3 * count)
    assert np.array_equal(apart.argmin(axis=1) // count, np.arange(3 * count) // count)
    assert places.min() >= 0
    assert places.max() <= 1
    assert np.ptp(places, axis=0).max() == pytest.approx(0.96, abs=1e-5)


def test_many_objects_are_placed_by_interpolation() -> None:
    random = np.random.default_rng(0)
    middles, of = random.normal(size=(20, 16)), np.arange(3200) % 20
    vectors = middles[of] + 0.3 * random.normal(size=(3200, 16))
    places = project(unit_vectors(vectors.astype(np.float32)))
    nearest = cdist(places, places) + 9 * np.eye(3200)
    assert np.mean(of[nearest.argmin(axis=1)] == of) > 0.99


@pytest.mark.parametrize("vectors", [np.ones((1, 3)), np.ones((3, 1)), np.ones((60, 3))])
def test_equal_and_few_vectors_have_places(vectors: np.ndarray) -> None:
    places = project(unit_vectors(vectors.astype(np.float32)))
    assert places.shape == (len(vectors), 2)
    assert np.isfinite(places).all()
    assert (np.abs(places - 0.5) <= 0.5).all()


def test_a_map_is_kept(run: Path) -> None:
    assert read_map(RunStore.open(run)) is None
    drawn = keep(run)
    assert drawn.ids == tuple(heap.open(run).objects.to_pandas()["id"].sort_values())
    again = draw_map(RunStore.open(run))
    assert again.rows is None
    assert again.map == drawn == read_map(RunStore.open(run))
    assert heap.open(run).map() == drawn


def test_new_objects_come_among_those_like_them(run: Path) -> None:
    before = keep(run)
    add(run, {"new.jpg": around(AXES[1], 2, 7)})
    stored = read_map(RunStore.open(run))
    assert stored == before  # the new ones are not on it yet
    now = keep(run)
    old = dict(zip(now.ids, now.places.tolist(), strict=True))
    assert [old[id] for id in before.ids] == before.places.tolist()
    alike = np.array([old[id] for id in before.ids if id.startswith("1.jpg")])
    for id in ("new.jpg#0", "new.jpg#1"):
        assert (alike.min(axis=0) <= old[id]).all()
        assert (old[id] <= alike.max(axis=0)).all()
    assert read_map(RunStore.open(run)) == now


def test_a_map_with_many_new_objects_is_drawn_again(run: Path) -> None:
    before = keep(run)
    add(run, {"new.jpg": around((1, 1, 0), 20, 7)})
    after = keep(run)
    assert len(after.ids) == 80
    assert after.places[: len(before.ids)].tolist() != before.places.tolist()


def test_another_map_is_drawn_if_wanted(run: Path) -> None:
    before = keep(run)
    drawn = heap.open(run).map(again=True, seed=5)
    assert drawn != before
    assert read_map(RunStore.open(run)) == drawn
    assert (run / "gallery.html").exists()


def test_a_run_that_is_being_written_has_a_map_that_is_not_kept(run: Path) -> None:
    with Editor(run):
        drawn = heap.open(run).map()
    assert len(drawn.ids) == 60
    assert read_map(RunStore.open(run)) is None


def test_corrections_and_undo_leave_the_map(run: Path) -> None:
    drawn = keep(run)
    collection = heap.open(run)
    collection.edit_categories(count=3)
    collection.undo()
    assert read_map(RunStore.open(run)) == drawn


def test_without_objects_there_is_no_map(tmp_path: Path) -> None:
    with RunStore.create_or_open(tmp_path, {}):
        pass
    with pytest.raises(InputError, match="no objects"):
        heap.open(tmp_path).map()
