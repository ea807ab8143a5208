"""The command as its users run it."""

import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from preprocessors import add_preprocessor
from pycocotools.coco import COCO

from heap.config import FitConfig
from heap.encoder.registry import Recipe, recipe
from heap.methods.found import FoundRecipe

Run = Callable[..., subprocess.CompletedProcess[str]]
Main = Callable[..., tuple[int, str, str]]

HEAD = {"groups": 4, "blocks": 1, "heads": 2, "width": 16}


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "settings.json"
    training = {"batch": 6, "checkpoint_every": 5, "learning_rate": 1e-2}
    path.write_text(json.dumps({"head": HEAD, "fit": training}))
    return path


@pytest.fixture
def fit_options(encoder_folder: Path, settings: Path) -> list[object]:
    return ["--encoder", encoder_folder, "--resolution", 64, "--cues", "colour", "--cues",
            "boundary", "--prior", "boundary", "--settings", settings]  # fmt: skip


@pytest.fixture(scope="module")
def run_folder(
    run_heap: Run, photos: Path, model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run of the photos by the model; not to be changed."""
    out = tmp_path_factory.mktemp("run") / "run"
    done = run_heap("discover", photos, "--model", model_folder, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert (summary["done"] + summary["empty"], summary["failed"]) == (12, 0)
    assert summary["run"] == str(out)
    assert "Traceback" not in done.stderr
    return out


def one_line(text: str) -> str:
    """What an error says; it must be one line, and ours."""
    assert text.startswith("heap: ")
    assert text.endswith("\n")
    assert text.count("\n") == 1, text
    return text


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
def test_discover_writes_what_it_promises(run_folder: Path, photos: Path) -> None:
    coco = COCO(str(run_folder / "objects.json"))
    names = [image["file_name"] for image in coco.loadImgs(coco.getImgIds())]
    assert names == sorted(path.name for path in photos.iterdir())
    annotations = coco.loadAnns(coco.getAnnIds())
    assert len(annotations) >= 10
    for each in annotations:
        mask = coco.annToMask(each)
        assert mask.sum() == each["area"] > 0
        assert each["iscrowd"] == 0
    assert (run_folder / "failed.jsonl").read_bytes() == b""
    gallery = (run_folder / "gallery.html").read_text()
    assert all(name in gallery for name in names)
    assert len(list((run_folder / "overlays").iterdir())) == 12


def contents(run: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in run.rglob("*") if path.is_file() and "store" not in path.parts]
    return {str(path.relative_to(run)): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in files}  # fmt: skip


def test_the_same_command_again_does_nothing_new(
    run_folder: Path, main: Main, photos: Path, model_folder: Path
) -> None:
    before = contents(run_folder)
    code, out, err = main(
        "discover", photos, "--model", model_folder, "--out", run_folder, "--json"
    )
    assert code == 0, err
    assert json.loads(out)["images_per_second"] == 0
    after = contents(run_folder)
    assert {name: data for name, (data, _) in after.items()} \
        == {name: data for name, (data, _) in before.items()}  # fmt: skip
    pictures = [name for name in after if name.startswith("overlays")]
    assert all(after[name] == before[name] for name in pictures), "no overlay is drawn again"


@pytest.mark.fault("F34")
def test_another_configuration_is_refused_by_key(
    run_folder: Path, main: Main, photos: Path, model_folder: Path
) -> None:
    before = contents(run_folder)
    code, _, err = main(
        "discover", photos, "--model", model_folder, "--out", run_folder, "--threshold", 0.6
    )
    assert code == 2
    assert "discover.threshold (0.5 -> 0.6)" in one_line(err)
    assert contents(run_folder) == before


def test_strict_and_standard_input(
    run_heap: Run, photos: Path, model_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    out = tmp_path / "run"
    with (photos / "01.png").open() as image:
        done = run_heap(
            "discover", "-", tmp_path / "bad.png", photos / "00.png",
            "--model", model_folder, "--out", out, "--strict", "--no-refine", "--save", "masks",
            stdin=image,
        )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert "1 failed" in done.stderr
    assert "failed.jsonl" in done.stderr
    images = json.loads((out / "objects.json").read_text())["images"]
    base = os.path.commonpath([tmp_path, photos])
    digest = hashlib.sha256((photos / "01.png").read_bytes()).hexdigest()
    name = str((photos / "00.png").relative_to(base))
    assert [image["file_name"] for image in images] == [name, f"stdin-{digest[:8]}"]
    assert [image["width"] for image in images] == [96, 64]
    (failure,) = map(json.loads, (out / "failed.jsonl").read_text().splitlines())
    assert failure["path"] == str((tmp_path / "bad.png").relative_to(base))
    assert not (out / "overlays").exists()
    assert len(list((out / "masks").iterdir())) == 2


def test_what_was_left_out_of_an_image_is_in_every_summary(
    main: Main, photos: Path, model_folder: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "photos", tmp_path / "run"
    folder.mkdir()
    photo, deep = Image.open(photos / "00.png"), np.full((48, 64), 100, np.uint16)
    deep[16:32, 16:32] = 4000
    Image.fromarray(deep).save(folder / "12-bits.tif")
    for name in ("a.gif", "b.tif", "c.png"):
        photo.save(folder / name, save_all=True, append_images=[photo.rotate(90)])
    command = ["discover", folder, "--model", model_folder, "--out", out]
    code, text, err = main(*command, "--json")
    stretched = "values 100 to 4000 stretched to 8 bits"
    assert (code, json.loads(text)["notes"]) == (0, {"first of 2 frames": 3, stretched: 1}), err
    images = json.loads((out / "objects.json").read_text())["images"]
    assert [image["note"] for image in images] == [stretched, *["first of 2 frames"] * 3]
    code, _, err = main(*command)
    assert f"first of 2 frames (3), {stretched} (1)" in " ".join(err.split())


def test_a_profile_says_where_the_time_went(
    main: Main, photos: Path, model_folder: Path, tmp_path: Path
) -> None:
    command = ["discover", photos, "--model", model_folder, "--profile"]
    code, text, err = main(*command, "--out", tmp_path / "json", "--json")
    assert code == 0, err
    profile = json.loads(text)["profile"]
    stages = [row["stage"] for row in profile]
    expected = {"load the model", "decode", "encoder", "head", "guided filter", "pictures", "store"}
    assert expected <= set(stages)
    assert stages[-1] == "other"
    assert sum(row["share"] for row in profile) == pytest.approx(1)
    code, text, err = main(*command, "--out", tmp_path / "table")
    header, *rows = [line.split("\t") for line in text.splitlines()]
    assert header == ["stage", "processor, s", "wall, s", "share"]
    assert {row[0] for row in rows} == set(stages)


def test_a_bad_file_is_an_error_if_it_is_alone(
    main: Main, photos: Path, model_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    arguments = ["discover", tmp_path / "bad.png", "--model", model_folder]
    code, out, err = main(*arguments, "--out", tmp_path / "run")
    said = " ".join(err.split())
    assert (code, out) == (1, "")
    assert "0 images with 0 objects, 0 without, 1 failed" in said
    assert "None of these images could be used" in said
    assert "Open" not in said
    (tmp_path / "notes.md").touch()
    shutil.copy(photos / "00.png", tmp_path / "good.png")
    code, _, err = main("discover", tmp_path, *arguments[2:], "--out", tmp_path / "run")
    assert code == 0
    said = " ".join(err.split())
    assert "1 not images by their names (.md)" in said
    assert "1 folders that heap has written" in said


def test_errors_in_a_process_of_its_own(run_heap: Run, model_folder: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    command = ["discover", missing, "--model", model_folder, "--out", tmp_path / "run"]
    plain = run_heap(*command)
    assert (plain.returncode, plain.stdout) == (2, "")
    assert str(missing) in one_line(plain.stderr)
    debug = run_heap(*command, "--debug")
    assert debug.returncode == 2
    assert "Traceback" in debug.stderr
    assert debug.stderr.splitlines()[-1] + "\n" == plain.stderr
    assert not (tmp_path / "run").exists()


def test_input_that_cannot_be_used(
    main: Main, photos: Path, model_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    here = ["--model", model_folder, "--out", tmp_path / "run"]
    for arguments, part in [
        ([tmp_path / "empty", *here], "no image in"),
        ([photos, "--model", tmp_path / "nowhere"], "there is no model"),
        ([photos, "--model", tmp_path / "empty"], "is no model: it has no config.json"),
        ([photos, *here, "--encoder", "dino-vits9"], "did you mean"),
        ([photos, *here, "--device", "abacus"], "device 'abacus' cannot be used"),
        ([photos, "--model", model_folder, "--out", photos], "is not empty and holds no run"),
        ([photos, "--model", model_folder, "--out", tmp_path / "file"], "choose another --out"),
    ]:
        code, out, err = main("discover", *arguments)
        assert (code, out) == (2, ""), err
        assert part in one_line(err)
    for command in ("fit", "pretrain"):
        code, out, err = main(command, photos, "--out", tmp_path / "file")
        assert (code, out) == (2, ""), err
        assert "choose another --out" in one_line(err)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["discover", "x", "--colour", "red"], "--colour"),
        (["discover"], "IMAGES"),
        (["discover", "x", "--limit", "0"], "--limit"),
        (["discover", "x", "--precision", "int8"], "--precision"),
        (["discover", "x", "--threshold", "1.5"], "threshold = 1.5"),
        (["discover", "x", "--min-score", "2"], "min_score = 2.0"),
        (["discover", "x", "--proposals", "101"], "proposals = 101"),
        (["discover", "x", "--save", "videos"], "--save"),
        (["fit", "x"], "--out"),
        (["fit", "x", "--out", "y", "--groups", "1"], "groups = 1"),
        (["dream", "x"], "dream"),
    ],
)
def test_options_that_cannot_be_used(arguments: list[str], part: str, main: Main) -> None:
    code, out, err = main(*arguments)
    assert (code, out) == (2, "")
    assert part in one_line(err)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[1]", "must hold a JSON object"),
        ('{"heads": {}}', "'heads' cannot be used"),
        ('{"head": 5}', "'head' cannot be used"),
        ('{"head": {"groups": "many"}}', "groups = 'many'"),
        ('{"head": {"colour": 1}}', "colour = 1"),
        ('{"head": {"heads": 5}}', "width 192 is not a multiple of heads 5"),
        ('{"fit": {"learning_rate": NaN}}', "not plain JSON"),
        (None, "cannot be read"),
    ],
    ids=["torn", "deep", "list", "section", "number", "type", "key", "heads", "nan", "missing"],
)
def test_settings_that_cannot_be_used(
    text: str | None, part: str, main: Main, photos: Path, tmp_path: Path
) -> None:
    path = tmp_path / "settings.json"
    if text is not None:
        path.write_text(text)
    code, out, err = main("fit", photos, "--out", tmp_path / "out", "--settings", path)
    assert (code, out) == (2, "")
    assert part in one_line(err)
    assert not (tmp_path / "out").exists()


def test_settings_with_a_fault_are_refused_before_torch_is_there(
    run_heap: Run, tmp_path: Path
) -> None:
    (tmp_path / "settings.json").write_text('{"head": {"groups": 1e9}}')
    code = "import sys; sys.modules['torch'] = None; from heap.cli import main; main()"
    command = ["fit", "x", "--out", "y", "--settings", str(tmp_path / "settings.json")]
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "groups = 1000000000.0" in one_line(done.stderr)


def test_help_names_every_command(run_heap: Run) -> None:
    text = run_heap("--help").stdout
    assert all(name in text for name in ("discover", "fit", "pretrain", "pack", "models", "doctor"))
    text = run_heap("discover", "--help").stdout
    assert all(name in text for name in ("--out", "--model", "--strict", "--json", "Example"))


def test_models_lists_every_encoder(main: Main) -> None:
    from heap.encoder.registry import CARDS

    code, out, _ = main("models")
    assert code == 0
    assert all(alias in out for alias in CARDS)
    here = [line.split("\t")[-1] for line in out.splitlines()[1:]]
    assert len(here) == len(CARDS)
    assert set(here) <= {"yes", "no"}


def test_models_get_says_the_licence_first(main: Main) -> None:
    code, out, err = main("models", "get", "embedded")
    assert code == 0
    licence, came = out.splitlines()
    assert licence == "embedded: Apache-2.0, 22.1 M parameters"
    assert "is here already" in came
    assert "--encoder embedded" in err
    assert main("models", "get", "dinov2-vits")[0] == 2


def test_a_stronger_encoder_on_the_machine_is_told_in_one_line(
    main: Main, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dinov2-vits14").mkdir()
    (tmp_path / "dinov2-vits14" / "config.json").touch()
    monkeypatch.setenv("HEAP_WEIGHTS_DIR", str(tmp_path))
    for command in ("fit", "discover"):
        code, _, err = main(command, tmp_path / "none.jpg", "--out", tmp_path / command)
        assert code == 2
        (line,) = [line for line in err.splitlines() if "knows more than embedded" in line]
        assert line.startswith("dinov2-vits14, 22.1 M parameters, is on this machine")


def test_doctor_says_what_is_wrong_by_its_exit_code(run_heap: Run) -> None:
    done = run_heap("doctor")
    assert done.returncode == (1 if "!!" in done.stdout else 0)
    assert "torch" in done.stdout
    assert "not asked" in done.stdout
    assert done.stderr == ""


def test_fit_then_discover(
    run_heap: Run, main: Main, photos: Path, fit_options: list[object], tmp_path: Path
) -> None:
    model = tmp_path / "model"
    done = run_heap("fit", photos, "--out", model, *fit_options, "--steps", 20, "--seed", 3)
    assert done.returncode == 0, done.stderr
    assert "heap discover IMAGES --model" in " ".join(done.stderr.split())
    assert done.stdout == ""
    config = json.loads((model / "config.json").read_text())
    assert config["head"]["groups"] == 4
    assert config["features"]["resolution"] == 64
    assert config["provenance"]["fit"]["seed"] == 3
    code, out, err = main(
        "discover", photos, "--model", model, "--out", tmp_path / "run", "--limit", 2, "--json"
    )
    assert code == 0, err
    assert json.loads(out)["done"] + json.loads(out)["empty"] == 2
    code, _, err = main("fit", photos, "--out", model, *fit_options, "--steps", 21)
    assert code == 2
    assert "fit.steps (20 -> 21)" in one_line(err.splitlines()[-1] + "\n")


def test_a_score_that_is_enough_and_guesses_are_asked_for_or_said_by_the_model(
    main: Main, photos: Path, model_folder: Path, tmp_path: Path
) -> None:
    def scores(*options: object, model: Path = model_folder) -> list[tuple[int, float]]:
        """Image and score of each object."""
        out = tmp_path / "-".join(map(str, ("run", model.name, *options)))
        command = ["discover", photos, "--model", model, "--out", out, "--save", "masks"]
        code, _, err = main(*command, *options)
        assert code == 0, err
        found = json.loads((out / "objects.json").read_text())["annotations"]
        return [(each["image_id"], each["score"]) for each in found]

    everything = scores("--min-score", 0)
    best = dict(sorted(everything, key=lambda pair: pair[1]))
    assert len(everything) >= len(best) >= 10
    middle = sorted(best.values())[5] + 1e-4
    # What counts is the best object of an image: the others stay or go with it.
    sure = [(image, score) for image, score in everything if best[image] >= middle]
    assert 0 < len(sure) < len(everything)
    assert scores("--min-score", middle) == sure
    strict = shutil.copytree(model_folder, tmp_path / "strict")
    config = json.loads((strict / "config.json").read_text())
    config["head"]["min_score"] = middle
    (strict / "config.json").write_text(json.dumps(config))
    assert scores(model=strict) == sure
    assert scores("--min-score", 0, model=strict) == everything
    guessed = scores("--min-score", middle, "--proposals", 4)
    assert set(sure) <= set(guessed)
    assert 0 < len(guessed) - len(sure) <= 4 * 12


def test_a_fit_takes_the_head_of_the_recipe_whatever_its_prior(
    main: Main, photos: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    command = ["fit", photos, "--encoder", encoder_folder, "--resolution", 64, "--steps", 2]
    usual = recipe(str(encoder_folder)).head
    for prior in ("none", "seed"):
        out = tmp_path / prior
        code, _, err = main(*command, "--prior", prior, "--out", out)
        assert code == 0 or "the fitted head" in err
        checkpoint = torch.load(out / "checkpoint.pt", weights_only=True)
        settings = json.loads(checkpoint["settings"])
        assert settings["head"] == asdict(usual)


def test_options_go_before_the_settings_file(
    main: Main, photos: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"fit": {"steps": 3, "seed": 5}, "losses": {"prior": "seed"}}')
    fit = ["fit", photos, "--encoder", encoder_folder, "--resolution", 64, "--out", tmp_path / "m"]
    main(*fit, "--steps", 2, "--prior", "none", "--settings", path)
    checkpoint = torch.load(tmp_path / "m" / "checkpoint.pt", weights_only=True)
    settings = json.loads(checkpoint["settings"])
    assert (settings["fit"]["steps"], settings["fit"]["seed"]) == (2, 5)
    assert settings["losses"]["prior"] == "none"


def test_a_fit_of_no_use_exits_with_one(
    main: Main, fit_options: list[object], tmp_path: Path
) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    pixel = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
        "rkJggg=="
    )
    for name in ("a.png", "b.png"):
        (flat / name).write_bytes(pixel)
    code, _, err = main("fit", flat, "--out", tmp_path / "out", *fit_options, "--steps", 2)
    assert code == 1
    assert "nothing to learn from" in one_line(err.splitlines()[-1] + "\n")


@pytest.mark.fault("F29")
def test_f29_control_c_exits_with_130_and_the_same_command_goes_on(
    python: list[str], main: Main, photos: Path, fit_options: list[object], tmp_path: Path
) -> None:
    model = tmp_path / "model"
    command = ["fit", str(photos), "--out", str(model), *map(str, fit_options), "--steps", "150"]
    with subprocess.Popen(
        [*python, "-m", "heap", *command], stderr=subprocess.PIPE, text=True
    ) as process:
        while not (model / "checkpoint.pt").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    last = err.splitlines()[-1]
    assert last == "heap: interrupted; the same command goes on from here"
    assert "Traceback" not in err
    assert not (model / "model.safetensors").exists()
    code, _, err = main(*command)
    assert code == 0, err
    steps = [json.loads(line)["step"] for line in (model / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(5, 151, 5))


def test_discover_fits_a_head_for_an_encoder_that_has_none(
    main: Main, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import ViTConfig, ViTModel

    monkeypatch.setattr("heap.fitting.priors.FoundRecipe", partial(FoundRecipe, steps=1))
    few_steps = Recipe(fit=FitConfig(steps=10, batch=4))
    monkeypatch.setattr("heap.encoder.registry._BY_KIND", {"vit": few_steps})
    # With patches of 64 pixels the usual resolution is a grid of 7 by 7.
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=12, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12,
        patch_size=64, image_size=128, initializer_range=0.3,
    )  # fmt: skip
    ViTModel(config, add_pooling_layer=False).save_pretrained(tmp_path / "coarse")
    add_preprocessor(tmp_path / "coarse")
    few = tmp_path / "few"
    few.mkdir()
    for number in range(4):
        shutil.copy(photos / f"{number:02d}.png", few)
    code, out, err = main(
        "discover", few, "--encoder", tmp_path / "coarse", "--out", tmp_path / "run", "--json"
    )
    assert "No head was ever fitted" in err
    if code == 1:
        # Random features need not be of use; then it says so and makes no run.
        assert "the fitted head" in err
        assert not (tmp_path / "run").exists()
        return
    assert code == 0, err
    assert (tmp_path / "run-model" / "model.safetensors").exists()
    assert json.loads(out)["done"] + json.loads(out)["empty"] == 4


@pytest.mark.fault("F30")
def test_f30_a_full_disk_is_one_line_and_goes_on_with_space(
    python: list[str], main: Main, photos: Path, fit_options: list[object], tmp_path: Path
) -> None:
    """No file may grow beyond a limit, as on a disk that is full."""
    model = tmp_path / "model"
    code = (
        "import resource, sys;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10240, 10240));"
        "from heap.cli import main; main()"
    )
    command = ["fit", str(photos), "--out", str(model), *map(str, fit_options), "--steps", "10"]
    done = subprocess.run(
        [*python, "-c", code, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("heap: ")
    assert "File too large" in last
    assert main(*command)[0] == 0


@pytest.mark.parametrize(
    "architecture",
    [
        {"model_type": "vit", "hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 3,
         "intermediate_size": 48, "patch_size": 8, "image_size": 32},
        {"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8, 16, 16, 16],
         "depths": [1, 1, 1, 1], "layer_type": "basic"},
    ],
    ids=["vit", "resnet"],
)  # fmt: skip
def test_pretrain_makes_an_encoder_that_fit_takes(
    architecture: dict[str, object], main: Main, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "kind").mkdir()
    (tmp_path / "kind" / "config.json").write_text(json.dumps(architecture))
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"crop": 32, "local_crop": 32, "prototypes": 8, "image_weight": 1}))
    out = tmp_path / "encoder"
    command = ["pretrain", photos, "--out", out, "--steps", 3, "--batch", 4, "--settings", path,
               "--architecture", tmp_path / "kind"]  # fmt: skip
    code, _, err = main(*command)
    assert code == 0, err
    assert "heap fit IMAGES --encoder" in " ".join(err.split())
    assert "pretraining: image " in err
    path.write_text(json.dumps({"head": HEAD, "fit": {"batch": 6}}))
    fit = ["fit", photos, "--encoder", out, "--out", tmp_path / "model", "--settings", path]
    code, _, err = main(*fit, "--resolution", 64, "--steps", 2)
    # What so little training gives need not be of use, but it has to be taken.
    assert code == 0 or "the fitted head" in err
    path.write_text('{"widht": 16}')
    code, _, err = main(*command)
    assert code == 2
    assert "widht = 16" in one_line(err)
    path.write_text('{"crop": 16}')
    code, _, err = main(*command)
    assert code == 2
    assert "out of range: crop = 16" in one_line(err)


def test_pack_names_the_packs_that_pretrain_takes(main: Main, photos: Path, tmp_path: Path) -> None:
    stem = tmp_path / "packs" / "photos"
    code, out, err = main("pack", photos, "--out", stem, "--side", 48, "--megabytes", 0.03)
    assert code == 0, err
    paths = [Path(line) for line in out.splitlines()]
    assert sorted(stem.parent.iterdir()) == paths
    assert [path.name for path in paths] == ["photos-001.safetensors", "photos-002.safetensors"]
    assert all(path.stat().st_size <= 30_000 for path in paths)
    encoder = tmp_path / "encoder"
    path = tmp_path / "settings.json"
    path.write_text('{"crop": 32, "local_crop": 32, "local_crops": 1, "prototypes": 8}')
    code, _, err = main("pretrain", *paths, "--out", encoder, "--steps", 1, "--batch", 2,
                        "--start", "embedded-small", "--settings", path)  # fmt: skip
    assert code == 0, err
    assert (encoder / "model.safetensors").exists()
    for arguments, part in [
        (["pretrain", *paths, photos], "either packs or images"),
        (["pretrain", *paths, "--start", "dino-vits8"], "is not on this machine"),
        (["pack", photos, "--side", 49], "the side 49 is odd"),
        (["pack", photos, "--megabytes", 0.005], "hold no image"),
        (["pack", photos, "--megabytes", 0], "--megabytes"),
    ]:
        code, _, err = main(*arguments, "--out", tmp_path / "other")
        assert code == 2
        assert part in one_line(err.splitlines()[-1] + "\n")
    mixed = Path(shutil.copytree(photos, tmp_path / "mixed"))
    (mixed / "05.png").write_bytes(b"no image")
    (mixed / ".hidden.png").touch()
    code, _, err = main("pack", mixed, "--out", tmp_path / "fewer", "--side", 48)
    assert code == 0
    assert "Passed over: 1 hidden\n" in err
    assert f"1 images could not be used: {tmp_path / 'fewer-failed.jsonl'}\n" in err
