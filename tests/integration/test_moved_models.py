"""Models whose encoder is in a folder: used from other folders, and moved with it or without."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import torch
from preprocessors import add_preprocessor
from servers import serving
from transformers import ViTConfig, ViTModel

Run = Callable[..., subprocess.CompletedProcess[str]]
OTHER = ViTConfig(
    hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48, patch_size=8,
    image_size=64,
)  # fmt: skip


@pytest.fixture(scope="module")
def project(
    run_heap: Run, photos: Path, encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder in which a model was fitted and a run made, everything named from there."""
    place = tmp_path_factory.mktemp("origin") / "project"
    shutil.copytree(encoder_folder, place / "encoders" / "tiny")
    shutil.copytree(photos, place / "photos")
    settings = {
        "head": {"groups": 4, "blocks": 1, "heads": 2, "width": 16},
        "fit": {"batch": 6, "learning_rate": 1e-2},
    }
    (place / "settings.json").write_text(json.dumps(settings))
    done = run_heap(*fit("encoders/tiny", "photos", "models/mine"), cwd=place)
    assert done.returncode == 0, done.stderr
    done = run_heap("discover", "photos", "--model", "models/mine", "--out", "run", cwd=place)
    assert done.returncode == 0, done.stderr
    return place


def fit(encoder: str, photos: str, out: str) -> list[object]:
    return ["fit", photos, "--encoder", encoder, "--out", out, "--resolution", 64,
            "--cues", "colour", "--cues", "boundary", "--prior", "boundary", "--steps", 60,
            "--settings", f"{photos}/../settings.json"]  # fmt: skip


@pytest.fixture
def moved(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project on another machine, where its encoder was never used."""
    monkeypatch.setenv("HEAP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(project, tmp_path / "elsewhere"))


def discovered(run_heap: Run, *options: object) -> str:
    """What is said where a photo cannot be worked on; empty if it can."""
    done = run_heap("discover", *options, "--out", "new")
    assert (done.returncode == 0) == (Path("new") / "objects.json").exists()
    assert "Traceback" not in done.stderr
    return "" if done.returncode == 0 else done.stderr.splitlines()[-1]


@pytest.mark.way(4, "The folder of an encoder was noted as `encoders/tiny`, like a name of the hub")
def test_the_folder_of_an_encoder_never_looks_like_a_name_of_the_hub(project: Path) -> None:
    config = json.loads((project / "models" / "mine" / "config.json").read_text())
    assert config["features"]["encoder"] == "./encoders/tiny"


@pytest.mark.way(4, "A model that was fitted with a relative path opened in one folder only")
def test_where_it_was_fitted_from_is_found_from_the_model(run_heap: Run, moved: Path) -> None:
    photo = moved / "photos" / "01.png"
    assert not discovered(run_heap, photo, "--model", "elsewhere/models/mine")


@pytest.mark.way(4, "An encoder that was renamed was not recognised")
def test_an_encoder_that_was_renamed_is_told_by_its_content(run_heap: Run, moved: Path) -> None:
    (moved / "encoders" / "tiny").rename(moved / "models" / "another name")
    photo = moved / "photos" / "01.png"
    assert not discovered(run_heap, photo, "--model", "elsewhere/models/mine")


@pytest.mark.way(4, "Another encoder of the same name in the working directory was taken")
def test_a_folder_of_the_same_name_that_is_another_encoder_is_passed_over(
    run_heap: Run, moved: Path, tmp_path: Path
) -> None:
    torch.manual_seed(8)
    ViTModel(OTHER, add_pooling_layer=False).save_pretrained(tmp_path / "encoders" / "tiny")
    add_preprocessor(tmp_path / "encoders" / "tiny")
    options = (moved / "photos" / "01.png", "--model", "elsewhere/models/mine")
    assert not discovered(run_heap, *options)
    shutil.rmtree(moved / "encoders")
    shutil.rmtree("new")
    assert "was fitted on another encoder than" in discovered(run_heap, *options)


@pytest.mark.way(4, "Where an encoder is gone, its folder was sought on the hub")
def test_an_encoder_that_is_nowhere_is_asked_for_and_then_known(
    run_heap: Run, moved: Path, tmp_path: Path
) -> None:
    (moved / "encoders" / "tiny").rename(tmp_path / "far")
    options = (moved / "photos" / "01.png", "--model", "elsewhere/models/mine")
    said = discovered(run_heap, *options)
    assert "./encoders/tiny, is neither where it was nor beside the model" in said
    assert "--encoder" in said
    assert not discovered(run_heap, *options, "--encoder", "far")
    shutil.rmtree("new")
    assert not discovered(run_heap, *options), "it was noted where it is"


@pytest.mark.way(4, "A fit could not go on from another folder")
def test_the_same_fit_may_be_called_from_another_folder(run_heap: Run, moved: Path) -> None:
    config = (moved / "models" / "mine" / "config.json").read_bytes()
    done = run_heap(*fit("elsewhere/encoders/tiny", "elsewhere/photos", "elsewhere/models/mine"))
    assert done.returncode == 0, done.stderr
    assert (moved / "models" / "mine" / "config.json").read_bytes() == config


@pytest.mark.way(4, "`heap search --image` could not be told where the encoder is now")
def test_a_run_is_searched_by_an_image_from_anywhere(
    run_heap: Run, project: Path, moved: Path, tmp_path: Path
) -> None:
    photo = moved / "photos" / "01.png"
    search = ["search", "elsewhere/run", "--image", photo, "--json"]
    done = run_heap(*search, "--model", "elsewhere/models/mine")
    assert done.returncode == 0, done.stderr
    best = json.loads(done.stdout)[0]
    assert best["key"] == "01.png"
    (moved / "encoders" / "tiny").rename(tmp_path / "far")
    shutil.rmtree("cache")
    done = run_heap(*search, "--model", "elsewhere/models/mine")
    assert done.returncode == 2
    assert "--encoder" in done.stderr
    done = run_heap(*search, "--model", "elsewhere/models/mine", "--encoder", "far")
    assert json.loads(done.stdout)[0] == best, done.stderr


@pytest.mark.way(4, "`heap serve` could not be told where the encoder is now")
def test_a_run_is_served_with_the_encoder_where_it_is_now(
    moved: Path, tmp_path: Path, python: list[str]
) -> None:
    (moved / "encoders" / "tiny").rename(tmp_path / "far")
    options = ("--model", "elsewhere/models/mine", "--encoder", "far", "--read-only")
    data = (moved / "photos" / "01.png").read_bytes()
    with serving(moved / "run", *options, python=python) as address:
        answer = httpx.post(f"{address}/api/nearest/image", content=data, timeout=60)
    assert answer.json()[0]["key"] == "01.png"


@pytest.mark.way(4, "A path that is not there was asked for on the hub")
def test_a_path_is_never_looked_for_on_the_hub(run_heap: Run, moved: Path) -> None:
    photo = moved / "photos" / "01.png"
    for name in ("./models/none", "/models/none", "models/mine/none"):
        said = discovered(run_heap, photo, "--model", name)
        assert "there is no model" in said
        assert "hub gave" not in said
