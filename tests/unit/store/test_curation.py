import json
from pathlib import Path

import numpy as np
import pytest

import heap
from heap.base.errors import InputError
from heap.categories import sorting
from heap.categories.edit import merge, move_objects, reject, reject_objects, rename
from heap.categories.listing import Category, categories
from heap.categories.sorting import preview_categories, sort_objects
from heap.store import checked, schema
from heap.store.editing import Editor
from heap.store.store import RunStore

from .runs import add, around

X, Y, Z = (1, 0, 0), (0, 1, 0), (0, 0, 1)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Twelve objects near X, eight near Y, five near Z, and one that is opposite of all."""
    add(
        tmp_path,
        {
            "a": around(X, 12, 1),
            "b": np.concatenate([around(Y, 8, 2), -np.ones((1, 3), dtype=np.float32)]),
            "c": around(Z, 5, 3),
            "empty": np.zeros((0, 3), dtype=np.float32),
        },
    )
    return tmp_path


def category_of(run: Path) -> dict[str, int | None]:
    table = RunStore.open(run).table(schema.OBJECTS).to_arrow()
    return dict(zip(table["id"].to_pylist(), table["category"].to_pylist(), strict=True))


def found(run: Path) -> list[Category]:
    return categories(RunStore.open(run))


def sort(run: Path, count: int | None = None, *, again: bool = False) -> int:
    with Editor(run) as editor:
        return sort_objects(editor, count, again=again)


def images_of(run: Path, category: int) -> set[str]:
    return {key.split("#")[0] for key, each in category_of(run).items() if each == category}


class TestSorting:
    def test_before_it_there_are_none(self, run: Path) -> None:
        assert found(run) == []
        assert set(category_of(run).values()) == {None}

    def test_alike_objects_share_a_category(self, run: Path) -> None:
        assert sort(run, 3) == 26
        first, second, third = found(run)
        assert [each.id for each in (first, second, third)] == [1, 2, 3]
        assert [each.size for each in (first, second, third)] == [12, 8, 5]
        assert [images_of(run, each) for each in (1, 2, 3)] == [{"a"}, {"b"}, {"c"}]
        assert category_of(run)["b#8"] == 0, "it fits nowhere"
        assert first.title == "category-1"
        assert 0.9 < first.coherence < 1
        vectors = around(X, 12, 1)
        near = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) @ first.prototype
        assert first.typical == tuple(f"a#{place}" for place in np.argsort(-near))

    def test_new_objects_join_what_is_there(self, run: Path) -> None:
        sort(run, 3)
        before = category_of(run), [each.prototype.tolist() for each in found(run)]
        add(run, {"d": np.concatenate([around(Y, 2, 7), -np.ones((1, 3), dtype=np.float32)])})
        assert category_of(run)["d#0"] is None
        assert sort(run) == 3
        assert sort(run) == 0
        new = category_of(run)
        assert [new[f"d#{place}"] for place in range(3)] == [2, 2, 0]
        assert {key: new[key] for key in before[0]} == before[0]
        assert [each.prototype.tolist() for each in found(run)] == before[1]

    def test_of_very_many_objects_some_make_the_categories_and_all_are_sorted(
        self, run: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Editor(run) as editor:
            reject_objects(editor, ["b#8"])
        monkeypatch.setattr(sorting, "MOST", 12)
        monkeypatch.setattr(checked, "_BLOCK", 4)

        assert sort(run, 3) == 26
        assert [images_of(run, each) for each in (1, 2, 3)] == [{"a"}, {"b"}, {"c"}]
        table = RunStore.open(run).table(schema.CATEGORIES).to_arrow()
        assert {json.loads(each)["objects"] for each in table["made_with"].to_pylist()} == {12}
        # Every other of the 25 that are left, in the order of their ids.
        (first, *_) = found(run)
        used = [place for place in range(0, 25, 2) if place < 12]
        ids = sorted(f"a#{place}" for place in range(12))
        vectors = around(X, 12, 1)[[int(ids[place][2:]) for place in used]]
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        mean = unit.mean(axis=0)
        np.testing.assert_allclose(first.prototype, mean / np.linalg.norm(mean), rtol=1e-5)

    def test_another_number_is_refused_unless_it_is_meant(self, run: Path) -> None:
        sort(run, 3)
        with pytest.raises(InputError, match=r"has 3 categories.*--again"):
            sort(run, 2)
        sort(run, 2, again=True)
        assert len(found(run)) == 2

    def test_again_keeps_numbers_names_and_rejections_of_those_that_stay(self, run: Path) -> None:
        sort(run, 3)
        with Editor(run) as editor:
            rename(editor, {2: "why"})
            reject(editor, [3])
            merge(editor, [1, 3])
            reject_objects(editor, ["b#8"])
        add(run, {"d": around((-1, 0, 0), 30, 8)})
        sort(run, 4, again=True)
        names = {each.typical[0][0]: (each.id, each.name) for each in found(run)}
        assert names["b"] == (2, "why")
        assert names["a"][0] == 1
        # 3 was used once.
        assert {names["c"][0], names["d"][0]} == {4, 5}

    def test_a_preview_is_what_sorting_again_makes_and_changes_nothing(self, run: Path) -> None:
        sort(run, 3)
        with Editor(run) as editor:
            rename(editor, {1: "most", 2: "some", 3: "few"})
        before = category_of(run)
        proposed = preview_categories(RunStore.open(run), 2)
        assert category_of(run) == before
        sort(run, 2, again=True)
        assert [each.name for each in proposed.categories] == ["most", "some"]
        for mine, theirs in zip(proposed.categories, found(run), strict=True):
            assert (mine.id, mine.name, mine.size, mine.typical, mine.group) == (
                theirs.id, theirs.name, theirs.size, theirs.typical, theirs.group
            )  # fmt: skip
            np.testing.assert_allclose(mine.prototype, theirs.prototype, rtol=1e-6)
        after = category_of(run)
        assert proposed.moved == sum(after[id] != before[id] for id in after)
        assert proposed.apart == sum(not number for number in after.values())
        assert proposed.lost == ["few"]

    def test_a_preview_counts_new_objects_where_sorting_would_put_them(self, run: Path) -> None:
        sort(run, 3)
        add(run, {"d": around(X, 3, 7)})
        assert preview_categories(RunStore.open(run), 3).moved == 0
        with pytest.raises(InputError, match="0 categories cannot be made"):
            preview_categories(RunStore.open(run), 0)

    def test_too_few_objects(self, tmp_path: Path) -> None:
        add(tmp_path, {"a": np.zeros((0, 3), dtype=np.float32)})
        with pytest.raises(InputError, match="no objects"):
            sort(tmp_path)
        add(tmp_path, {"b": around(X, 1, 1)})
        with pytest.raises(InputError, match="1 objects cannot make any"):
            sort(tmp_path)
        add(tmp_path, {"c": around(X, 2, 1)})
        with pytest.raises(InputError, match="3 objects cannot make 4"):
            sort(tmp_path, 4)

    def test_a_kill_after_the_categories_leaves_objects_to_sort(self, run: Path) -> None:
        sort(run, 3)
        whole = category_of(run)
        with Editor(run) as editor:
            editor.update_objects("id IN ('a#3', 'c#1')", {"category": None})
        assert sort(run) == 2
        assert category_of(run) == whole


class TestCorrections:
    def test_a_name_is_kept_and_can_be_taken_away(self, run: Path) -> None:
        sort(run, 3)
        with Editor(run) as editor:
            rename(editor, {1: " dog ", 3: "cat"})
        assert [each.title for each in found(run)] == ["dog", "category-2", "cat"]
        with Editor(run) as editor:
            with pytest.raises(InputError, match=r"1 and 3 .* name 'cat' in an export; merge them"):
                rename(editor, {1: "cat"})
            rename(editor, {1: ""})
        assert [each.name for each in found(run)] == ["", "", "cat"]

    @pytest.mark.parametrize(
        "name", ["big  dog", "big\u3000dog ", "big\u202fdog", "1:2", "nai\u0308ve"]
    )
    def test_a_name_differs_from_all_others_as_exports_print_it(self, run: Path, name: str) -> None:
        sort(run, 3)
        taken = {1: {"1:2": "1_2", "nai\u0308ve": "na\u00efve"}.get(name, "big dog")}
        with Editor(run) as editor:
            rename(editor, taken)
            with pytest.raises(InputError, match=r"categories 2 and 1 would both have the name"):
                rename(editor, {2: name})
            rename(editor, {1: "", 2: name})

    @pytest.mark.parametrize("name", ["other", "background", "category-2", "category-7"])
    def test_a_name_that_exports_need_themselves_is_refused(self, run: Path, name: str) -> None:
        sort(run, 3)
        with Editor(run) as editor:
            with pytest.raises(InputError, match=rf"category 1 cannot have the name '{name}'"):
                rename(editor, {1: name})
            rename(editor, {2: "category-2"})

    def test_merged_categories_are_one(self, run: Path) -> None:
        sort(run, 3)
        with Editor(run) as editor:
            rename(editor, {2: "both"})
            assert merge(editor, [3, 2, 3]) == 3
        first, merged = found(run)
        assert (first.id, merged.id, merged.name, merged.size) == (1, 3, "both", 13)
        assert images_of(run, 3) == {"b", "c"}
        middle = np.concatenate([around(Y, 8, 2), around(Z, 5, 3)])
        middle = (middle / np.linalg.norm(middle, axis=1, keepdims=True)).mean(axis=0)
        np.testing.assert_allclose(
            merged.prototype, middle / np.linalg.norm(middle), rtol=1e-5, atol=1e-6
        )
        # Its members would join it again.
        assert category_of(run)["c#0"] == 3
        with Editor(run) as editor:
            editor.update_objects("category = 3", {"category": None})
            sort_objects(editor)
        assert images_of(run, 3) == {"b", "c"}

    def test_the_name_of_an_empty_category_is_kept(self, run: Path) -> None:
        sort(run, 3)
        with Editor(run) as editor:
            rename(editor, {2: "dog"})
            objects = [key for key, category in category_of(run).items() if category in (1, 2)]
            move_objects(editor, objects, 3)
            merge(editor, [1, 2])
        assert [(each.id, each.name, each.size) for each in found(run)] == [
            (1, "dog", 0), (3, "", 25),
        ]  # fmt: skip

    def test_a_merge_can_be_repeated(self, run: Path) -> None:
        sort(run, 3)
        with Editor(run) as editor:
            # As a kill leaves it that comes between the two tables.
            editor.update_objects("category = 2", {"category": 3})
            assert merge(editor, [3, 2]) == 3
            once = repr(found(run))
            assert merge(editor, [3, 2]) == 3
            assert repr(found(run)) == once
            with pytest.raises(InputError, match="no category 2: it was merged, and is part of 3"):
                rename(editor, {2: "gone"})
            assert merge(editor, [1, 2]) == 1
            assert merge(editor, [1, 3]) == merge(editor, [1, 2]) == 1
        assert [(each.id, each.size) for each in found(run)] == [(1, 25)]

    def test_names_outlive_a_kill_while_categories_are_made_again(self, run: Path) -> None:
        sort(run, 3)
        with Editor(run) as editor:
            rename(editor, {2: "both"})
            editor.update_objects("category IS NOT NULL", {"category": None})
            sort_objects(editor, 3, again=True)
        assert [(each.id, each.name) for each in found(run)] == [(1, ""), (2, "both"), (3, "")]

    def test_rejected_objects_are_no_members(self, run: Path) -> None:
        sort(run, 3)
        with Editor(run) as editor:
            reject_objects(editor, ["a#0", "a#5"])
            reject(editor, [2])
        first, second, _ = found(run)
        assert first.size == 10
        assert not {"a#0", "a#5"} & set(first.typical)
        assert (first.rejected, second.rejected, second.size) == (False, True, 8)
        with Editor(run) as editor:
            reject_objects(editor, ["a#0"], rejected=False)
            reject(editor, [2], rejected=False)
        first, second, _ = found(run)
        assert (first.size, second.rejected) == (11, False)

    def test_what_is_not_there_is_named(self, run: Path) -> None:
        with Editor(run) as editor, pytest.raises(InputError, match="heap categories"):
            rename(editor, {1: "dog"})
        sort(run, 3)
        with Editor(run) as editor:
            with pytest.raises(InputError, match="no category 9; it has 1, 2, 3"):
                merge(editor, [1, 9])
            with pytest.raises(InputError, match="at least two"):
                merge(editor, [1, 1])
            with pytest.raises(InputError, match="no object 'a#99'"):
                reject_objects(editor, ["a#1", "a#99"])
        assert sum(each.size for each in found(run)) == 25

    def test_only_one_may_edit(self, run: Path) -> None:
        with Editor(run), pytest.raises(InputError, match="is being written by process"):
            Editor(run)
        Editor(run).close()


def test_one_call_of_the_public_face_corrects_all(run: Path) -> None:
    edited = heap.open(run).edit_categories(
        count=3, merge=[[1, 3]], rename={1: "dog", 2: "cat"}, reject=[2]
    )
    assert edited.sorted == 26
    assert edited.apart == 1
    assert edited.gallery == run / "gallery.html"
    assert [(each.id, each.name, each.rejected) for each in edited.categories] == [
        (1, "dog", False),
        (2, "cat", True),
    ]
    assert images_of(run, 1) == {"a", "c"}
    assert edited.gallery.read_text("utf-8").count("dog") > 0
    edited.gallery.unlink()
    again = heap.open(run).edit_categories()
    assert (again.sorted, again.gallery) == (0, None)
    assert again.categories[0].name == "dog"
    assert not edited.gallery.exists()
    restored = heap.open(run).edit_categories(restore=[2], rename={1: ""})
    assert [(each.name, each.rejected) for each in restored.categories] == [
        ("", False),
        ("cat", False),
    ]


def test_one_call_does_all_or_nothing(run: Path) -> None:
    collection = heap.open(run)
    collection.edit_categories(count=3)
    before = category_of(run)
    with pytest.raises(InputError, match="has no category 3: it was merged, and is part of 1"):
        collection.edit_categories(merge=[[1, 3]], reject=[3])
    assert category_of(run) == before
    assert [each.id for each in collection.categories] == [1, 2, 3]
