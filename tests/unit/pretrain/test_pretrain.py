import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from heap.config import FeatureConfig, PretrainConfig
from heap.encoder.vit import Encoder
from heap.errors import ConfigError, InputError, StoreError
from heap.features import describe
from heap.images import Picture
from heap.pretrain.command import pretrain
from heap.pretrain.student import Student

TINY = PretrainConfig(
    width=16, depth=1, heads=2, patch=8, crop=32, local_crop=16, local_crops=1, memory_side=40,
    steps=5, batch=4, prototypes=8, checkpoint_every=2,
)  # fmt: skip


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder that was pretrained without interruption."""
    folder = tmp_path_factory.mktemp("pretrained") / "encoder"
    pretrain(photos, folder, TINY)
    return folder


def test_the_folder_is_an_encoder(whole: Path, pictures: list[Picture]) -> None:
    encoder = Encoder.load(str(whole), precision="fp32")
    assert (encoder.dim, encoder.layers, encoder.patch, encoder.heads) == (16, 1, 8, 2)
    assert encoder.mean.flatten().tolist() == encoder.std.flatten().tolist() == [0.5] * 3
    for features in describe(encoder, pictures, FeatureConfig(encoder=str(whole), resolution=64)):
        assert features.patches.isfinite().all()
    saved = load_file(whole / "model.safetensors")
    assert {tensor.dtype for tensor in saved.values()} == {torch.float16}


def test_the_same_seed_gives_the_same_encoder(whole: Path, photos: Path, tmp_path: Path) -> None:
    pretrain(photos, tmp_path / "again", TINY)
    assert weights(tmp_path / "again") == weights(whole)
    pretrain(photos, tmp_path / "other", replace(TINY, seed=1))
    assert weights(tmp_path / "other") != weights(whole)


@pytest.mark.parametrize("stop", [1, 3])
def test_pretraining_that_was_stopped_goes_on_and_ends_the_same(
    stop: int, whole: Path, photos: Path, tmp_path: Path
) -> None:
    seen = []

    def progress(stage: str, done: int, total: int | None) -> None:
        if stage.startswith("pretraining"):
            seen.append(done)
            if len(seen) == stop:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(photos, tmp_path / "out", TINY, progress)
    pretrain(photos, tmp_path / "out", TINY, progress)
    resumed_from = 2 * (stop // 2)
    assert seen == [*range(1, stop + 1), *range(resumed_from + 1, 6)]
    assert weights(tmp_path / "out") == weights(whole)
    assert (tmp_path / "out" / "log.jsonl").read_bytes() == (whole / "log.jsonl").read_bytes()


def test_the_log_has_losses_and_signs_of_collapse(whole: Path) -> None:
    lines = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 5]
    names = {"step", "image", "patch", "prior", "prototype_entropy", "token_spread"}
    assert all(set(line) == names for line in lines)


def test_every_step_draws_anew(photos: Path, tmp_path: Path) -> None:
    """The student hardly moves, so that what differs between steps is what they have drawn."""
    still = replace(TINY, learning_rate=1e-9, weight_decay=0.0, checkpoint_every=1)
    pretrain(photos, tmp_path / "out", still)
    lines = (tmp_path / "out" / "log.jsonl").read_text().splitlines()
    assert len({json.loads(line)["prior"] for line in lines}) == 5


def test_it_learns(photos: Path, tmp_path: Path) -> None:
    """The prediction of the prior gets better, and the prototypes stay in use."""
    config = replace(TINY, steps=40, checkpoint_every=1, batch=6, learning_rate=3e-3)
    pretrain(photos, tmp_path / "out", config)
    lines = [json.loads(line) for line in (tmp_path / "out/log.jsonl").read_text().splitlines()]
    early, late = ([line["prior"] for line in part] for part in (lines[:10], lines[-10:]))
    assert sum(late) < 0.9 * sum(early)
    assert lines[-1]["prototype_entropy"] > 0.5


def test_the_smallest_batch_with_nothing_masked_is_no_fault(photos: Path, tmp_path: Path) -> None:
    """With two images it happens within a few steps that no patch of a view is masked."""
    pretrain(photos, tmp_path / "out", replace(TINY, steps=12, batch=2))
    lines = [json.loads(line) for line in (tmp_path / "out/log.jsonl").read_text().splitlines()]
    assert all(line["patch"] == line["patch"] for line in lines), "no NaN"


def test_other_settings_are_refused_by_key(whole: Path, photos: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "copy")
    with pytest.raises(ConfigError, match=r"batch \(4 -> 6\)"):
        pretrain(photos, folder, replace(TINY, batch=6))
    assert weights(folder) == weights(whole)


def test_a_checkpoint_of_something_else_is_refused(photos: Path, tmp_path: Path) -> None:
    torch.save({"step": 3, "head": {}}, tmp_path / "checkpoint.pt")
    with pytest.raises(StoreError, match="checkpoint"):
        pretrain(photos, tmp_path, TINY)


def test_too_few_images(photos: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    shutil.copy(photos / "00.png", few)
    (few / "bad.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="at least two images; 1 of 2"):
        pretrain(few, tmp_path / "out", TINY)


def test_the_teacher_follows_the_student_by_the_momentum() -> None:
    torch.manual_seed(0)
    student = Student(TINY)
    teacher = student.teacher()
    before = [weight.clone() for weight in teacher.parameters()]
    with torch.no_grad():
        for weight in student.parameters():
            weight.add_(1.0)
    teacher.follow(student, 0.9)
    for weight, old in zip(teacher.parameters(), before, strict=True):
        torch.testing.assert_close(weight, old + 0.1)
        assert not weight.requires_grad


@torch.no_grad()
def test_masked_patches_are_not_seen() -> None:
    torch.manual_seed(0)
    student = Student(TINY).eval()
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(2, 3, 32, 32, generator=generator)
    changed = pixels.clone()
    changed[:, :, :8, :8] = torch.rand(2, 3, 8, 8, generator=generator)
    mask = torch.zeros(2, 16, dtype=torch.bool)
    mask[:, 0] = True
    seen, tokens = student(pixels, mask)
    other_seen, other_tokens = student(changed, mask)
    torch.testing.assert_close(seen, other_seen)
    torch.testing.assert_close(tokens, other_tokens)
    assert not torch.allclose(student(pixels)[0], student(changed)[0])
