from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples

from heap.base.errors import InputError
from heap.categories.edit import reject, reject_objects
from heap.categories.sorting import sort_objects
from heap.store.editing import Editor
from heap.store.search import nearest, vector_of
from heap.store.store import RunStore

from .runs import add, around
from .test_store import CONFIG


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunStore, np.ndarray]:
    """A run of 300 objects, and their vectors by the order of ids."""
    run = tmp_path_factory.mktemp("many")
    vectors = np.random.default_rng(1).normal(size=(300, 3)).astype(np.float32)
    add(run, {f"{at:02d}": vectors[10 * at : 10 * at + 10] for at in range(30)})
    return RunStore.open(run), vectors


@given(query=st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3).filter(
    lambda each: np.linalg.norm(each) > 0.01), count=st.integers(1, 40))  # fmt: skip
@settings(max_examples=examples(25), deadline=None)
def test_it_is_the_order_of_cosines(
    many: tuple[RunStore, np.ndarray], query: list[float], count: int
) -> None:
    store, vectors = many
    asked = np.array(query, dtype=np.float32)
    cosine = vectors @ asked / np.linalg.norm(vectors, axis=1) / np.linalg.norm(asked)
    hits = nearest(store, asked, count)
    best = np.sort(cosine)[::-1][:count]
    np.testing.assert_allclose([hit.similarity for hit in hits], best, atol=1e-5)
    places = [10 * int(hit.key) + int(hit.id.split("#")[1]) for hit in hits]
    np.testing.assert_allclose(cosine[places], best, atol=1e-5)


@pytest.mark.parametrize("exact", [None, True, False])
def test_of_few_objects_every_one_is_looked_at(
    many: tuple[RunStore, np.ndarray], exact: bool | None
) -> None:
    store, vectors = many
    found = nearest(store, vectors[0], 7, exact=exact)
    assert found.searched_with is None
    assert found == nearest(store, vectors[0], 7)
    assert found[0].similarity == pytest.approx(1, abs=1e-5)


class TestFilters:
    @pytest.fixture
    def run(self, tmp_path: Path) -> Path:
        add(tmp_path, {"it's": around((1, 0, 0), 4, 1), "b": around((0, 1, 0), 4, 2)})
        return tmp_path

    def test_only_what_fits_the_condition_is_found(self, run: Path) -> None:
        store = RunStore.open(run)
        query = vector_of(store, "it's#0")
        hits = nearest(store, query, where="key = 'b'")
        assert {hit.key for hit in hits} == {"b"}
        assert len(hits) == 4
        score = hits[0].score
        assert {hit.id for hit in nearest(store, query, where=f"score >= {score} OR 1 = 0")} == {
            hit.id for hit in nearest(store, query) if hit.score >= score
        }

    def test_neither_rejected_ones_nor_the_one_asked_about(self, run: Path) -> None:
        with Editor(run) as editor:
            reject_objects(editor, ["it's#1"])
        store = RunStore.open(run)
        query = vector_of(store, "it's#0")
        found = nearest(store, query, 3, without=["it's#0"], where="1 = 1 OR 1 = 1")
        assert {hit.id for hit in found[:2]} == {"it's#2", "it's#3"}
        assert len(found) == 3

    def test_nothing_of_a_rejected_category(self, run: Path) -> None:
        with Editor(run) as editor:
            sort_objects(editor, 2)
            other = editor.store.table("objects").search().where("id = 'b#0'").to_list()[0]
            reject(editor, [other["category"]])
        store = RunStore.open(run)
        found = nearest(store, vector_of(store, "b#0"), where="1 = 1")
        assert {hit.id for hit in found} == {f"it's#{at}" for at in range(4)}

    @pytest.mark.parametrize("where", ["score >", "nonsense = 3", "score; DROP TABLE", "1 +"])
    def test_a_condition_that_is_none_is_named(self, run: Path, where: str) -> None:
        store = RunStore.open(run)
        with pytest.raises(InputError, match=r"the condition .* cannot be used"):
            nearest(store, vector_of(store, "b#0"), where=where)
        assert len(nearest(store, vector_of(store, "b#0"))) == 8

    def test_what_is_not_there(self, run: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        store = RunStore.open(run)
        with pytest.raises(InputError, match="no object 'c#0'"):
            vector_of(store, "c#0")
        with pytest.raises(InputError, match="embeddings of 3 numbers"):
            nearest(store, np.ones(5, dtype=np.float32))
        empty = tmp_path_factory.mktemp("empty")
        RunStore.create_or_open(empty, CONFIG).close()
        assert nearest(RunStore.open(empty), np.ones(3, dtype=np.float32)) == []
