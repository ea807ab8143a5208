"""The commands that measure, as researchers run them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scenes import coco_set, folder_set

from heap.benchmark.results import read_results

Run = Callable[..., subprocess.CompletedProcess[str]]
Main = Callable[..., tuple[int, str, str]]

DEMO = Path(__file__).parents[2] / "demo"
TWO = ("cat", "duck")
"""Of the demo photos."""
PROTOCOLS = ("saliency-found-v1", "corloc-found-v1")
HEAP = {
    "head": {"groups": 4, "blocks": 1, "heads": 2, "width": 16},
    "losses": {"prior": "boundary"},
    "fit": {"steps": 30, "batch": 6, "learning_rate": 1e-2},
}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_set(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def features(encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    cache = tmp_path_factory.mktemp("features")
    return ["--encoder", encoder_folder, "--resolution", 64, "--encoder-label", "tiny",
            "--cache", cache, "--precision", "fp32"]  # fmt: skip


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("settings") / "settings.json"
    path.write_text(json.dumps({"heap": HEAP, "found": {"steps": 4}}))
    return path


@pytest.fixture(scope="module")
def results(
    run_heap: Run, scenes: Path, features: list[object], settings: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    """Two methods, one of them with two seeds, by a process of its own; not to be changed."""
    out = tmp_path_factory.mktemp("several")
    done = run_heap(
        "evaluate", *PROTOCOLS, "--data", f"folder:{scenes}", "--method", "tokencut", "--method",
        "heap", "--seed", 0, "--seed", 1, "--fit", scenes / "images", "--model", out / "models",
        "--settings", settings, "--out", out / "results", *features,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.count("saliency-found-v1 iou") == 3
    named = sorted(path.name for path in (out / "results").iterdir())
    assert named == ["heap-0.json.gz", "heap-1.json.gz", "tokencut.json.gz"]
    assert all(str(out / "results" / name) in done.stderr.replace("\n", "") for name in named)
    return out / "results"


def one_line(text: str) -> str:
    """What an error says; it must be one line, and ours."""
    assert text.startswith("heap: ")
    assert text.endswith("\n")
    assert text.count("\n") == 1, text
    return text


def test_several_methods_fill_a_folder(results: Path, features: list[object]) -> None:
    first, second, tokencut = (read_results(path) for path in sorted(results.iterdir()))
    assert [each.method.seed for each in (first, second, tokencut)] == [0, 1, None]
    assert first.method.settings["head"]["groups"] == 4
    assert {each.data.sha256 for each in (first, second, tokencut)} == {first.data.sha256}
    assert {each.encoder.label for each in (first, second, tokencut)} == {"tiny"}
    assert first.command.startswith("heap evaluate saliency-found-v1 corloc-found-v1 --data ")
    models = results.parent / "models"
    assert sorted(path.name for path in models.iterdir()) == ["heap-0", "heap-1"]


def test_one_method_makes_a_file_with_the_same_rows(
    main: Main, results: Path, scenes: Path, features: list[object], tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "tokencut.json"
    code, stdout, err = main(
        "evaluate", *PROTOCOLS, PROTOCOLS[0], "--data", f"folder:{scenes}", "--method", "tokencut",
        "--method", "tokencut", "--label", "ours", "--data-label", "six scenes", "--out", out,
        *features,
    )  # fmt: skip
    assert code == 0, err
    assert stdout.split()[0] == "ours"
    found, before = read_results(out), read_results(results / "tokencut.json.gz")
    assert found.protocols == before.protocols
    assert [row.scores for row in found.rows] == [row.scores for row in before.rows]
    assert (found.method.label, found.data.label) == ("ours", "six scenes")
    value = found.protocols["saliency-found-v1"].metrics["iou"].value
    assert value is not None
    assert f"{100 * value:.1f}" in stdout
    assert json.loads(out.read_text())["format"] == 1


def test_the_models_serve_again_and_may_be_named_themselves(
    main: Main, results: Path, scenes: Path, features: list[object], settings: Path, tmp_path: Path
) -> None:
    model = results.parent / "models" / "heap-1"
    command = ["evaluate", *PROTOCOLS, "--data", f"folder:{scenes}", "--method", "heap", "--model",
               model, "--settings", settings, "--out", tmp_path / "a.json", *features]  # fmt: skip
    code, _, err = main(*command, "--seed", 1)
    assert code == 0, err
    again, before = read_results(tmp_path / "a.json"), read_results(results / "heap-1.json.gz")
    assert again.protocols == before.protocols
    assert again.method == before.method
    code, _, err = main(*command)
    assert code == 2
    assert "was made otherwise: seed (1 -> 0)" in one_line(err)


def test_compare(main: Main, results: Path, tmp_path: Path) -> None:
    first, second, third = sorted(results.iterdir())
    code, out, err = main("compare", first, third, second)
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "HEAP with prior, tiny  against  TokenCut, tiny"
    assert "HEAP with prior, tiny  against  HEAP with prior, tiny" in lines
    assert out.count("saliency-found-v1") == 2 * 3
    assert out.count("corloc-found-v1") == 2
    assert "the interval does not hold zero" in err
    assert main("compare", first)[0] == 2
    code, _, err = main("compare", first, tmp_path / "none.json")
    assert code == 2
    assert "none.json cannot be read" in one_line(err)
    (tmp_path / "torn.json").write_text("{")
    code, _, err = main("compare", first, tmp_path / "torn.json")
    assert code == 3
    assert "torn.json is no usable file of results" in one_line(err)


def test_numbers_of_boxes_are_told_as_they_are(
    main: Main, features: list[object], tmp_path: Path
) -> None:
    data, out = f"coco:{coco_set(tmp_path / 'set')}", tmp_path / "out"
    code, values, err = main(
        "evaluate", "several-v1", "--data", data, "--method", "maskcut", "--method", "whole",
        "--out", out, *features,
    )  # fmt: skip
    assert code == 0, err
    ours, theirs = (
        read_results(out / f"{name}.json.gz").protocols["several-v1"].metrics["boxes_10"].value
        for name in ("maskcut", "whole")
    )
    assert ours is not None
    assert theirs == 1
    shown = [line.split()[2] for line in values.splitlines() if "boxes_10" in line]
    assert shown == [f"{ours:.1f}", "1.0"]
    code, differences, err = main("compare", out / "maskcut.json.gz", out / "whole.json.gz")
    assert code == 0, err
    (line,) = (line.split() for line in differences.splitlines() if "boxes_10" in line)
    assert line[2:5] == [f"{ours:.1f}", "1.0", f"{ours - 1:+.1f}"]


def test_tables_and_figures(main: Main, results: Path, tmp_path: Path) -> None:
    code, out, err = main("tables", results, "--figures", tmp_path / "charts")
    assert code == 0, err
    charts = sorted((tmp_path / "charts").iterdir())
    assert charts
    assert all(chart.suffix == ".png" and chart.stat().st_size > 1000 for chart in charts)
    found = read_results(results / "tokencut.json.gz").protocols["saliency-found-v1"]
    value = found.metrics["iou"].value
    assert value is not None
    ours = [line for line in out.splitlines() if line.startswith("| TokenCut | tiny")]
    [line] = [line for line in ours if f" {100 * value:.1f}" in line]
    code, stdout, err = main("tables", results, "--table", "saliency", "--out", tmp_path / "t.md")
    assert (code, stdout) == (0, ""), err
    text = (tmp_path / "t.md").read_text()
    assert line in text
    assert "Discovery" not in text
    code, _, err = main("tables", results, "--table", "salience")
    assert code == 2
    assert "there is no table salience; there are discovery, " in one_line(err)
    code, _, err = main("tables", tmp_path / "charts")
    assert code == 2
    assert "there is no result in" in one_line(err)


def test_tune_then_evaluate_with_what_was_chosen(
    main: Main, scenes: Path, features: list[object], tmp_path: Path
) -> None:
    tune = ["tune", "centre", "--data", f"folder:{scenes}", "--configurations", 3, "--out",
            tmp_path / "tuned", *features]  # fmt: skip
    code, first, err = main(*tune)
    assert code == 0, err
    assert first.count("<- chosen") == 1
    log = json.loads((tmp_path / "tuned" / "tuning.json").read_text())
    assert len(log["trials"]) == 3
    best = max(log["trials"], key=lambda trial: trial["iou"])
    assert log["chosen"] == best["settings"]
    code, out, err = main(*tune)
    assert code == 0, err
    assert out == first, "nothing was tried again, so no time is another"
    command = ["evaluate", "saliency-found-v1", "--data", f"folder:{scenes}", "--method", "centre",
               "--settings", tmp_path / "tuned" / "settings.json", *features]  # fmt: skip
    code, _, err = main(*command, "--out", tmp_path / "a.json")
    assert code == 0, err
    found = read_results(tmp_path / "a.json")
    assert found.method.settings == {"share": 0.6} | best["settings"]
    assert found.protocols["saliency-found-v1"].metrics["iou"].value == best["iou"]
    code, _, err = main(*tune, "--seed", 1)
    assert code == 2
    assert "seed (0 -> 1)" in one_line(err.splitlines()[-1] + "\n")
    assert main(*tune, "--minutes", -1)[0] == 2


def test_figure_of_two_photos(
    main: Main, features: list[object], results: Path, settings: Path, tmp_path: Path
) -> None:
    photos = [DEMO / "photos" / f"{name}.jpg" for name in TWO]
    command = ["figure", *photos, "--masks", DEMO / "masks", *features]
    code, _, err = main(
        *command, "--method", "tokencut", "--method", "heap", "--settings", settings, "--model",
        results.parent / "models", "--out", tmp_path / "a.png",
    )  # fmt: skip
    assert code == 0, err
    assert err.splitlines()[-1].endswith("a.png")
    with Image.open(tmp_path / "a.png") as drawn:
        wide, pixels = drawn.width, np.asarray(drawn.convert("RGB"))
    assert pixels.std() > 20
    # Without masks there is a column less, without HEAP there are two less: objects and regions.
    code, _, err = main("figure", *photos, *features, "--method", "tokencut",
                        "--out", tmp_path / "b.jpg")  # fmt: skip
    assert code == 0, err
    with Image.open(tmp_path / "b.jpg") as drawn:
        assert drawn.width < 0.5 * wide
    code, _, err = main(*command, "--method", "tokencut", "--out", tmp_path / "c.gif")
    assert code == 2
    assert "c.gif" in one_line(err)
    code, _, err = main(*command, "--method", "heap", "--out", tmp_path / "c.png")
    assert code == 2
    assert "name the folder of its model with --model" in one_line(err)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["evaluate", "saliency-fund-v1", "--method", "lost"],
         ["there is no protocol 'saliency-fund-v1'; did you mean saliency-found-v1"]),
        (["evaluate", "corloc-found-v1", "--method", "tokncut"],
         ["there is no method 'tokncut'; did you mean tokencut"]),
        (["evaluate", "corloc-found-v1", "--method", "lost", "--data", "foldr:x"],
         ["there is no data set 'foldr'; did you mean folder"]),
        (["evaluate", "corloc-found-v1", "--method", "lost", "--data", "photos"],
         ["'photos' is no data set: write NAME:PATH"]),
        (["evaluate", "corloc-found-v1", "--method", "lost", "--data", "folder:/no/where"],
         ["/no/where/images", "is missing"]),
        (["evaluate", "corloc-found-v1", "--method", "lost", "--method", "centre"],
         ["several methods or seeds need a folder: --out", "a.json is a file name"]),
        (["evaluate", "corloc-found-v1", "--method", "heap", "--seed", "0", "--seed", "1"],
         ["several methods or seeds need a folder"]),
        (["evaluate", "retrieval-voc12-7-v1", "--method", "lost"],
         ["protocol retrieval-voc12-7-v1 needs the splits train, val"]),
        (["evaluate", "corloc-found-v1", "--method", "lost", "--encoder", "/no/where"],
         ["/no/where"]),
        (["evaluate", "corloc-found-v1", "--method", "found"],
         ["this method learns: name the folder of its model with --model"]),
        (["evaluate", "corloc-found-v1", "--method", "found", "--model", "/no/where"],
         ["there is no model in /no/where yet: name unlabelled images to learn from with --fit"]),
        (["evaluate", "corloc-found-v1", "--method", "lost", "--settings", "none.json"],
         ["--settings none.json cannot be read"]),
        (["evaluate", "corloc-found-v1", "--method", "lost", "--limit", "0"], ["--limit"]),
        (["evaluate", "--method", "lost"], ["NAMES"]),
        (["evaluate", "corloc-found-v1"], ["--method"]),
        (["tune", "whole"], ["method whole has no settings to tune"]),
        (["tune", "tokncut"], ["did you mean tokencut"]),
    ],
)  # fmt: skip
def test_what_cannot_be_used(
    arguments: list[str], parts: list[str], main: Main, scenes: Path, features: list[object],
    tmp_path: Path,
) -> None:  # fmt: skip
    given = ["--data", f"folder:{scenes}", *features, "--out", tmp_path / "a.json"]
    for option in ("--data", "--encoder"):
        if option in arguments:
            at = given.index(option)
            given = given[:at] + given[at + 2 :]
    code, out, err = main(*arguments, *given)
    assert (code, out) == (2, "")
    assert all(part in one_line(err) for part in parts), err
    assert list(tmp_path.iterdir()) == []


def test_protocols_prints_every_choice(run_heap: Run, main: Main) -> None:
    done = run_heap("protocols")
    assert done.returncode == 0, done.stderr
    from heap.benchmark.protocols import PROTOCOLS as all_protocols

    lines = [line.split() for line in done.stdout.splitlines()]
    assert all(any(line[:1] == [name] for line in lines) for name in all_protocols)
    code, out, err = main("protocols", "retrieval-voc12-animals-v1")
    assert code == 0, err
    assert "classes: cat, cow, dog, horse, sheep, person" in out
    assert "k: 1" in out
    code, out, err = main("protocols", "retrieval")
    assert (code, out) == (2, "")
    assert "there is no protocol 'retrieval'" in one_line(err)


def test_methods_prints_settings_and_grids(main: Main) -> None:
    from heap.benchmark.run.methods import METHODS

    code, out, err = main("methods")
    assert code == 0, err
    lines = out.splitlines()
    for card in METHODS.values():
        about = lines[lines.index(card.name) + 1 :]
        assert about[0].strip() == card.about
        grid = "  ".join(map(json.dumps, card.grid))
        assert not card.grid or any(grid in line for line in about[:3])
    assert "solver" not in lines[lines.index("found") + 2], "what makes it FOUND is no setting"


def test_datasets_and_what_is_wrong_in_one(
    run_heap: Run, main: Main, scenes: Path, tmp_path: Path
) -> None:
    from heap.benchmark.datasets import describe_datasets

    done = run_heap("datasets")
    assert done.returncode == 0, done.stderr
    names = [each["name"] for each in describe_datasets()]
    assert [line for line in done.stdout.splitlines() if line in names] == names
    code, out, err = main("datasets", "check", "folder", scenes)
    assert (code, out) == (0, ""), err
    assert "all is as it should be" in err
    root = folder_set(tmp_path / "set", 3)
    (root / "masks" / "00.png").unlink()
    Image.new("L", (3, 3)).save(root / "masks" / "02.png")
    code, out, err = main("datasets", "check", "folder", root)
    assert code == 1
    assert len(out.splitlines()) == 2
    assert f"{root / 'masks' / '00.png'}: the mask is missing" in out
    assert f"{root / 'masks' / '02.png'}: the mask is 3 x 3 pixels" in out
    assert "2 problems" in err
    code, _, err = main("datasets", "check", "foldr", root)
    assert code == 2
    assert "did you mean folder" in one_line(err)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["evaluate", "--help"], ["tune", "--help"], ["tables", "--help"],
     ["figure", "--help"], ["datasets", "--help"]],
)  # fmt: skip
def test_help_does_not_import_torch(arguments: list[str]) -> None:
    code = "import sys; sys.modules['torch'] = None; from heap.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: heap" in done.stdout
    if arguments == ["--help"]:
        for name in ("evaluate", "tune", "compare", "tables", "figure", "protocols", "datasets"):
            assert name in done.stdout
