"""Rows of objects whose bits have changed: they are seen, left out, and never made sound again."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from heap.base.errors import InputError, StoreError
from heap.categories.listing import categories
from heap.categories.members import read_members
from heap.categories.sorting import sort_objects
from heap.run import Run
from heap.store import schema
from heap.store.checked import CHECKSUM, check, checksums, with_checksums
from heap.store.editing import Editor
from heap.store.objects import ObjectTable
from heap.store.records import Finished
from heap.store.rows import object_rows
from heap.store.search import nearest, vector_of
from heap.store.store import RunStore
from heap.view.snapshot import Snapshot

from .test_store import CONFIG, DIM, example

KEYS = ("a", "b", "c")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three images of three objects each."""
    with RunStore.create_or_open(tmp_path, CONFIG) as store:
        store.add([Finished(example(key, 3, seed=seed)) for seed, key in enumerate(KEYS)])
    return tmp_path


def rows() -> pa.Table:
    """Rows of objects with and without a category."""
    table = pa.Table.from_pylist(
        object_rows(Finished(example("a", 3))), schema=schema.objects_schema(DIM)
    )
    for name, cells in (("category", [4, None, 0]), ("similarity", [0.5, None, None])):
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array(cells, table[name].type))
    return with_checksums(table)


def flipped(array: pa.Array) -> Iterator[tuple[int, pa.Array]]:
    """Copies of an array, each with another bit flipped, and the byte that it is in."""
    content = array.buffers()[-1]
    for bit in range(8 * (array.nbytes if pa.types.is_boolean(array.type) else content.size)):
        data = bytearray(content.to_pybytes())
        data[bit // 8] ^= 1 << bit % 8
        buffers = [*array.buffers()[:-1], pa.py_buffer(bytes(data))]
        yield bit, pa.Array.from_buffers(array.type, len(array), buffers)


def test_any_flipped_bit_of_a_number_changes_the_checksum_of_its_row() -> None:
    table = rows()
    stored = table[CHECKSUM].to_numpy()
    assert len(set(stored.tolist())) == 3
    for name in ("index", "x1", "y2", "score", "region", "mask_height", "category", "similarity"):
        cells = table[name].combine_chunks()
        known = cells.is_valid().to_pylist()
        width = cells.type.bit_width
        place = table.column_names.index(name)
        for bit, changed in flipped(cells):
            row = bit // width
            if row < 3 and known[row]:
                wrong = np.flatnonzero(checksums(table.set_column(place, name, changed)) != stored)
                assert wrong.tolist() == [row], (name, bit)


def test_any_flipped_bit_of_an_embedding_changes_the_checksum_of_its_row() -> None:
    table = rows()
    stored, place = table[CHECKSUM].to_numpy(), table.column_names.index("vector")
    numbers = table["vector"].combine_chunks().flatten()
    for bit, changed in flipped(pa.array(numbers.to_numpy())):
        vectors = pa.FixedSizeListArray.from_arrays(changed, DIM)
        wrong = np.flatnonzero(checksums(table.set_column(place, "vector", vectors)) != stored)
        assert wrong.tolist() == [bit // (32 * DIM)]


@pytest.mark.parametrize("name", ["id", "key", "mask_counts"])
def test_any_flipped_bit_of_a_text_changes_the_checksum_of_its_row(name: str) -> None:
    table = rows()
    stored, place = table[CHECKSUM].to_numpy(), table.column_names.index(name)
    for _, changed in flipped(pa.array(table[name].to_pylist(), pa.string())):
        wrong = np.flatnonzero(checksums(table.set_column(place, name, changed)) != stored)
        assert len(wrong) == 1


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("rejected", [True, False, False]), ("category", [None, None, 0]),
        ("category", [4, 0, 0]), ("similarity", [0.5, 0.0, None]),
    ],
)  # fmt: skip
def test_another_flag_or_nothing_in_place_of_a_number_is_seen(
    name: str, cells: list[object]
) -> None:
    table = rows()
    place = table.column_names.index(name)
    changed = table.set_column(place, name, pa.array(cells, table[name].type))
    assert (checksums(changed) != table[CHECKSUM].to_numpy()).sum() == 1


DAMAGE = {
    "vector": [9.0] * DIM, "x1": 3.0, "category": 1, "rejected": True, "mask_counts": "0",
    "id": "?", CHECKSUM: 5,
}  # fmt: skip


