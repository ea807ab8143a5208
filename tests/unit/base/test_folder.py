from pathlib import Path

import pytest

from heap.base.errors import InputError
from heap.base.files import MARKER, replacing_folder


def write(out: Path, text: str) -> None:
    with replacing_folder(out) as folder:
        (folder / MARKER).write_text(text)


def fail(out: Path) -> None:
    with replacing_folder(out) as folder:
        (folder / "half").mkdir()
        raise RuntimeError("stopped")


def test_it_appears_when_it_is_complete_and_replaces_the_earlier_one(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    for text in ("first", "second"):
        with replacing_folder(out) as folder:
            (folder / MARKER).write_text(text)
            assert out.exists() == (text == "second")
            assert not out.exists() or (out / MARKER).read_text() == "first"
        assert (out / MARKER).read_text() == text
        assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for expected in ([], ["out"]):
        with pytest.raises(RuntimeError, match="stopped"):
            fail(out)
        assert [path.name for path in tmp_path.iterdir()] == expected
        write(out, "first")
    assert [path.name for path in out.iterdir()] == [MARKER]


def test_what_a_kill_left_is_tidied_up(tmp_path: Path) -> None:
    for name in (".out.partial", ".out.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "half").touch()
    write(tmp_path / "out", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [MARKER]


def test_an_empty_folder_may_be_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", "whole")


def test_what_is_no_export_is_refused_and_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "photos"
    mine.mkdir()
    (mine / "a.jpg").touch()
    for path in (mine, mine / "a.jpg"):
        with pytest.raises(InputError, match="no export"), replacing_folder(path):
            raise AssertionError
    assert [path.name for path in mine.iterdir()] == ["a.jpg"]


def test_a_place_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match="cannot be written"),
        replacing_folder(tmp_path / "file" / "out"),
    ):
        raise AssertionError
