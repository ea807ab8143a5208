import os
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from heap.base.errors import InputError
from heap.base.files import file_stem, replacing


def test_an_error_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    with replacing(path) as file:
        file.write(b"old")

    def fail_midway() -> None:
        with replacing(path) as file:
            file.write(b"new")
            raise ValueError("midway")

    with pytest.raises(ValueError, match="midway"):
        fail_midway()
    assert [(found.name, found.read_bytes()) for found in path.parent.iterdir()] == [
        ("file.txt", b"old")
    ]


def test_a_path_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="cannot be written"), replacing(tmp_path / "file" / "x"):
        pass


@pytest.mark.parametrize(
    ("key", "readable"),
    [
        ("cat.jpg", "cat"),
        ("photos/2024/my cat.jpeg", "photos_2024_my_cat"),
        ("Zürich/猫.png", "Zürich_猫"),
        ("../../etc/passwd", "etc_passwd"),
        ("-rf.jpg", "rf"),
        (".hidden", "hidden"),
        ("nul.tar.jpg", "nul_tar"),
        ("a.jpg#2", "a"),
    ],
)
def test_names_stay_readable(key: str, readable: str) -> None:
    assert file_stem(key).rpartition("-")[0] == readable


keys = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from('/\\.:*?"<>|\0\n -#'), min_size=1
)


@given(key=keys)
@example("x" * 400)
@example("猫" * 300 + ".jpg")
@example("/")
def test_names_are_safe_on_any_file_system(key: str) -> None:
    name = file_stem(key) + ".jpg"
    assert len(name.encode()) < 200
    assert not set(name) & set('/\\:*?"<>|\0\n\r\t')
    assert not name.startswith((".", "-"))
    assert name.count(".") == 1
    assert unicodedata.is_normalized("NFC", name)


@given(one=keys, other=keys)
@example("a/cat.jpg", "b/cat.jpg")
@example("cat.jpg", "cat.png")
@example("cat.jpg", "Cat.jpg")
@example("a b.jpg", "a_b.jpg")
@example("a/b.jpg", "a_b.jpg")
@example("é.jpg", "e\u0301.jpg")
def test_different_keys_get_names_that_differ_even_without_case(one: str, other: str) -> None:
    assume(one != other)
    assert file_stem(one).casefold() != file_stem(other).casefold()


def test_several_writers_of_a_shared_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "gallery.html"
    with replacing(path, shared=True) as first:
        first.write(b"a long text of the ")
        with replacing(path, shared=True) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
        first.write(b"first")
    assert path.read_bytes() == b"a long text of the first"
    assert list(tmp_path.iterdir()) == [path]


def test_only_what_killed_writers_of_a_shared_file_have_left_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "a[1].html"
    old, young, strange = (
        tmp_path / name for name in ("a[1].html.1.partial", "a[1].html.2.partial", "b.html.partial")
    )
    for left in (old, young, strange):
        left.touch()
    for left in (old, strange):
        os.utime(left, (time.time() - 7200,) * 2)
    with replacing(path, shared=True) as file:
        file.write(b"text")
    assert sorted(tmp_path.iterdir()) == sorted([path, young, strange])
