"""Every command with every option, odd values and odd files: no traceback, and errors that say why.

Commands and options are read from the application itself.
"""

import contextlib
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
from cyclopts import App
from fuzzing import tries
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from runs import blobs, make_run, sort_into

from heap import cli

Line = list[str]

ODD = ["", "-1", "0", "2", "nan", "inf", "-inf", "1e308", "9" * 25, "0.5", "auto", "cpu", "-", "--",
       "a\nb", "[b]x[/b]", "é\u202f\U0001f600", "\udce9", "%s{}", "1=", "1=a", "1,2,3,4",
       "x" * 3000, "http://", "memory://x", "s3://", "../..", "folder:~nobody",
       "~nobody", "/dev/null", "train=0.5,val=0.5",
       "folder:data", "folder:", "score > 0.5 AND", "a#0", "["]  # fmt: skip
FILES = ["photos", "photos/a.png", "torn.png", "empty", "empty.txt", "list.txt", "object.json",
         "small.json", "list.json", "deep.json", "run", "half", "loop", "data", "missing",
         "new\nline.png", "\udce9.png", "encoder"]  # fmt: skip

BASES: dict[tuple[str, ...], Line] = {
    ("discover",): ["photos", "--out", "out"],
    ("categories",): ["run"],
    ("map",): ["run"],
    ("search",): ["run", "--object", "a#0"],
    ("inspect",): ["run"],
    ("diff",): ["run", "run"],
    ("export",): ["run", "--format", "coco", "--out", "out"],
    ("serve",): ["missing"],
    ("fit",): ["photos", "--out", "out", "--encoder", "encoder", "--resolution", "32",
               "--prior", "boundary", "--steps", "1"],
    ("pretrain",): ["photos", "--out", "out", "--steps", "1", "--batch", "2", "--settings",
                    "small.json"],
    ("pack",): ["photos", "--out", "out", "--side", "32"],
    ("export-model",): ["missing", "--out", "out.onnx"],
    ("evaluate",): ["saliency-found-v1", "--data", "folder:data", "--method", "tokencut", "--out",
                    "out.json", "--encoder", "encoder", "--resolution", "32"],
    ("tune",): ["tokencut", "--data", "folder:data", "--out", "out", "--configurations", "1",
                "--encoder", "encoder", "--resolution", "32"],
    ("compare",): ["list.json", "object.json"],
    ("tables",): ["empty"],
    ("figure",): ["photos", "--out", "out.png", "--method", "tokencut", "--encoder", "encoder",
                  "--resolution", "32"],
    ("protocols",): [],
    ("methods",): [],
    ("models",): [],
    ("models", "get"): ["embedded-small"],
    ("doctor",): [],
    ("datasets",): [],
    ("datasets", "check"): ["folder", "data"],
}  # fmt: skip
"""A line that each command takes and that is little work; what is drawn comes after it."""


