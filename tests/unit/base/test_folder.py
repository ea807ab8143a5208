import subprocess
from pathlib import Path

import pytest

from heap.base.errors import InputError
from heap.base.folder import MARKER, replacing_folder


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
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "half").touch()
    write(tmp_path / "out", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [MARKER]


def contents(folder: Path) -> dict[str, str]:
    """Texts of all files below a folder; no folder may be empty."""
    assert all(path.is_file() or any(path.iterdir()) for path in folder.rglob("*"))
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_folder_that_is_there_stays_the_same_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    before = out.stat().st_ino
    # A mount point cannot be renamed, and nobody may write beside it; of ext4 it has this folder.
    (out / "lost+found").mkdir()
    for text in ("first", "second"):
        write(out, text)
        assert out.stat().st_ino == before
        assert {path.name for path in out.iterdir()} == {"lost+found", MARKER}
        assert (out / MARKER).read_text() == text


WRITER = """
import os, signal, sys
from pathlib import Path
from heap.base.folder import MARKER, replacing_folder
out, steps = Path(sys.argv[1]), int(sys.argv[2])
def count(name):
    was = getattr(Path, name)
    def step(self, *arguments, **options):
        global steps
        steps -= 1
        if steps < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return was(self, *arguments, **options)
    setattr(Path, name, step)
with replacing_folder(out) as folder:
    for name in ("a", "new"):
        (folder / name).mkdir()
        (folder / name / "text").write_text("second")
    (folder / MARKER).write_text("second")
    for name in ("mkdir", "rename", "unlink", "rmdir"):
        count(name)
"""
"""Process that writes an export and is killed before a change of the file system."""


@pytest.mark.parametrize("earlier", [True, False])
def test_a_kill_at_any_moment_leaves_what_the_next_call_puts_right(
    tmp_path: Path, python: list[str], earlier: bool
) -> None:
    first = {"a/text": "first", "old/text": "first", MARKER: "first"} if earlier else {}
    second = {"a/text": "second", "new/text": "second", MARKER: "second"}
    seen = []
    for steps in range(30):
        out = tmp_path / str(steps)
        for name, text in first.items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_text(text)
        out.mkdir(exist_ok=True)
        done = subprocess.run([*python, "-c", WRITER, str(out), str(steps)], check=False)
        with pytest.raises(RuntimeError, match="stopped"):
            fail(out)
        seen.append(contents(out))
        assert seen[-1] in (first, second)
        if done.returncode == 0:
            break
    assert seen[0] == first
    assert seen[-1] == second
    assert len(seen) > 4


def test_what_the_user_puts_there_meanwhile_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()

    def write_beside() -> None:
        with replacing_folder(out) as folder:
            (folder / MARKER).touch()
            (out / "mine.jpg").touch()

    with pytest.raises(InputError, match="no export"):
        write_beside()
    assert [path.name for path in out.iterdir()] == ["mine.jpg"]


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
