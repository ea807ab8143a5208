"""Conditions of a search: what is meant by them, and what they cannot do."""

from collections.abc import Callable
from operator import eq, ge, gt, le, lt, ne
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples

from heap.base.errors import InputError
from heap.categories.edit import reject_objects
from heap.run import Run
from heap.store.condition import SEARCHED, STORED, read_condition
from heap.store.editing import Editor

from .runs import add, around

SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": eq, "==": eq, "!=": ne, "<>": ne, "<": lt, "<=": le, ">": gt, ">=": ge,
}  # fmt: skip
Row = dict[str, Any]
Meaning = tuple[str, Callable[[Row], bool]]


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Twelve objects, one of them rejected; `it's` and `a\\b` are names of images."""
    run = tmp_path_factory.mktemp("conditions")
    add(run, {"it's": around((1, 0, 0), 4, 1), "a\\b": around((0, 1, 0), 8, 2)})
    with Editor(run) as editor:
        reject_objects(editor, ["it's#1"])
    return Run(run)


def numbers(column: str) -> st.SearchStrategy[Meaning]:
    values = st.sampled_from([-1.0, 0.0, 1, 2, 2.5, 7, 0.3, 1e308, -(2**60), 5e-324])
    one = st.tuples(st.sampled_from(list(SIGNS)), values).map(
        lambda each: (
            f"{column} {each[0]} {each[1]!r}",
            lambda row: SIGNS[each[0]](row[column], each[1]),
        )
    )
    several = st.lists(values, min_size=1, max_size=4).map(
        lambda each: (f"{column} IN ({str(each)[1:-1]})", lambda row: row[column] in each)
    )
    return one | several


def texts() -> st.SearchStrategy[Meaning]:
    values = st.sampled_from(["it's", "a\\b", "a", "", "%", "--", "') OR (1 = 1", "é\n"])

    def written(text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    return st.tuples(st.sampled_from(list(SIGNS)), values).map(
        lambda each: (
            f"key {each[0]} {written(each[1])}",
            lambda row: SIGNS[each[0]](row["key"], each[1]),
        )
    )


def joined(parts: st.SearchStrategy[Meaning]) -> st.SearchStrategy[Meaning]:
    return st.one_of(
        parts.map(lambda each: (f"NOT ({each[0]})", lambda row: not each[1](row))),
        st.tuples(parts, parts).map(
            lambda two: (f"({two[0][0]}) and {two[1][0]}",
                         lambda row: two[0][1](row) and two[1][1](row))
        ),
        st.tuples(parts, parts).map(
            lambda two: (f"(({two[0][0]}) OR ({two[1][0]}))",
                         lambda row: two[0][1](row) or two[1][1](row))
        ),
    )  # fmt: skip


simple = st.one_of(numbers("score"), numbers("index"), numbers("x1"), texts())


@given(meant=st.recursive(simple, joined, max_leaves=6))
@settings(max_examples=examples(40))
def test_it_means_what_python_says(collection: Run, meant: Meaning) -> None:
    text, holds = meant
    rows = collection.objects.to_arrow().to_pylist()
    expected = {row["id"] for row in rows if holds(row)}
    assert set(collection.objects.to_arrow(text)["id"].to_pylist()) == expected
    found = {hit.id for hit in collection.search(object_id="it's#0", where=text)}
    assert found == expected - {"it's#0", "it's#1"}, "the one asked about, and a rejected one"


WORDS = [*SEARCHED, *SIGNS, "rejected", "true", "1", "-", "'a'", "NOT", "AND", "OR", "IN", "IS",
         "NULL", "(", ")", ",", "--", "/*", "*/", ";", "repeat", "SELECT", "LIKE", "'", '"', "`",
         "::", "CASE", "WHEN", "END", "UNION", "x'41'", "\0", "\ud800", "$1", "?", "[", "{",
         "@a", "~", "||"]  # fmt: skip


@given(text=st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join) | st.text(max_size=30))
@settings(max_examples=examples(60))
def test_any_text_is_searched_with_or_refused_in_a_line(collection: Run, text: str) -> None:
    try:
        hits = collection.search(object_id="it's#0", where=text)
    except InputError as refusal:
        error = str(refusal)
    else:
        assert "it's#1" not in {hit.id for hit in hits}
        return
    assert error.startswith("the condition ")
    assert "the columns are score, category, " in error


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("score > 0.3 --", "comment"),
        ("score > 0) OR (rejected = true", "end of 'score > 0)'"),
        ("rejected = true", "no column 'rejected'"),
        ("score > 0.1 OR NOT rejected", "no column 'rejected'"),
        ("repeat('a', 300000000) = 'b'", "REPEAT"),
        ("key LIKE '%a'", "no comparison"),
        ("nonsense = 3", "no column 'nonsense'"),
        ('key = "cat.jpg"', "text is written as 'text'"),
        ("score >", "end of 'score >'"),
        ("score > 'a'", "'score' is a number"),
        ("score", "compared with nothing"),
        ("score > 0.1; key = 'a'", "more than one"),
        ("category IN (1, 'a')", "'a' is none"),
        ("x1 < 1e999", "too large"),
        ("key = '\ud800'", "no text in the store"),
        ("key = 'a", "quotation mark"),
        ("  ", "empty"),
        ("(" * 900, "nested"),
        ("(" * 40 + "x1 = 1" + ")" * 40, "nested"),
        ("NOT " * 400 + "x1 = 1", "nested"),
        (" OR ".join(["key = 'aaaaaaaa'"] * 200), "2000 are the most"),
    ],
)
def test_what_is_wrong_is_said_with_the_columns(text: str, says: str) -> None:
    with pytest.raises(InputError, match="the columns are score, category, ") as caught:
        read_condition(text)
    message = str(caught.value)
    assert says in message
    assert "delete" not in message
    assert "damaged" not in message
    assert len(message) < 700


def test_a_table_can_be_asked_for_what_was_rejected(collection: Run) -> None:
    assert "rejected" in STORED
    assert collection.objects.to_arrow("rejected")["id"].to_pylist() == ["it's#1"]
    assert len(collection.objects.to_arrow("NOT rejected AND category IS NULL")) == 11
    assert len(collection.objects.to_arrow("category IS NOT NULL")) == 0


@pytest.mark.parametrize("count", [0, -1])
def test_a_number_of_objects_that_is_none(collection: Run, count: int) -> None:
    with pytest.raises(InputError, match=f"count is {count}"):
        collection.search(object_id="it's#0", count=count)


def test_more_objects_than_there_are(collection: Run) -> None:
    assert len(collection.search(object_id="it's#0", count=10**30)) == 10


def test_a_vector_that_is_no_direction(collection: Run) -> None:
    from heap.store.search import nearest

    with pytest.raises(InputError, match="nan"):
        nearest(collection.store, np.full(3, np.nan, dtype=np.float32))