def commands(app: App, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """The commands of an application, with those inside others."""
    if path and app.default_command is not None:
        yield path, app
    for name in app:
        if not name.startswith("-"):
            yield from commands(app[name], (*path, name))


COMMANDS = dict(commands(cli.app))


def test_every_command_has_a_line_to_begin_with() -> None:
    assert set(COMMANDS) == set(BASES)


def choices(hint: Any) -> list[str]:
    """The words that an option takes, where it takes only some."""
    if get_origin(hint) is Literal:
        return [str(each) for each in get_args(hint)]
    return [word for part in get_args(hint) for word in choices(part)]


def values(command: tuple[str, ...], words: list[str]) -> st.SearchStrategy[str]:
    # Nobody ends a server that was started.
    files = [name for name in FILES if command != ("serve",) or name not in ("run", "half")]
    return st.sampled_from([*ODD, *files, *words * 3])


def lines(command: tuple[str, ...]) -> st.SearchStrategy[Line]:
    """Lines with what the command requires, and with odd values for some of its options."""
    arguments = COMMANDS[command].assemble_argument_collection()
    drawn: list[st.SearchStrategy[Line]] = []
    for argument in arguments:
        value = values(command, choices(argument.hint))
        if argument.index is not None:
            drawn.append(st.lists(value, max_size=2))
        elif argument.hint is bool:
            drawn.append(st.sampled_from([[name] for name in argument.names]))
        else:
            drawn.append(
                st.tuples(st.sampled_from(argument.names), value).map(
                    lambda pair: [f"{pair[0]}={pair[1]}"]
                )
            )
    more = st.lists(st.one_of(drawn), max_size=3).map(
        lambda parts: list(chain.from_iterable(parts))
    )
    base = BASES[command]
    if not drawn:
        return st.lists(st.sampled_from(ODD), max_size=1)
    if command == ("serve",):
        return more.map(lambda drawn: [*base, *drawn])
    # Never only what is drawn: by luck that could be an hour's work.
    return st.tuples(st.integers(0, 2 * len(base)), more).map(
        lambda pair: [*base[: pair[0]], *base[pair[0] + 1 :], *pair[1]]
    )


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory, encoder_folder: Path) -> Path:
    """A folder with all of `FILES` but the missing one."""
    folder = tmp_path_factory.mktemp("odd")
    drawn = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    for place in ("photos/a.png", "photos/b.png", "data/images/a.png", "new\nline.png"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn).save(folder / place)
    (folder / "data/masks").mkdir()
    Image.fromarray(np.uint8(255 * blobs((40, 40), 1, smooth=4))).save(folder / "data/masks/a.png")
    whole = (folder / "photos/a.png").read_bytes()
    (folder / "torn.png").write_bytes(whole[:200])
    (folder / "\udce9.png").write_bytes(whole)
    (folder / "empty").mkdir()
    (folder / "empty.txt").touch()
    (folder / "list.txt").write_bytes(b"photos/a.png\nnowhere.png\n\xe9.png\n\n")
    (folder / "object.json").write_text('{"fit": 3, "steps": "x", "tokencut": {"tau": []}}')
    (folder / "small.json").write_text('{"crop": 32, "local_crop": 32, "prototypes": 8}')
    (folder / "list.json").write_text("[]")
    (folder / "deep.json").write_text("[" * 50_000)
    (folder / "loop").symlink_to("loop")
    masks = {"a": [blobs((60, 80), 1), blobs((60, 80), 2)], "b": [blobs((60, 80), 3)], "c": []}
    run = make_run(folder / "empty", masks)
    shutil.move(run, folder / "run")
    shutil.rmtree(folder / "empty" / "photos")
    sort_into(folder / "run", {1: "[b]x[/b]", 2: ""}, {"a#0": 1, "b#0": 2})
    shutil.copytree(folder / "run", folder / "half")
    shutil.rmtree(folder / "half" / "store" / "objects.lance" / "data")
    shutil.copytree(encoder_folder, folder / "encoder")
    return folder


def told(line: Line, folder: Path) -> tuple[int, str, str]:
    """Exit code, output and errors of a command line in a copy of the folder."""
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        copy = shutil.copytree(folder, Path(place) / "odd", symlinks=True)
        buffers = io.BytesIO(), io.BytesIO()
        out, err = (io.TextIOWrapper(buffer, "cp1252") for buffer in buffers)
        patch.chdir(copy)
        patch.setattr(sys, "argv", ["heap", *line])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            with pytest.raises(SystemExit) as caught:
                cli.main()
            for stream in (out, err):
                stream.flush()
        assert isinstance(caught.value.code, int)
        said = (buffer.getvalue().decode("cp1252") for buffer in buffers)
        return caught.value.code, next(said), next(said)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_any_line_is_done_or_refused_with_a_reason(command: tuple[str, ...], odd: Path) -> None:
    @given(line=lines(command))
    @example(line=BASES[command])
    @tries()
    def check(line: Line) -> None:
        code, out, err = told([*command, *line], odd)
        assert code in (0, 1, 2, 3)
        assert "Traceback" not in err
        if code and not out:
            reason = err[err.index("heap: ") :]
            assert len(reason.strip()) > 20, "it says what is wrong"
            assert reason.count("\n") == 1, "in a line"
        if code == 0 and "--json" in line:
            json.loads(out, parse_constant=float.fromhex)

    check()
