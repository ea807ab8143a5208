"""Way in 6: the command line as people and programs use it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
Main = Callable[..., tuple[int, str, str]]


@pytest.fixture
def place(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with three photos."""
    (tmp_path / "photos").mkdir()
    for name in ("01.png", "02.png", "03.png"):
        shutil.copy(photos / name, tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def names(main: Main, model: Path, place: Path) -> Callable[..., list[str]]:
    """Discovers, and gives the names of the images of the run, or the error."""

    def discover(*images: object, out: str = "run") -> list[str]:
        shutil.rmtree(out, ignore_errors=True)
        code, _, err = main("discover", *images, "--model", model, "--out", out)
        if code:
            return [err]
        assert (Path(out).expanduser() / "failed.jsonl").read_bytes() == b""
        coco = json.loads((Path(out).expanduser() / "objects.json").read_text())
        return [image["file_name"] for image in coco["images"]]

    return discover


LISTS = {
    "UTF-16": "photos/01.png\r\nphotos/02.png\r\n".encode("utf-16"),
    "UTF-16, big": b"\xfe\xff" + "photos/01.png\nphotos/02.png".encode("utf-16-be"),
    "quotes": b"\"photos/01.png\"\r\n'photos/02.png'\r\n",
    "comments": b"# all of them\nphotos/01.png\n  # and\nphotos/02.png\n#photos/03.png\n",
    "blanks": b"\n  photos/01.png\t\n   \n\nphotos/02.png  \n\n",
}


@pytest.mark.way(6, "Lists in UTF-16, with quotes, comments or blanks were not understood")
@pytest.mark.parametrize("kind", LISTS)
def test_lists_as_people_and_programs_write_them(
    kind: str, names: Callable[..., list[str]], place: Path
) -> None:
    (place / "list.txt").write_bytes(LISTS[kind])
    assert names("list.txt") == ["photos/01.png", "photos/02.png"]


def test_a_list_with_a_mark(names: Callable[..., list[str]], place: Path) -> None:
    (place / "list.txt").write_bytes("\ufeffphotos/01.png\nphotos/02.png\n".encode())
    assert names("list.txt") == ["photos/01.png", "photos/02.png"]


def test_a_file_that_is_called_so_is_meant(names: Callable[..., list[str]], place: Path) -> None:
    odd = ["#1.png", " 2.png ", '"3.png"']
    for name in odd:
        shutil.copy("photos/01.png", name)
    (place / "list.txt").write_text("\n".join(odd))
    assert names("list.txt") == sorted(odd)


@pytest.mark.way(6, "A list that is damaged UTF-16 was taken for names")
def test_a_list_that_is_no_text(names: Callable[..., list[str]], place: Path) -> None:
    (place / "list.txt").write_bytes(b"\xff\xfea\x00\x00\xdc")
    (said,) = names("list.txt")
    assert "begins as UTF-16 does, and does not go on so" in said


@pytest.mark.way(6, "A pattern that fits nothing was said to be a name that is not there")
@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("photos/*.tiff", "no name fits this pattern"),
        ("photos/0[89].png", "a bracket itself is written [[]"),
        ("photos/{01,02}.png", "let the shell expand it"),
    ],
)
def test_a_pattern_that_fits_nothing_says_so(
    pattern: str, words: str, names: Callable[..., list[str]]
) -> None:
    (said,) = names(pattern)
    assert words in said
    assert pattern.partition("/")[0] in said


def test_a_pattern_in_a_folder_that_there_is_not(names: Callable[..., list[str]]) -> None:
    (said,) = names("nowhere/*.png")
    assert "nowhere" in said


@pytest.mark.way(6, "A folder whose name has brackets could not be searched by a pattern")
def test_a_folder_whose_name_looks_like_a_pattern(
    names: Callable[..., list[str]], place: Path
) -> None:
    shutil.copytree("photos", "a[1]")
    assert names("a[1]/*2.png") == ["02.png"]
    assert names("a[1]") == ["01.png", "02.png", "03.png"]


@pytest.mark.way(6, "A photo called `-x.png` was taken for an option")
def test_names_that_begin_with_a_hyphen(
    names: Callable[..., list[str]], main: Main, place: Path
) -> None:
    shutil.copy("photos/01.png", "-x.png")
    assert names("-x.png") == ["-x.png"]
    for option, value in (("--image", "-x.png"), ("--object", "-x.png#0")):
        code, out, err = main("search", "run", option, value, "--json")
        assert code == 0, err
        # Without the object that is looked for there may be no other.
        assert all(hit["key"] == "-x.png" for hit in json.loads(out))
    (said,) = names("-y.png")
    assert "unknown option -y.png" in said


