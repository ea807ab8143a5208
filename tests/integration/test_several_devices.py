"""`accelerate launch -m heap fit` and `pretrain` on two devices."""

import json
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from devices import on_two

import heap
from heap.config import FeatureConfig, FitConfig, HeadConfig, LossConfig
from heap.model.heap import Heap

Run = Callable[..., subprocess.CompletedProcess[str]]

SETTINGS: dict[str, dict[str, Any]] = {
    "head": {"groups": 4, "blocks": 1, "heads": 2, "width": 16},
    "losses": {"prior": "boundary"},
    "fit": {"steps": 12, "batch": 5, "learning_rate": 2e-2, "empty": 0.0},
}

FIT = """
import json, os, sys
from pathlib import Path

from accelerate import PartialState
from heap.features.store import FeatureStore
from integration.test_several_devices import fit_quickly

PartialState()  # as in a program that trains something of its own
task, computed = json.loads(sys.argv[1]), []
put = FeatureStore.put

def count_and_put(self, digest, features):
    computed.append(digest)
    put(self, digest, features)

FeatureStore.put = count_and_put
model = fit_quickly(task["photos"], task["out"], task["encoder"], task["cache"])
about = {"computed": computed, "head": model.fingerprint}
Path(task["out"], os.environ["RANK"] + ".json").write_text(json.dumps(about))
"""


def fit_quickly(photos: str, out: str, encoder: str, cache: str) -> Heap:
    """Fit for a second, with settings by which random features are told apart."""
    return heap.fit(
        photos,
        out,
        features=FeatureConfig(encoder=encoder, facet="key", resolution=64),
        head=HeadConfig(**SETTINGS["head"]),
        losses=LossConfig(**SETTINGS["losses"]),
        config=FitConfig(**SETTINGS["fit"]),
        cache=cache,
    )


def test_two_devices_share_the_features_and_fit_what_one_fits(
    photos: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    alone = fit_quickly(*map(str, (photos, tmp_path / "alone", encoder_folder, tmp_path / "cache")))
    script, out = tmp_path / "fit.py", tmp_path / "two"
    script.write_text(FIT)
    task = {"photos": str(photos), "out": str(out), "encoder": str(encoder_folder),
            "cache": str(tmp_path / "other cache")}  # fmt: skip
    done = on_two(script, json.dumps(task))
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((out / f"{rank}.json").read_text()) for rank in (0, 1))
    # The first computes those of crops of background too, at the end.
    every = {sha256(path.read_bytes()).hexdigest() for path in photos.iterdir()}
    shares = [[digest for digest in about["computed"] if digest in every]
              for about in (first, second)]  # fmt: skip
    assert [len(share) for share in shares] == [6, 6]
    assert {*shares[0], *shares[1]} == every
    assert first["head"] == second["head"] == alone.fingerprint
    models = [(folder / "model.safetensors").read_bytes() for folder in (out, tmp_path / "alone")]
    assert models[0] == models[1]


def test_the_commands_speak_once(photos: Path, encoder_folder: Path, tmp_path: Path) -> None:
    model, encoder, settings = (tmp_path / name for name in ("model", "encoder", "settings.json"))
    settings.write_text(json.dumps(SETTINGS))
    (photos_and_text := tmp_path / "photos").mkdir()
    for path in photos.iterdir():
        (photos_and_text / path.name).symlink_to(path)
    (photos_and_text / "notes.txt").write_text("no photo")
    fitted = on_two(
        "-m", "heap", "fit", photos_and_text, "--encoder", encoder_folder, "--facet", "key",
        "--resolution", 64, "--settings", settings, "--cache", tmp_path / "cache", "--out", model,
    )  # fmt: skip
    assert fitted.returncode == 0, fitted.stderr
    assert fitted.stderr.count(f"Model in {model}.") == 1
    pretrained = on_two("-m", "heap", "pretrain", photos_and_text, "--side", 48, "--steps", 2,
                        "--batch", 2, "--out", encoder)  # fmt: skip
    assert pretrained.returncode == 0, pretrained.stderr
    assert pretrained.stderr.count(f"Encoder in {encoder}.") == 1
    assert (encoder / "model.safetensors").exists()


def test_a_fit_that_fails_ends_on_both(encoder_folder: Path, tmp_path: Path) -> None:
    done = on_two("-m", "heap", "fit", tmp_path / "nothing", "--encoder", encoder_folder,
                  "--out", tmp_path / "model")  # fmt: skip
    assert done.returncode != 0
    assert "nothing" in done.stderr