@pytest.mark.parametrize("column", DAMAGE)
def test_a_damaged_row_is_in_no_table_search_or_category_and_is_named(
    run: Path, column: str, caplog: pytest.LogCaptureFixture
) -> None:
    ours = RunStore.open(run).table(schema.OBJECTS)
    ours.update(where="id = 'b#1'", values={column: DAMAGE[column]})
    store = RunStore.open(run)
    sound = {f"{key}#{index}" for key in KEYS for index in range(3)} - {"b#1"}
    assert set(ObjectTable(store).to_arrow()["id"].to_pylist()) == sound
    assert len(ObjectTable(store)) == 8
    assert {hit.id for hit in nearest(store, vector_of(store, "a#0"))} == sound
    assert set(read_members(store).ids) == sound
    with pytest.raises(InputError, match="no object 'b#1'"):
        vector_of(store, "b#1")
    with Editor(run) as editor:
        sort_objects(editor, 2)
    store = RunStore.open(run)
    assert sum(category.size for category in categories(store)) <= 8
    assert "what is stored of 'b' is damaged" in caplog.text
    assert "delete" not in caplog.text
    with RunStore.create_or_open(run, CONFIG) as store:
        assert store.finished() == {"a", "c"}
        store.add([Finished(example("b", 3, seed=1))])
        assert store.finished() == set(KEYS)
        assert len(ObjectTable(store)) == 9


def flip_a_bit(run: Path, table: str, column: str, text: str) -> None:
    """Turn a text of a table into what is no UTF-8."""
    ours = RunStore.open(run).table(table)
    rows = ours.to_arrow()
    texts = [b"\xe2#0" if cell == text else cell.encode() for cell in rows[column].to_pylist()]
    other = pa.array(texts, pa.binary()).view(pa.string())
    ours.delete("true")
    ours.add(rows.set_column(rows.column_names.index(column), column, other))


def test_an_id_that_is_no_text_any_more_is_mended_by_discover(run: Path) -> None:
    flip_a_bit(run, "objects", "id", "b#0")
    with pytest.raises(StoreError, match=r"damaged .* nothing was changed; `heap discover`"):
        Run(run).edit_categories(count=2)
    with RunStore.create_or_open(run, CONFIG) as store:
        store.add([Finished(example("b", 3, seed=1))])
    assert len(Run(run).edit_categories(count=2).categories) == 2


def test_corrections_keep_sound_rows_sound_and_damaged_ones_damaged(run: Path) -> None:
    table = RunStore.open(run).table(schema.OBJECTS)
    table.update(where="id = 'b#1'", values={"score": 0.125})
    with Editor(run) as editor:
        editor.update_objects("index < 2", {"category": 3, "similarity": 0.5})
        editor.update_objects("key = 'a'", {"rejected": True})
        editor.replace_categories([])
    checked = check(RunStore.open(run).table(schema.OBJECTS))
    assert checked.keys == ("b",)
    kept = checked.read(["id", "category", "rejected"]).to_pylist()
    assert len(kept) == 8
    assert {row["category"] for row in kept} == {None}
    assert {row["id"] for row in kept if row["rejected"]} == {"a#0", "a#1", "a#2"}


def test_the_page_of_a_damaged_image_says_how_to_mend_it(run: Path) -> None:
    RunStore.open(run).table(schema.OBJECTS).update(where="id = 'b#1'", values={"score": 0.125})
    snapshot = Snapshot.take(RunStore.open(run))
    assert snapshot.record("a").result.key == "a"
    with pytest.raises(StoreError, match=r"stored of 'b' is damaged .* discover.* does it again"):
        snapshot.record("b")


def test_what_cannot_be_read_at_all_is_left_out_alone(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The offsets of a text may be damaged, too: then the read of everything fails."""
    from heap.store import checked

    compute = checked.checksums

    def refuse(block: pa.Table) -> object:
        if "b#1" in block["id"].to_pylist():
            raise pa.ArrowInvalid("offset invariant failure")
        return compute(block)

    monkeypatch.setattr(checked, "checksums", refuse)
    sound = check(RunStore.open(run).table(schema.OBJECTS)).read(["id"])["id"].to_pylist()
    assert len(sound) == 8
    assert "b#1" not in sound
