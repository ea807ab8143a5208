import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
import pytest

from heap.categories.edit import reject_objects
from heap.categories.sorting import sort_objects
from heap.store import index as indexing
from heap.store import schema
from heap.store.database import Table
from heap.store.editing import Editor
from heap.store.index import find_index, make_index
from heap.store.recall import NEAREST, Questions, mean_recall, sample_questions
from heap.store.records import Finished
from heap.store.search import Hits, nearest
from heap.store.store import RunStore

from .runs import add
from .test_store import CONFIG, example

KINDS = np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), (-1, -1, 0)], dtype=np.float32)


def kinds(count: int, seed: int = 0) -> np.ndarray:
    """Vectors near four directions in turn."""
    draw = np.random.default_rng(seed)
    near = np.resize(KINDS, (count, 3)) + 0.2 * draw.normal(size=(count, 3))
    return near.astype(np.float32)


def grow(run: Path, key: str, count: int, seed: int = 0) -> None:
    add(run, {key: kinds(count, seed)})
    with RunStore.create_or_open(run, CONFIG) as store:
        store.compact()


def add_to(store: RunStore, key: str, vectors: np.ndarray) -> None:
    result = example(key, len(vectors))
    store.add([Finished(replace(result, objects=replace(result.objects, embeddings=vectors)))])


def table_of(folder: Path, vectors: np.ndarray) -> Table:
    """A table with as many columns of that of objects as an index needs."""
    flat = pa.array(vectors.astype(np.float32).ravel())
    columns = {
        "id": [f"{place}" for place in range(len(vectors))],
        "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
        "rejected": [False] * len(vectors),
    }
    return lancedb.connect(folder).create_table(schema.OBJECTS, pa.table(columns))


