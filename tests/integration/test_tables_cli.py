"""Tables and corrections on the command line, and what is said of values that cannot be used."""

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from runs import blobs, make_run, sort_into

from heap import cli
from heap.categories.listing import categories
from heap.store.store import RunStore

Main = Callable[..., tuple[int, str, str]]

NAME = "holiday\u202fpictures of a very long summer by the sea, with \u2603 and a\ttab"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Six objects in three images; one image has a name that is hard to print."""
    masks = [blobs((60, 80), seed) for seed in range(4)]
    return make_run(tmp_path, {NAME: masks, "b": masks[:2], "c": []})


def contents(run: Path) -> tuple[object, object]:
    """The categories of a run, and that of each object."""
    store = RunStore.open(run)
    rows = store.table("objects").to_arrow().sort_by("id")
    made = [(each.id, each.name, each.rejected, each.size) for each in categories(store)]
    return made, rows.select(["id", "category", "similarity"]).to_pylist()


class TestTables:
    def test_elsewhere_than_on_a_terminal_rows_are_lines_of_cells(
        self, main: Main, run: Path
    ) -> None:
        sort_into(run, {1: "a\nb"}, {"b#0": 1})
        code, out, err = main("search", run, "--object", "b#0", "--where", "key != 'c'")
        assert code == 0, err
        head, *rows = [line.split("\t") for line in out.splitlines()]
        assert head == ["object", "similarity", "category", "score", "box"]
        assert {row[0] for row in rows} == {
            "b#1", *(f"{NAME}#{place}".replace("\t", "\\t") for place in range(4))
        }  # fmt: skip
        assert {len(row) for row in rows} == {5}
        head, row = (line.split("\t") for line in main("categories", run)[1].splitlines())
        assert dict(zip(head, row, strict=True))["name"] == "a\\nb"

    @pytest.mark.parametrize(
        "line",
        [
            ("models",),
            ("doctor",),
            ("categories", "RUN"),
            ("search", "RUN", "--object", "b#0"),
            ("inspect", "RUN"),
            ("export", "RUN", "--format", "csv"),
        ],
    )
    def test_as_json_it_is_one_line(self, main: Main, run: Path, line: tuple[str, ...]) -> None:
        sort_into(run, {1: "", 2: ""}, {"b#0": 1})
        code, out, err = main(*(str(run) if part == "RUN" else part for part in line), "--json")
        assert code == 0, err
        assert out.count("\n") == 1

        def refuse(number: str) -> None:
            pytest.fail(f"{number} is no JSON")

        assert json.loads(out, parse_constant=refuse)

    def test_on_a_narrow_terminal_nothing_is_cut(
        self, run: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ours, theirs = os.openpty()
        monkeypatch.setenv("COLUMNS", "50")
        monkeypatch.setattr(sys, "argv", ["heap", "search", str(run), "--object", "b#0"])
        with os.fdopen(theirs, "w") as terminal, contextlib.redirect_stdout(terminal):
            with pytest.raises(SystemExit):
                cli.main()
            terminal.flush()
            shown = os.read(ours, 100_000).decode()
        os.close(ours)
        assert "…" not in shown
        assert "similarity" in shown
        first = "".join(line[:20].split("  ")[0] for line in shown.splitlines())
        assert first.count("holiday") == 4

    @pytest.mark.parametrize("command", ["categories", "search", "inspect"])
    def test_to_a_stream_that_is_not_utf_8(
        self, run: Path, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        sort_into(run, {1: "\u2603"}, {f"{NAME}#0": 1})
        more = ["--object", "b#0"] if command == "search" else []
        monkeypatch.setattr(sys, "argv", ["heap", command, str(run), *more])
        console = io.TextIOWrapper(io.BytesIO(), "cp1252")
        with contextlib.redirect_stdout(console), pytest.raises(SystemExit) as caught:
            cli.main()
        assert caught.value.code == 0
        console.seek(0)
        assert "holiday\\u202fpictures" in console.read()


class TestCorrections:
    @pytest.fixture
    def sorted_run(self, run: Path) -> Path:
        members = {"b#0": 1, "b#1": 2, f"{NAME}#0": 3, f"{NAME}#1": 4, f"{NAME}#2": 4}
        sort_into(run, {1: "one", 2: "", 3: "", 4: "four"}, {**members, f"{NAME}#3": 0})
        return run

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (["--merge", "1,2", "--merge", "2,3"], "give --merge 1,2,3 for one category of all"),
            (["--merge", "1,2", "--merge", "3,9"], "no category 9"),
            (["--merge", "1,2", "--name", "2=two"], "no category 2"),
            (["--merge", "1,2", "--name", "3=four"], "four"),
            (["--merge", "1,2", "--name", "3=three", "--reject", 2], "no category 2"),
            (["--name", "3=three", "--name", "3=drei"], "another name"),
        ],
    )
    def test_all_of_one_command_or_none(
        self, main: Main, sorted_run: Path, options: list[object], says: str
    ) -> None:
        before = contents(sorted_run)
        code, _, err = main("categories", sorted_run, *options)
        assert code == 2
        assert says in err
        assert err.count("\n") == 1
        assert contents(sorted_run) == before

    def test_neither_are_new_categories_kept(self, main: Main, run: Path) -> None:
        before = contents(run)
        assert main("categories", run, "--k", 2, "--merge", "1,9")[0] == 2
        assert contents(run) == before
        assert main("categories", run, "--k", 2, "--merge", "1,2", "--name", "1=all")[0] == 0
        assert contents(run)[0] == [(1, "all", False, 6)]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["categories", "RUN", "--k", 0], "0 categories cannot be made"),
        (["categories", "RUN", "--k", -3], "-3 categories cannot be made"),
        (["categories", "RUN", "--seed", -1], '"-1" for --seed'),
        (["search", "RUN", "--image", "FOLDER"], "several images; name one"),
        (
            ["search", "RUN", "--object", "b#0", "--where", "score > 0.3 --"],
            "the columns are score",
        ),
        (["discover", "FOLDER", "-o", "out"], "unknown option -o; did you mean --out?"),
        (["discover", "FOLDER", "--output", "out"], "option --output; did you mean --out?"),
        (["discover", "FOLDER", "--device", "gpu"], "device 'gpu' cannot be used"),
    ],
)
def test_what_cannot_be_used_is_named(
    main: Main, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    line: list[object], says: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    places = {"RUN": run, "FOLDER": tmp_path / "photos"}
    code, _, err = main(*(places.get(str(part), part) for part in line))
    assert code == 2
    assert says in err
    assert err.count("\n") == 1
    assert len(err) < 400


def test_no_fit_is_announced_with_an_encoder_that_there_is_not(
    main: Main, run: Path, tmp_path: Path
) -> None:
    photos = run.parent / "photos"
    code, _, err = main("discover", photos, "--encoder", "dino-vit16", "--out", tmp_path / "new")
    assert code == 2
    assert "there is no encoder 'dino-vit16'" in err
    assert "fitting" not in err
    assert err.count("\n") == 1