@pytest.mark.way(6, "`--out ~/run` made a folder called `~`")
def test_the_home_folder_is_meant_by_a_tilde(
    names: Callable[..., list[str]], main: Main, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(place / "home"))
    assert names("photos/01.png", out="~/run") == ["01.png"]
    assert (place / "home" / "run" / "store").is_dir()
    assert not (place / "~").exists()
    assert main("inspect", "~/run", "--json")[0] == 0
    code, _, err = main("export", "~/run", "--format", "csv", "--out=~/table")
    assert code == 0, err
    assert (place / "home" / "table").is_dir()


def read_only(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """A command for which nobody, root neither, can write to a folder."""
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    isolated = ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, str(folder)]
    if subprocess.run([*isolated, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a mount that can only be read takes the rights of root and a kernel that lets")
    return subprocess.run([*isolated, *command], capture_output=True, text=True, check=False)


@pytest.mark.way(6, "`heap categories` of a run that can only be read was refused")
@pytest.mark.skipif(shutil.which("unshare") is None, reason="there is no unshare")
def test_categories_of_a_run_that_can_only_be_read(
    names: Callable[..., list[str]], main: Main, place: Path
) -> None:
    names("photos")
    command = [sys.executable, "-m", "heap", "categories", "run"]
    done = read_only(command, place / "run")
    assert done.returncode == 2, "there are none yet"
    assert "run cannot be written (Read-only file system)" in done.stderr
    assert main("categories", "run", "--k", 1)[0] == 0
    before = sorted((path, path.stat().st_mtime_ns) for path in (place / "run").rglob("*"))
    done = read_only(command, place / "run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith("1\t")
    assert "0 objects sorted" in done.stderr
    done = read_only([*command, "--name", "1=disc"], place / "run")
    assert done.returncode == 2
    after = sorted((path, path.stat().st_mtime_ns) for path in (place / "run").rglob("*"))
    assert after == before


@pytest.mark.way(6, "Who stopped reading was an error like any other, not one of the pipe: 141")
@pytest.mark.parametrize("arguments", [["models"], ["--help"], ["methods"]])
def test_who_stops_reading_ends_it_quietly(arguments: list[str], python: list[str]) -> None:
    assert unread(arguments, python) == (141, "")


def test_who_stops_reading_json_ends_it_quietly(python: list[str]) -> None:
    assert unread(["models", "--json"], python) == (141, "")


def unread(arguments: list[str], python: list[str]) -> tuple[int, str]:
    """Exit code and errors of a command whose output nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*python, "-m", "heap", *arguments], stdout=writing, stderr=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    os.close(writing)
    return done.returncode, done.stderr


@pytest.mark.way(6, "Output that cannot be written ended with 120 and an ignored exception")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("arguments", [["models"], ["--help"]])
def test_output_that_cannot_be_written_is_an_error(arguments: list[str], python: list[str]) -> None:
    refused_by_a_full_disk(arguments, python)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_json_that_cannot_be_written_is_an_error(python: list[str]) -> None:
    refused_by_a_full_disk(["models", "--json"], python)


def refused_by_a_full_disk(arguments: list[str], python: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*python, "-m", "heap", *arguments], stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "No space left on device" in line
    assert "goes on" not in line


def test_closed_streams_are_no_error() -> None:
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        command = f"{sys.executable} -m heap models --json {closed}"
        assert subprocess.run(["sh", "-c", command], check=False).returncode == 0


LIMITED = (
    "import resource, sys;"
    "resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}));"
    "from heap.cli import main; main()"
)
"""No file may grow beyond a limit, as on a disk that is full."""


@pytest.mark.way(6, "A full disk was called wrong input, with exit code 2")
@pytest.mark.fault("F30")
@pytest.mark.parametrize("arguments", [["categories", "run", "--k", "1"],
                                       ["export", "run", "--format", "csv"]])  # fmt: skip
def test_a_full_disk_is_no_damaged_store_and_no_wrong_input(
    arguments: list[str], names: Callable[..., list[str]], python: list[str], place: Path
) -> None:
    names("photos")
    done = subprocess.run(
        [*python, "-c", LIMITED.format(size=64), *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    last = done.stderr.splitlines()[-1]
    assert "cannot be written" in last
    assert "goes on" not in last
    assert "Traceback" not in done.stderr


@pytest.mark.way(6, "In a log there was no line of progress")
def test_a_log_has_lines_and_no_bars(run_heap: Run, place: Path, model: Path) -> None:
    done = run_heap("discover", "photos", "--model", model, "--out", "run")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert any(line.startswith("objects 3/3") for line in lines)
    assert "\u2501" not in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.way(6, "Ctrl+C while it starts was a traceback")
def test_control_c_while_it_starts_is_one_line(tmp_path: Path) -> None:
    # Stands for what is imported first, and takes as long as on a slow disk.
    slow = "import sys, time\nprint('importing', flush=True)\ntime.sleep(60)\n"
    (tmp_path / "cyclopts.py").write_text(slow)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    with subprocess.Popen(
        [sys.executable, "-m", "heap", "models"], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == "importing\n"
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    assert (child.returncode, said) == (130, "heap: interrupted\n")
