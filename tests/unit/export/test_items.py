from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from runs import box_of, make_run, ring, sort_into

from heap.base.errors import InputError
from heap.export.items import Item, Labels, read_items, read_keys, read_labels
from heap.export.names import file_names
from heap.store.store import RunStore

SIZE = (60, 80)
MASKS = [ring(SIZE, (30, x), 12, 4) for x in (15, 40, 65)]
OF = {"a/1.jpg": MASKS, "a/2.jpg": [], "b.jpg": MASKS[:1]}


def read(
    run: Path, *, by_category: bool = False, min_score: float = 0.0
) -> tuple[Labels, Sequence[Item]]:
    store = RunStore.open(run)
    labels = read_labels(store, by_category=by_category)
    return labels, list(read_items(store, labels, file_names(read_keys(store)), min_score))


def classes_of(found: Sequence[Item]) -> dict[str, str]:
    return {each.id: each.label for item in found for each in item.objects}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path, OF, SIZE)


def test_images_come_with_all_their_objects_as_one_class(run: Path) -> None:
    labels, found = read(run)
    assert labels.classes == ("object",)
    assert [(item.key, len(item.objects)) for item in found] == [
        ("a/1.jpg", 3), ("a/2.jpg", 0), ("b.jpg", 1),
    ]  # fmt: skip
    assert [item.name for item in found] == ["a/1", "a/2", "b"]
    item = found[0]
    assert (item.width, item.height) == (80, 60)
    assert item.source == str(run.parent / "photos" / "0.png")
    for index, each in enumerate(item.objects):
        assert (each.id, each.index, each.label) == (f"a/1.jpg#{index}", index, "object")
        assert np.array_equal(each.pixels, MASKS[index])
        assert list(each.bounds) == list(each.box) == box_of(MASKS[index])
        assert each.score == pytest.approx(0.9 - 0.1 * index)


def test_low_scores_and_what_a_person_rejected_are_left_out(run: Path) -> None:
    sort_into(run, {1: "", 2: ""}, {"a/1.jpg#0": 1, "b.jpg#0": 2}, rejected=[2, "a/1.jpg#1"])
    for by_category in (False, True):
        _, found = read(run, by_category=by_category)
        assert set(classes_of(found)) == {"a/1.jpg#0", "a/1.jpg#2"}
        assert len(found) == 3
    _, found = read(run, min_score=0.75)
    assert set(classes_of(found)) == {"a/1.jpg#0"}


def test_categories_are_classes_in_the_order_of_their_numbers(run: Path) -> None:
    names = {3: "", 1: "wheel", 2: "zebra", 9: "wheel"}
    sort_into(run, names, {"a/1.jpg#0": 3, "a/1.jpg#1": 1, "a/1.jpg#2": 0}, rejected=[9])
    labels, found = read(run, by_category=True)
    assert labels.classes == ("wheel", "zebra", "category-3", "other")
    assert classes_of(found) == {
        "a/1.jpg#0": "category-3",
        "a/1.jpg#1": "wheel",
        "a/1.jpg#2": "other",
        "b.jpg#0": "other",  # It was not sorted yet.
    }
    assert labels.unsorted == {"b.jpg#0"}


def test_categories_of_one_name_are_refused_and_not_joined(run: Path) -> None:
    """Earlier versions let them have it."""
    sort_into(run, {1: "big dog", 2: "big  dog"}, {"a/1.jpg#0": 1, "a/1.jpg#1": 2})
    with pytest.raises(InputError, match="categories 1 and 2 would both have the name 'big dog'"):
        read(run, by_category=True)


def test_there_is_no_other_class_where_all_objects_have_one(run: Path) -> None:
    every = dict.fromkeys(["a/1.jpg#0", "a/1.jpg#1", "a/1.jpg#2", "b.jpg#0"], 1)
    sort_into(run, {1: "a"}, every)
    assert read(run, by_category=True)[0].classes == ("a",)


def test_names_fit_on_a_line(run: Path) -> None:
    sort_into(
        run, {1: " a\n\tb\x00 c\ufffe <&\"'ü👩‍🌾 ", 2: "\x1b"}, {"b.jpg#0": 1, "a/1.jpg#0": 2}
    )
    assert read(run, by_category=True)[0].classes[:2] == ("a b c <&\"'ü👩‍🌾", "category-2")


def test_a_category_without_a_name_or_an_object_is_no_class(run: Path) -> None:
    sort_into(run, {1: "", 2: "named", 3: ""}, {"b.jpg#0": 3})
    assert read(run, by_category=True)[0].classes == ("named", "category-3", "other")


def test_categories_that_were_never_made_are_refused(run: Path) -> None:
    with pytest.raises(InputError, match=r"no categories.*heap categories"):
        read(run, by_category=True)


def test_a_run_without_objects_has_images_and_a_class(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"a.jpg": []}, SIZE)
    assert read(run, by_category=True)[0].classes == ("other",)
    labels, found = read(run)
    assert (labels.classes, labels.unsorted) == (("object",), frozenset())
    assert [item.objects for item in found] == [()]
