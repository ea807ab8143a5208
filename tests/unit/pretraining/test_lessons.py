"""What a teacher says of photos: computed once, kept, standardised, and learned from."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from heap.base.errors import ConfigError, StoreError
from heap.base.progress import silent
from heap.encoder.load import load_encoder
from heap.encoder.registry import TAUGHT_PYRAMID, TAUGHT_TRANSFORMER, recipe
from heap.pretraining.architectures import load_model
from heap.pretraining.augment import Crops
from heap.pretraining.command import pretrain
from heap.pretraining.lessons import open_lessons, origin_of, write_lessons
from heap.pretraining.loop import run
from heap.pretraining.losses import cosine_loss
from heap.pretraining.photos import Photos
from heap.pretraining.student import Student

from .conftest import Architecture, Config

CPU = torch.device("cpu")
RESOLUTION = 56


def ignore(progress: float, losses: dict[str, float]) -> None:
    pass


@pytest.mark.parametrize("kind", [0, 1], ids=["dinov2", "resnet"])
def test_what_is_kept_is_what_the_encoder_says(
    kind: int, teachers: list[str], squares: Photos, tmp_path: Path
) -> None:
    encoder = load_encoder(teachers[kind], precision="fp32")
    write_lessons(encoder, squares, tmp_path, RESOLUTION, silent)
    lessons = open_lessons(tmp_path, "a teacher", 0.1, CPU)
    chosen = torch.tensor([7, 2])
    maps, whole = lessons.pick(chosen)
    pixels, _ = squares.pick(chosen, CPU)
    seen = torch.nn.functional.interpolate(
        pixels, size=(RESOLUTION, RESOLUTION), mode="bilinear", antialias=True
    ).clamp(0, 1)
    grid = RESOLUTION // encoder.patch
    assert maps.shape == (2, encoder.dim, grid, grid)
    if kind == 0:
        output = encoder.model((seen - encoder.mean) / encoder.std).last_hidden_state
        patches = output[:, 1:]
    else:
        patches = encoder(seen, facet="token").patches
    direct = patches.transpose(1, 2).unflatten(2, (grid, grid))
    assert torch.equal(maps, direct.half().float())
    assert torch.equal(whole, encoder.embed(seen).half().float())


def test_a_mirrored_crop_learns_the_mirrored_map() -> None:
    maps = torch.arange(2 * 3 * 16.0).view(2, 3, 4, 4)
    mirrored = torch.tensor([[-1.0, 0, 0], [0, 1, 0]]).expand(2, -1, -1)
    crops = Crops(torch.zeros(2, 3, 8, 8), mirrored)
    torch.testing.assert_close(crops.sample_channels(maps, 4), maps.flip(3))


def test_a_crop_learns_its_part_of_the_map() -> None:
    """The right half of the lower half: the crop reaches from the centre to the corner."""
    maps = torch.arange(16.0).view(1, 1, 4, 4)
    corner = torch.tensor([[[0.5, 0, 0.5], [0, 0.5, 0.5]]])
    crops = Crops(torch.zeros(1, 3, 8, 8), corner)
    assert crops.sample_channels(maps, 2)[0, 0].tolist() == [[10, 11], [14, 15]]


def test_a_teacher_that_was_stopped_goes_on(
    teachers: list[str], squares: Photos, tmp_path: Path
) -> None:
    """After the first of two batches, and with a torn row at the end of the file."""
    encoder = load_encoder(teachers[0], precision="fp32")
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    for folder in (whole, torn):
        folder.mkdir()
    write_lessons(encoder, squares, whole, RESOLUTION, silent)
    seen: list[int] = []

    def stop(stage: str, done: int, total: int | None) -> None:
        assert (stage, total) == ("teacher", 12)
        seen.append(done)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_lessons(encoder, squares, torn, RESOLUTION, stop)
    with (torn / "lessons.f16").open("ab") as file:
        file.write(b"torn")
    write_lessons(encoder, squares, torn, RESOLUTION, stop)
    write_lessons(encoder, squares, torn, RESOLUTION, stop)
    assert seen == [0, 8, 8, 12, 12]
    assert (torn / "lessons.f16").read_bytes() == (whole / "lessons.f16").read_bytes()


def test_what_is_kept_of_something_else_is_refused(
    teachers: list[str], squares: Photos, tmp_path: Path
) -> None:
    encoder = load_encoder(teachers[0], precision="fp32")
    write_lessons(encoder, squares, tmp_path, RESOLUTION, silent)
    with pytest.raises(ConfigError, match=r"lessons\.f16 .* another resolution, grid; choose"):
        write_lessons(encoder, squares, tmp_path, 2 * RESOLUTION, silent)
    with pytest.raises(ConfigError, match=r"another teacher, grid, patch_width"):
        write_lessons(load_encoder(teachers[1]), squares, tmp_path, RESOLUTION, silent)
    fewer = Photos(squares.luma[1:], squares.chroma[1:], squares.priors[1:])
    with pytest.raises(ConfigError, match=r"another photos, images"):
        write_lessons(encoder, fewer, tmp_path, RESOLUTION, silent)
    with pytest.raises(
        ConfigError, match=r"patches of 14 pixels .* squares of 60: choose 56 or 70"
    ):
        write_lessons(encoder, squares, tmp_path, 60, silent)
    (tmp_path / "lessons.json").write_text("{")
    with pytest.raises(StoreError, match=r"lessons\.json cannot be read .*; delete it and"):
        write_lessons(encoder, squares, tmp_path, RESOLUTION, silent)


def test_training_by_a_teacher_goes_on_and_ends_the_same(
    teachers: list[str], taught: Config, squares: Photos, tmp_path: Path
) -> None:
    plain, out = tmp_path / "plain", tmp_path / "out"
    plain.mkdir()
    out.mkdir()
    run(squares, plain, taught(), ignore, teacher=teachers[0])
    steps = []

    def stop(progress: float, losses: dict[str, float]) -> None:
        steps.append(progress)
        if len(steps) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(squares, out, taught(), stop, teacher=teachers[0])
    run(squares, out, taught(), ignore, teacher=teachers[0])
    for name in ("model.safetensors", "heads.safetensors", "log.jsonl"):
        assert (out / name).read_bytes() == (plain / name).read_bytes()
    card = (out / "README.md").read_text()
    assert "- **Teacher.** dinov2 (fingerprint " in card
    assert "its licence is not stated beside it" in card
    assert "is derived from it" in card
    # There is no layer for foreground, so the recipe cannot ask for one.
    heads = load_file(out / "heads.safetensors")
    assert {name.partition(".")[0] for name in heads} == {"distill_head", "class_head"}
    assert recipe(str(out)) == TAUGHT_PYRAMID


@pytest.mark.parametrize("kind", ["resnet", "vit"])
def test_a_student_learns(
    kind: str, teachers: list[str], architecture: Architecture, taught: Config, squares: Photos,
    tmp_path: Path,
) -> None:  # fmt: skip
    config = taught(architecture=architecture(kind), steps=60, checkpoint_every=1, batch=8,
                    global_crops=1, learning_rate=1e-2)  # fmt: skip
    run(squares, tmp_path, config, ignore, teacher=teachers[0])
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    for name in ("distill", "class", "alike"):
        early, late = (sum(line[name] for line in part) for part in (log[:10], log[-10:]))
        assert late < 0.95 * early, name


def test_weights_and_teachers_belong_together(
    teachers: list[str], taught: Config, tiny: Config, squares: Photos, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="same_weight need an encoder to learn from"):
        run(squares, tmp_path, taught(), ignore)
    plain = tiny(teacher_resolution=RESOLUTION)
    with pytest.raises(ConfigError, match="and it needs one of them"):
        run(squares, tmp_path, plain, ignore, teacher=teachers[0])


def test_the_encoder_that_is_saved_ends_where_the_student_does(
    teachers: list[str], taught: Config, squares: Photos, tmp_path: Path
) -> None:
    """Its average follows by the same tenth to the end, and does not stop before training does."""
    config = taught(steps=12, teacher_momentum=0.9, checkpoint_every=1)
    kept = []

    def keep(progress: float, losses: dict[str, float]) -> None:
        kept.append(torch.load(tmp_path / "checkpoint.pt", weights_only=True))

    run(squares, tmp_path, config, keep, teacher=teachers[0])
    name = "distill_head.weight"
    before, after = kept[-2]["teacher"][name], kept[-1]["teacher"][name]
    torch.testing.assert_close(after, 0.9 * before + 0.1 * kept[-1]["student"][name])


def test_the_licence_beside_a_teacher_is_on_the_card(teachers: list[str], tmp_path: Path) -> None:
    folder = shutil.copytree(teachers[0], tmp_path / "strong")
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# An encoder\n")
    assert origin_of(load_encoder(str(folder))).endswith("; its licence is cc-by-4.0)")
    (folder / "README.md").write_text("---\nlicense: [\n---\n")
    encoder = load_encoder(str(folder))
    assert "not stated" in origin_of(encoder)
    # Downloaded by its name on the hub, which is on a card as well as its alias.
    encoder.name = "facebook/dinov3-vits16-pretrain-lvd1689m"
    assert origin_of(encoder).endswith("; its licence is DINOv3 License)")


def test_a_student_that_is_all_of_its_teacher_has_nothing_to_learn(
    teachers: list[str], taught: Config, squares: Photos, tmp_path: Path
) -> None:
    """Its heads say of whole photos what the teacher says, standardised."""
    encoder = load_encoder(teachers[0], precision="fp32")
    write_lessons(encoder, squares, tmp_path, RESOLUTION, silent)
    lessons = open_lessons(tmp_path, "a teacher", 0.1, CPU)
    student = Student(load_model(Path(teachers[0]), 1), taught(), lessons.widths).eval()
    student.begin_as_teacher(
        lessons.patch_standard, lessons.embedding_standard, lessons.patch_length
    )
    chosen = torch.arange(len(squares))
    pixels, _ = squares.pick(chosen, CPU)
    side = (RESOLUTION, RESOLUTION)
    with torch.no_grad():
        seen = torch.nn.functional.interpolate(pixels, size=side, mode="bilinear", antialias=True)
        (said,) = student([seen.clamp(0, 1)])
    maps, whole = lessons.pick(chosen)
    assert said.distill is not None
    assert said.distill_embedding is not None
    patches = lessons.patch_standard(maps.flatten(2).transpose(1, 2))
    assert cosine_loss(said.distill, patches) < 0.01
    assert cosine_loss(said.distill_embedding, lessons.embedding_standard(whole)) < 0.01


def test_a_student_begins_as_blocks_of_its_teacher(
    teachers: list[str], taught: Config, photos: Path, tmp_path: Path
) -> None:
    """With a rate of next to nothing, they are what comes out, up to half precision."""
    still = taught(steps=1, learning_rate=1e-9, weight_decay=0.0)
    out = tmp_path / "out"
    pretrain(photos, out, config=still, side=56, teacher=teachers[0], teacher_blocks=1)
    ours, theirs = (load_encoder(place, precision="fp32") for place in (str(out), teachers[0]))
    pixels = torch.rand(2, 3, 56, 56, generator=torch.Generator().manual_seed(1))
    ours_said, theirs_said = (encoder(pixels, facet="output") for encoder in (ours, theirs))
    torch.testing.assert_close(ours_said.patches, theirs_said.patches, atol=5e-3, rtol=5e-3)
    assert recipe(str(out)) == TAUGHT_TRANSFORMER
