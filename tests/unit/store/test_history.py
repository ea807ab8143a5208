from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import heap
from heap.base.errors import InputError
from heap.categories import edit
from heap.categories.sorting import sort_objects
from heap.store.database import find_table
from heap.store.editing import Editor
from heap.store.state import State
from heap.store.store import RunStore

from .runs import add, around

X, Y, Z = (1, 0, 0), (0, 1, 0), (0, 0, 1)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Objects near three directions, sorted into three categories."""
    for key, direction, count in (("a", X, 6), ("b", Y, 4), ("c", Z, 3)):
        add(tmp_path, {key: around(direction, count, count)})
    heap.open(tmp_path).edit_categories(count=3, who="Ann")
    return tmp_path


def state(run: Path) -> State:
    return State.read(RunStore.open(run).database)


def told(run: Path) -> list[tuple[int, str, str, bool]]:
    return [(one.number, one.who, one.what, one.undone) for one in heap.open(run).history]


def correct(run: Path, what: str, change: Callable[[Editor], Any]) -> None:
    with Editor(run) as editor, editor.correct(what, "Bob"):
        change(editor)


CHANGES: dict[str, Callable[[Editor], Any]] = {
    "merged": lambda editor: edit.merge(editor, [1, 3]),
    "named": lambda editor: edit.rename(editor, {2: "bird"}),
    "rejected a category": lambda editor: edit.reject(editor, [1]),
    "rejected objects": lambda editor: edit.reject_objects(editor, ["a#0", "b#1"]),
    "moved": lambda editor: edit.move_objects(editor, ["a#1", "a#2"], 2),
    "gathered": lambda editor: edit.gather_objects(editor, ["c#0", "c#1"], "pair"),
    "sorted again": lambda editor: sort_objects(editor, 2, again=True),
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_correction_is_taken_back_and_made_again(run: Path, what: str) -> None:
    before = state(run)
    correct(run, what, CHANGES[what])
    after = state(run)
    assert after != before
    assert told(run)[1:] == [(2, "Bob", what, False)]
    assert heap.open(run).undo().what == what
    assert state(run) == before
    assert told(run)[1:] == [(2, "Bob", what, True)]
    assert not heap.open(run).redo().undone
    assert state(run) == after


def test_back_to_the_first_day_and_forth_again(run: Path) -> None:
    states = [state(run)]
    for what, change in CHANGES.items():
        if what != "named":  # merged away by then
            correct(run, what, change)
            states.append(state(run))
    collection = heap.open(run)
    for expected in states[-2::-1]:
        collection.undo()
        assert state(run) == expected
    assert collection.undo().what == "sorted the objects"
    assert collection.categories == []
    assert set(collection.objects.to_pandas()["category"].isna()) == {True}
    with pytest.raises(InputError, match="there is no correction to take back"):
        collection.undo()
    for expected in states:
        collection.redo()
        assert state(run) == expected
    with pytest.raises(InputError, match="nothing was taken back that could be made again"):
        collection.redo()


@settings(max_examples=8)
@given(steps=st.lists(st.sampled_from(["named", "moved", "rejected objects", "undo", "redo"])))
def test_any_order_ends_where_the_standing_corrections_lead(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    """An independent model of it: a list of states, and the place in it."""
    run = tmp_path_factory.mktemp("run")
    add(run, {"a": around(X, 3, 1), "b": around(Y, 3, 2)})
    heap.open(run).edit_categories(count=2)
    states, place = [state(run)], 0
    with Editor(run) as editor:
        for step in steps:
            if step in CHANGES:
                with editor.correct(step):
                    CHANGES[step](editor)
                if state(run) != states[place]:
                    states, place = [*states[: place + 1], state(run)], place + 1
            elif step == "undo" and place > 0:
                editor.undo()
                place -= 1
            elif step == "redo" and place < len(states) - 1:
                editor.redo()
                place += 1
            assert state(run) == states[place]
    assert [one.undone for one in heap.open(run).history] == [
        *[False] * (place + 1), *[True] * (len(states) - 1 - place)
    ]  # fmt: skip


def test_a_new_correction_ends_what_could_be_made_again(run: Path) -> None:
    correct(run, "named", CHANGES["named"])
    heap.open(run).undo()
    correct(run, "moved", CHANGES["moved"])
    assert [what for _, _, what, _ in told(run)] == ["sorted the objects", "moved"]
    with pytest.raises(InputError, match="nothing was taken back"):
        heap.open(run).redo()


def test_what_changes_nothing_is_no_correction(run: Path) -> None:
    correct(run, "named", lambda editor: edit.rename(editor, {1: ""}))
    assert [number for number, *_ in told(run)] == [1]


def test_what_fails_leaves_neither_change_nor_entry(run: Path) -> None:
    before = state(run)

    def change(editor: Editor) -> None:
        edit.merge(editor, [1, 2])
        edit.reject(editor, [9])

    with pytest.raises(InputError, match="no category 9"):
        correct(run, "merged", change)
    assert state(run) == before
    assert [number for number, *_ in told(run)] == [1]


def test_objects_that_came_later_stay(run: Path) -> None:
    correct(run, "moved", CHANGES["moved"])
    add(run, {"new": around(Z, 2, 9), "a": around(Y, 2, 5)})
    later = state(run).objects
    assert not later.keys() & {"a#2", "a#3"}, "the photo was worked on again, with fewer objects"
    heap.open(run).undo()
    assert state(run).objects == later


def test_one_that_was_changed_otherwise_since_keeps_that(run: Path) -> None:
    correct(run, "moved", CHANGES["moved"])
    with Editor(run) as editor:
        editor.update_objects("id = 'a#1'", {"category": 3})
    heap.open(run).undo()
    assert state(run).objects["a#1"]["category"] == 3
    assert state(run).objects["a#2"]["category"] == state(run).objects["a#0"]["category"]


def test_a_run_of_before_has_no_history(tmp_path: Path) -> None:
    add(tmp_path, {"a": np.ones((2, 3), dtype=np.float32)})
    collection = heap.open(tmp_path)
    assert collection.history == []
    assert find_table(collection.store.database, "history") is None
    with pytest.raises(InputError, match="there is no correction"):
        collection.undo()