def unindexed(run: Path | str) -> int:
    state = RunStore.open(run).table(schema.OBJECTS).index_stats("vector_idx")
    assert state is not None
    return int(state.num_unindexed_rows)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs have many objects from 301 on, and a search looks through every part of an index."""
    monkeypatch.setattr(indexing, "SIZE", 300)
    monkeypatch.setattr(indexing, "_PROBES", 1000)
    monkeypatch.setattr(indexing, "QUERIES", 10)


@pytest.mark.usefixtures("small")
class TestWhenItIsMade:
    def test_at_the_end_of_a_run_with_very_many_objects(self, tmp_path: Path) -> None:
        grow(tmp_path, "a", 300)
        assert find_index(RunStore.open(tmp_path).database) is None
        grow(tmp_path, "b", 1)
        found = find_index(RunStore.open(tmp_path).database)
        assert found is not None
        assert (found.objects, found.queries, found.recall) == (301, 10, 1.0)

    def test_additions_join_it_and_many_of_them_make_it_anew(self, tmp_path: Path) -> None:
        grow(tmp_path, "a", 400)
        grow(tmp_path, "b", 40, seed=1)
        store = RunStore.open(tmp_path)
        known = find_index(store.database)
        assert (known and known.objects, unindexed(tmp_path)) == (400, 0)
        grow(tmp_path, "c", 1, seed=2)
        known = find_index(store.database)
        assert (known and known.objects, unindexed(tmp_path)) == (441, 0)

    def test_it_does_not_come_to_many_pieces(self, tmp_path: Path) -> None:
        grow(tmp_path, "a", 400)
        for place in range(10):
            grow(tmp_path, f"b{place}", 1, seed=place)
        state = RunStore.open(tmp_path).table(schema.OBJECTS).index_stats("vector_idx")
        assert state is not None
        assert state.num_indices is not None
        assert state.num_indices < 9

    def test_sorting_into_categories_makes_it_and_keeps_it(self, tmp_path: Path) -> None:
        add(tmp_path, {"a": kinds(400)})
        with Editor(tmp_path) as editor:
            sort_objects(editor, 4)
            assert find_index(editor.store.database) is not None
            # All rows are written again, and none is left out.
            sort_objects(editor, 3, again=True)
        assert unindexed(tmp_path) == 0

    def test_what_a_kill_left_without_its_recall_is_made_again(self, tmp_path: Path) -> None:
        grow(tmp_path, "a", 400)
        store = RunStore.open(tmp_path)
        store.database.drop_table(schema.INDEX)
        assert nearest(store, KINDS[0], exact=False).searched_with is None
        grow(tmp_path, "a", 400)
        assert nearest(store, KINDS[0], exact=False).searched_with is not None

    def test_at_a_url(self) -> None:
        with RunStore.create_or_open("memory://indexed", CONFIG) as store:
            add_to(store, "a", kinds(400))
            store.compact()
            found = nearest(store, KINDS[0], 5)
            assert found.searched_with is not None
            assert found == nearest(store, KINDS[0], 5, exact=True)


@pytest.mark.usefixtures("small")
class TestWhatItFinds:
    def both(self, run: Path, where: str | None = None) -> tuple[list[Hits], list[Hits]]:
        store = RunStore.open(run)
        asked = kinds(6, seed=9)
        found = [nearest(store, vector, where=where, exact=False) for vector in asked]
        return found, [nearest(store, vector, where=where, exact=True) for vector in asked]

    def check(self, run: Path, where: str | None = None) -> None:
        """With the index and without it the same is found."""
        found, all_looked_at = self.both(run, where)
        assert all(hits.searched_with is not None for hits in found)
        assert all(hits.searched_with is None for hits in all_looked_at)
        for ours, exact in zip(found, all_looked_at, strict=True):
            assert [hit.id for hit in ours] == [hit.id for hit in exact]
            np.testing.assert_allclose(
                [hit.similarity for hit in ours], [hit.similarity for hit in exact], atol=1e-5
            )

    def test_whatever_was_written_since(self, tmp_path: Path) -> None:
        grow(tmp_path, "a", 400)
        self.check(tmp_path)
        add(tmp_path, {"b": kinds(30, seed=1)})
        assert unindexed(tmp_path) == 30
        self.check(tmp_path)
        self.check(tmp_path, "key = 'b'")
        with Editor(tmp_path) as editor:
            ids = [f"a#{place}" for place in range(0, 400, 2)]
            numbers = pa.array([7] * len(ids), pa.int64())
            editor.merge_objects(pa.table({"id": ids, "category": numbers}))
            assert unindexed(tmp_path) == 230
            self.check(tmp_path)
            self.check(tmp_path, "category = 7")
            editor.update_objects("category IS NULL", {"category": 8})
            self.check(tmp_path, "category = 8")
            editor.refresh_index()
        assert unindexed(tmp_path) == 0
        for where in (None, "category = 7", "category = 8", "category = 7 OR key = 'b'"):
            self.check(tmp_path, where)

    def test_rejected_objects_are_never_found(self, tmp_path: Path) -> None:
        grow(tmp_path, "a", 400)
        best = [hit.id for hit in nearest(RunStore.open(tmp_path), KINDS[0], 20)]
        with Editor(tmp_path) as editor:
            reject_objects(editor, best[::2])
        for _ in range(2):
            found = nearest(RunStore.open(tmp_path), KINDS[0], 10)
            assert found.searched_with is not None
            assert [hit.id for hit in found] == best[1::2]
            grow(tmp_path, "b", 1, seed=3)

    def test_images_that_are_worked_on_again_replace_what_was_found(self, tmp_path: Path) -> None:
        grow(tmp_path, "a", 400)
        add(tmp_path, {"a": kinds(350, seed=5)})
        self.check(tmp_path)


class TestWhenItIsUsed:
    @pytest.fixture
    def run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A few objects of one image among many of others, where a search looks at few parts."""
        monkeypatch.setattr(indexing, "SIZE", 300)
        monkeypatch.setattr(indexing, "_PROBES", 1)
        monkeypatch.setattr(indexing, "WANTED", 0)
        add(tmp_path, {"few": -KINDS[[0, 0, 0]]})
        grow(tmp_path, "many", 600)
        return tmp_path

    def test_where_more_objects_fit_than_are_quickly_looked_at(self, run: Path) -> None:
        store = RunStore.open(run)
        used = nearest(store, KINDS[0], where="key = 'many'").searched_with
        assert used is not None
        assert used.probes == 1
        fits = "key = 'many' AND index < {}"
        assert nearest(store, KINDS[0], where=fits.format(301)).searched_with is not None
        assert nearest(store, KINDS[0], where=fits.format(300)).searched_with is None
        assert (
            nearest(store, KINDS[0], where=fits.format(300), exact=False).searched_with is not None
        )
        assert nearest(store, KINDS[0], exact=True).searched_with is None

    def test_where_its_parts_hold_too_few_all_are_looked_at(self, run: Path) -> None:
        found = nearest(RunStore.open(run), KINDS[1], where="key = 'few'", exact=False)
        assert sorted(hit.id for hit in found) == ["few#0", "few#1", "few#2"]
        assert nearest(RunStore.open(run), KINDS[1], 603, exact=False).searched_with is None

    def test_the_fewer_fit_the_more_parts_are_looked_through(self, run: Path) -> None:
        index = find_index(RunStore.open(run).database)
        assert index is not None
        assert [index.probes_among(fitting) for fitting in (700, 603, 302, 10, 0)] == [
            1, 1, 2, 61, 603
        ]  # fmt: skip


