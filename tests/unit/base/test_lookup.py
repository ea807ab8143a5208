import pytest

from heap.base.errors import InputError
from heap.base.lookup import find, group_by

KNOWN = {"tokencut": 1, "lost": 2}


def test_finds_what_there_is() -> None:
    assert find("method", "lost", KNOWN, "heap methods") == 2


def test_a_slip_of_the_pen_is_put_right() -> None:
    with pytest.raises(InputError) as raised:
        find("method", "tokencutt", KNOWN, "heap methods")
    assert str(raised.value) == (
        "there is no method 'tokencutt'; did you mean tokencut? `heap methods` lists them"
    )


def test_nothing_is_guessed_where_nothing_is_like_it() -> None:
    with pytest.raises(InputError) as raised:
        find("method", "xyz", KNOWN, "heap methods")
    assert str(raised.value) == "there is no method 'xyz'; `heap methods` lists them"


def test_groups_and_what_is_in_them_keep_their_order() -> None:
    assert list(group_by(["b1", "a1", "b2"], lambda name: name[0]).items()) == [
        ("b", ["b1", "b2"]),
        ("a", ["a1"]),
    ]
