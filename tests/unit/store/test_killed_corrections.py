"""A correction that is killed at each of its writes: all of it is there afterwards, or nothing."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

import heap
from heap.store.editing import Editor
from heap.store.state import State
from heap.store.store import RunStore

from .runs import add, around

PROGRAM = """
import json, os, signal, sys
from heap.categories import edit
from heap.run import Run
from heap.store.editing import Editor
from heap.store.lance import lancedb

import numpy as np
from heap.categories.drawing import MaskEdits, edit_masks

runs, task = json.loads(sys.argv[1])
left = 0

def killing(function):
    def call(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call

def correct(run):
    with Editor(run) as editor:
        if task == "correct":
            with editor.correct("merged and rejected"):
                edit.merge(editor, [1, 2])
                edit.reject(editor, [3])
                edit.reject_objects(editor, ["c#0"])
        elif task == "masks":
            whole = np.ones((6, 8), dtype=bool)
            edits = MaskEdits({"a#0": whole}, {"a": [whole], "b": [whole]})
            edit_masks(editor, edits, lambda key, boxes: np.ones((len(boxes), 3), np.float32))
        else:
            getattr(editor, task.split()[0])()

for number, run in enumerate(runs):
    # Forked before LanceDB has any thread, so that it is imported once for all.
    child = os.fork()
    if not child:
        table = lancedb.table.LanceTable
        for owner, names in (
            (table, ("add", "update", "delete", "restore")),
            (lancedb.merge.LanceMergeInsertBuilder, ("execute",)),
            (lancedb.db.LanceDBConnection, ("create_table", "drop_table")),
        ):
            for name in names:
                setattr(owner, name, killing(getattr(owner, name)))
        left = number
        correct(run)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(params=["correct", "masks", "undo", "redo", "undo masks"])
def task(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def before(task: str, tmp_path: Path) -> Path:
    """A run of three categories, with what the task needs."""
    run = tmp_path / "before"
    for key, direction, count in (("a", (1, 0, 0), 6), ("b", (0, 1, 0), 4), ("c", (0, 0, 1), 3)):
        add(run, {key: around(direction, count, count)})
    heap.open(run).edit_categories(count=3)
    if task in ("undo", "redo"):
        heap.open(run).edit_categories(merge=[[1, 2]], reject=[3])
    if task == "undo masks":
        whole = np.ones((6, 8), dtype=bool)
        heap.open(run).edit_masks(add={"a": [whole], "b": [whole]}, replace={"a#0": whole})
    if task == "redo":
        heap.open(run).undo()
    return run


def states(run: Path) -> tuple[State, list[tuple[int, bool]]]:
    opened = heap.open(run)
    return State.read(RunStore.open(run).database, ["a", "b"]), [
        (entry.number, entry.undone) for entry in opened.history
    ]


def killed(before: Path, task: str, python: list[str]) -> Iterator[tuple[int, Path]]:
    """Copies of the run, each after the task was killed one write later; the last was not."""
    copies = [copytree(before, before.parent / f"killed-{number}") for number in range(14)]
    program = [*python, "-c", PROGRAM, json.dumps([list(map(str, copies)), task])]
    done = subprocess.run(program, capture_output=True, text=True, check=True, timeout=120)
    for copy, status in zip(copies, done.stdout.split(), strict=True):
        yield int(status), copy
        if status == "0":
            return
    raise AssertionError("the task has more writes than that")


def test_all_of_it_or_nothing(before: Path, task: str, python: list[str]) -> None:
    old = states(before)
    *cut_short, (status, whole) = killed(before, task, python)
    new = states(whole)
    assert status == 0
    assert new != old
    assert len(cut_short) >= 3
    for status, run in cut_short:
        assert status == -9
        # Whoever writes next finds it as it was: another correction, or photos that are added.
        Editor(run).close()
        assert states(run) in (old, new), run.name
    assert any(states(run) == old for _, run in cut_short)


def test_photos_that_are_added_after_the_kill_stay(
    before: Path, task: str, python: list[str]
) -> None:
    old = states(before)[0]
    for status, run in killed(before, task, python):
        if status:
            add(run, {"later": np.eye(3, dtype=np.float32)})
            Editor(run).close()
            now = states(run)[0]
            assert {f"later#{number}" for number in range(3)} <= now.objects.keys()
            kept = {id: row for id, row in now.objects.items() if not id.startswith("later#")}
            assert kept.keys() == old.objects.keys()
