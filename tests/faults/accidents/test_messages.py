"""Points 8 to 10, 17, 21: conditions, odd values, tables, and corrections of categories."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import STEM, Command, Photo


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Message of a command that refused; one line, without traceback."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


FIRST = "01.png#0"


@pytest.mark.accident(8, "A comment in a condition was answered by advice to delete the run")
def test_condition_with_a_comment(run: Path, run_heap: Command) -> None:
    done = run_heap("search", run, "--object", FIRST, "--where", "score > 0.3 --")
    assert "delete" not in done.stderr
    assert "the columns are score" in said(done)


@pytest.mark.accident(8, "A condition with brackets showed what was rejected, and ran functions")
@pytest.mark.parametrize(
    "condition", ["score > 0) OR (rejected = true", "repeat('a', 3) = 'b' OR score > 0"]
)
def test_condition_that_is_sql(run: Path, run_heap: Command, condition: str) -> None:
    done = run_heap("search", run, "--object", FIRST, "--where", condition)
    assert done.stdout == ""
    said(done)


@pytest.mark.accident(8, "search(count=-1) in Python blamed the store and advised its deletion")
def test_search_for_less_than_one_object(run: Path, python: list[str]) -> None:
    code = f"import heap; heap.open({str(run)!r}).search(object_id={FIRST!r}, count=-1)"
    done = subprocess.run([*python, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert "count is -1" in last
    assert "delete" not in last


@pytest.mark.accident(9, "`search --image FOLDER` was a traceback")
def test_search_for_a_folder(run: Path, original: Path, run_heap: Command) -> None:
    assert "several images" in said(run_heap("search", run, "--image", original / "photos"))


@pytest.mark.accident(9, "`categories --k 0` was a traceback")
def test_no_categories(run: Path, run_heap: Command) -> None:
    assert "0 categories" in said(run_heap("categories", run, "--k", 0, "--again"))


@pytest.mark.accident(9, "`--device gpu` listed the two dozen device types of torch")
def test_device_that_there_is_not(photo: Photo, discover: Command) -> None:
    photo(0, "x.png")
    message = said(discover("x.png", "--device", "gpu"))
    assert "gpu" in message
    assert "hpu" not in message


@pytest.mark.accident(
    9, "Of `-o` and `--output` it was said how to name such files, not what is meant"
)
@pytest.mark.parametrize("option", ["-o", "--output"])
def test_options_of_other_tools(
    photo: Photo, run_heap: Command, tmp_path: Path, option: str
) -> None:
    photo(0, "x.png")
    message = said(run_heap("discover", "x.png", option, "y", cwd=tmp_path))
    assert "did you mean --out?" in message


@pytest.mark.accident(9, "A fit was announced before it was seen that there is no such encoder")
def test_encoder_that_there_is_not(photo: Photo, run_heap: Command, tmp_path: Path) -> None:
    photo(0, "x.png")
    line = ["discover", "x.png", "--encoder", "dino-vit16", "--out", "run"]
    assert "dino-vit16" in said(run_heap(*line, cwd=tmp_path))


@pytest.mark.accident(9, "Output to a stream that is not UTF-8 was a traceback")
def test_output_in_another_encoding(run: Path, run_heap: Command) -> None:
    assert run_heap("categories", run, "--name", "1=\u2603").returncode == 0
    # An interpreter reads this when it starts, so it is no forked one.
    console = os.environ | {"PYTHONIOENCODING": "cp1252"}
    line = [sys.executable, "-m", "heap", "categories", str(run)]
    done = subprocess.run(line, env=console, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"\\u2603" in done.stdout


@pytest.mark.accident(10, "Tables cut ids also where they went to a program")
def test_table_for_a_program(run: Path, run_heap: Command) -> None:
    done = run_heap("search", run, "--object", f"{STEM}.png#0", "--count", 50)
    assert done.returncode == 0, done.stderr
    done = run_heap("search", run, "--object", FIRST, "--count", 50)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert f"{STEM}.png#0" in [row[0] for row in rows]
    assert len({len(row) for row in rows}) == 1


@pytest.mark.accident(10, "In a small run `inspect` called one object both typical and unusual")
def test_typical_and_unusual(run: Path, run_heap: Command) -> None:
    done = run_heap("inspect", run, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    typical, unusual = (
        {hit if isinstance(hit, str) else hit["id"] for hit in report[name]}
        for name in ("typical", "unusual")
    )
    assert typical
    assert not typical & unusual


def listed(run: Path, run_heap: Command) -> list[dict[str, object]]:
    done = run_heap("categories", run, "--json")
    assert done.returncode == 0, done.stderr
    categories: list[dict[str, object]] = json.loads(done.stdout)["categories"]
    return categories


@pytest.mark.accident(17, "Categories whose printed names agree were one class in exports")
def test_names_that_agree(run: Path, run_heap: Command) -> None:
    line = ["categories", run, "--name", "1=big dog", "--name", "2=big  dog"]
    assert "big dog" in said(run_heap(*line))


@pytest.mark.accident(21, "Of several corrections in one command the first stayed when one failed")
def test_corrections_one_of_which_fails(run: Path, run_heap: Command) -> None:
    before = run_heap("categories", run, "--json").stdout
    said(run_heap("categories", run, "--merge", "1,2", "--merge", "2,3"))
    assert run_heap("categories", run, "--json").stdout == before