@pytest.mark.usefixtures("small")
def test_nobody_waits_while_it_is_made_or_made_again(tmp_path: Path) -> None:
    add(tmp_path, {"a": kinds(3000)})
    store = RunStore.open(tmp_path)
    expected = [hit.id for hit in nearest(store, KINDS[2], exact=True)]
    with Editor(tmp_path) as editor:
        for _ in range(3):
            table = editor.store.table(schema.OBJECTS)
            work = threading.Thread(target=make_index, args=(editor.store.database, table))
            searches = 0
            work.start()
            while work.is_alive():
                assert [hit.id for hit in nearest(store, KINDS[2])] == expected
                searches += 1
            work.join()
            assert searches > 0
            assert nearest(store, KINDS[2]).searched_with is not None


class TestRecall:
    def test_each_question_knows_how_like_the_least_of_the_nearest_is(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("heap.store.recall._BLOCK", 64)
        vectors = np.random.default_rng(2).normal(size=(500, 6)).astype(np.float32)
        asked = sample_questions(table_of(tmp_path, vectors), "NOT rejected", 30)
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        mine = asked.vectors / np.linalg.norm(asked.vectors, axis=1, keepdims=True)
        assert len(np.unique(asked.vectors, axis=0)) == len(asked) == 30
        assert asked.wanted == NEAREST
        expected = np.sort(mine @ unit.T, axis=1)[:, ::-1][:, NEAREST]
        np.testing.assert_allclose(asked.least, expected, atol=1e-6)

    def test_few_objects_are_all_wanted(self, tmp_path: Path) -> None:
        asked = sample_questions(table_of(tmp_path, kinds(7)), "id != '3'", 30)
        assert (len(asked), asked.wanted) == (6, 5)

    def test_it_is_the_mean_share_of_what_a_search_finds(self) -> None:
        asked = Questions(KINDS[:2], np.array([0.5, 0.8], dtype=np.float32), wanted=4)
        answers = {0: [1, 0.9, 0.7, 0.6, 0.5], 1: [1, 0.9, 0.7, 0.6, 0.5]}
        found = mean_recall(asked, lambda vector, count: answers[int(vector.argmax())][:count])
        assert found == (4 / 4 + 1 / 4) / 2
        assert mean_recall(asked, lambda vector, count: []) == 0

    def test_what_is_reported_holds_for_all_objects(self, tmp_path: Path) -> None:
        """Vectors without any structure are hard: more parts are looked through until it is met."""
        vectors = np.random.default_rng(3).normal(size=(1500, 24)).astype(np.float32)
        table = table_of(tmp_path, vectors)
        index = make_index(lancedb.connect(tmp_path), table)
        assert index.recall >= indexing.WANTED - 0.03
        assert index.probes > 10
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        shares = []
        for vector in unit[::10]:
            found = indexing.find_nearest(table, vector, 21, columns=["id"], probes=index.probes)
            nearest_ones = np.argsort(-(unit @ vector))[:21]
            shares.append((len({int(row["id"]) for row in found} & {*nearest_ones}) - 1) / 20)
        assert np.mean(shares) == pytest.approx(index.recall, abs=0.03)


def test_making_it_says_nothing(tmp_path: Path) -> None:
    """Not even that many objects are the same, about which LanceDB warns."""
    add(tmp_path, {"a": np.repeat(KINDS, 100, axis=0)})
    code = f"""
from heap.store import index
from heap.store.store import RunStore
index.SIZE, index.QUERIES = 300, 10
with RunStore.create_or_open({str(tmp_path)!r}, {CONFIG!r}) as store:
    store.compact()
    assert index.find_index(store.database) is not None
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
