"""Stores of earlier versions, which earlier versions of this package have written."""

import zipfile
from pathlib import Path

import lancedb
import pytest

from heap.base.errors import InputError
from heap.base.lock import RunLock
from heap.categories import edit
from heap.images.failures import Failure
from heap.store import schema
from heap.store.database import read_config
from heap.store.editing import Editor
from heap.store.records import Counts, Finished, Stored
from heap.store.store import RunStore

from .test_store import CONFIG, contents, example, plain

STORE = Path(__file__).with_name("store-v1.zip")
"""Two images with two and one objects, and one that could not be read."""
STORE_2 = Path(__file__).with_name("store-v2.zip")
"""The same, with places; one name has a % in it, escaped as it was then."""

STORE_3 = Path(__file__).with_name("store-v3.zip")
"""The two images again; one object, a#1, is in category 7."""


STORE_4 = Path(__file__).with_name("store-v4.zip")
"""The same; a#1 is rejected, and so was b#0, which was taken back."""
STORE_5 = Path(__file__).with_name("store-v5.zip")
"""The same; a#1 is accepted, and b#0 was rejected, which was taken back."""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with zipfile.ZipFile(STORE) as archive:
        archive.extractall(tmp_path)
    return tmp_path


def version_of(run: Path) -> int:
    return read_config(lancedb.connect(run / "store"), run)[0]


def test_reading_brings_it_up_to_date_and_loses_nothing(run: Path) -> None:
    assert version_of(run) == 1
    for _ in range(2):
        store = RunStore.open(run)
        assert version_of(run) == schema.SCHEMA_VERSION
        assert contents(run) == [
            plain(example("a", 2)), plain(example("b", 1, seed=1)), Failure("c", "decode", "torn")
        ]  # fmt: skip
        (first, second) = store.records()
        assert (first.thumbnail, first.digest, first.note) == (b"jpeg", "abc", "note")
        assert (first.source, second.source) == ("", "")
        assert store.counts() == Counts(done=2, empty=0, failed=1, objects=3)
    assert not (run / ".lock").exists()


def test_its_tables_are_those_of_a_new_store(
    run: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fresh = tmp_path_factory.mktemp("fresh")
    with RunStore.create_or_open(fresh, CONFIG) as store:
        store.add([Finished(example("a", 2))])
        for name in (schema.IMAGES, schema.OBJECTS):
            old = RunStore.open(run).table(name).schema
            assert old.names == store.table(name).schema.names
            assert old.types == store.table(name).schema.types
    assert RunStore.open(run).table(schema.OBJECTS).count_rows("rejected") == 0
    assert RunStore.open(run).table(schema.OBJECTS).count_rows("category IS NULL") == 3


def test_it_can_be_written_on(run: Path) -> None:
    with RunStore.create_or_open(run, CONFIG) as store:
        store.add(
            [Finished(example("c", 1, seed=4), source="/photos/c"), Finished(example("a", 1))]
        )
    assert contents(run) == [
        plain(example("a", 1)), plain(example("b", 1, seed=1)), plain(example("c", 1, seed=4))
    ]  # fmt: skip


def test_what_was_left_half_done_is_finished(run: Path) -> None:
    images = lancedb.connect(run / "store").open_table(schema.IMAGES)
    images.add_columns({"source": "CAST('' AS STRING)"})
    assert [record.source for record in RunStore.open(run).records()] == ["", ""]
    assert version_of(run) == schema.SCHEMA_VERSION


def test_version_2_gets_stamps_that_the_next_listing_fills(tmp_path: Path) -> None:
    with zipfile.ZipFile(STORE_2) as archive:
        archive.extractall(tmp_path)
    assert version_of(tmp_path) == 2
    store = RunStore.open(tmp_path)
    assert version_of(tmp_path) == schema.SCHEMA_VERSION
    assert store.stored() == [
        Stored("100%25.jpg", "/photos/100%.jpg", "def", "", False),
        Stored("a", "/photos/a", "abc", "", False),
        Stored("c", "", "", "", True),
    ]
    assert contents(tmp_path)[1:] == [plain(example("a", 2)), Failure("c", "decode", "torn")]
    with RunStore.create_or_open(tmp_path, CONFIG) as store:
        store.move({"a": ("/elsewhere/a", "1-2-3")})
        moved = Stored("a", "/elsewhere/a", "abc", "1-2-3", False)
        assert store.stored()[1] == moved
    assert contents(tmp_path)[1] == plain(example("a", 2))


def test_while_another_process_writes_it_stays_as_it_is(run: Path) -> None:
    lock = RunLock(run)
    try:
        with pytest.raises(InputError, match="is being written by process"):
            RunStore.open(run)
        assert version_of(run) == 1
    finally:
        lock.close()


def test_version_3_gets_checksums_of_its_objects(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with zipfile.ZipFile(STORE_3) as archive:
        archive.extractall(tmp_path)
    assert version_of(tmp_path) == 3
    store = RunStore.open(tmp_path)
    assert version_of(tmp_path) == schema.SCHEMA_VERSION
    objects = store.checked_objects()
    assert objects is not None
    assert objects.damaged == ()
    rows = objects.read(["id", "category"]).sort_by("id").to_pylist()
    assert [(row["id"], row["category"]) for row in rows] == [
        ("a#0", None), ("a#1", 7), ("b#0", None)
    ]  # fmt: skip
    assert caplog.text == ""
    store.table(schema.OBJECTS).update(where="id = 'a#1'", values={"category": 6})
    checked = RunStore.open(tmp_path).checked_objects()
    assert checked is not None
    assert checked.keys == ("a",)


def test_version_4_has_nothing_reviewed_and_its_history_goes_on(tmp_path: Path) -> None:
    with zipfile.ZipFile(STORE_4) as archive:
        archive.extractall(tmp_path)
    assert version_of(tmp_path) == 4
    store = RunStore.open(tmp_path)
    assert version_of(tmp_path) == schema.SCHEMA_VERSION
    assert marks(store) == {"a#0": (False, False), "a#1": (True, False), "b#0": (False, False)}
    with Editor(tmp_path) as editor:
        editor.redo()
        assert marks(store)["b#0"] == (True, False)
        with editor.correct("accepted an object"):
            edit.review_objects(editor, ["b#0"], rejected=False)
        assert marks(store)["b#0"] == (False, True)
        for _ in range(3):
            editor.undo()
    assert set(marks(store).values()) == {(False, False)}


def test_version_5_has_no_mask_by_a_person_and_its_history_goes_on(tmp_path: Path) -> None:
    with zipfile.ZipFile(STORE_5) as archive:
        archive.extractall(tmp_path)
    assert version_of(tmp_path) == 5
    store = RunStore.open(tmp_path)
    assert version_of(tmp_path) == schema.SCHEMA_VERSION
    objects = store.checked_objects()
    assert objects is not None
    assert (objects.damaged, objects.count("drawn OR outdated")) == ((), 0)
    assert contents(tmp_path) == [plain(example("a", 2)), plain(example("b", 1, seed=1))]
    with Editor(tmp_path) as editor:
        editor.redo()
        assert marks(store)["b#0"] == (True, False)
        for _ in range(2):
            editor.undo()
    assert set(marks(store).values()) == {(False, False)}


def marks(store: RunStore) -> dict[str, tuple[bool, bool]]:
    """Whether objects are rejected and reviewed, of those that are not damaged."""
    objects = store.checked_objects()
    assert objects is not None
    rows = objects.read(["id", "rejected", "reviewed"]).to_pylist()
    return {row["id"]: (row["rejected"], row["reviewed"]) for row in rows}
