"""Backbone and heads: what is seen, what is hidden, how the teacher follows."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from heap.base.errors import InputError
from heap.pretraining.architectures import new_model
from heap.pretraining.export import save_encoder
from heap.pretraining.student import Student, Widths

from .conftest import Architecture, Config


def student_of(folder: str, config: Config, **changes: Any) -> Student:
    torch.manual_seed(0)
    return Student(new_model(folder), config(architecture=folder, **changes))


def crops(side: int = 32) -> Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("kind", "patch", "dim"),
    [
        # Of a pyramid the maps of strides 8, 16 and 32, side by side.
        ("resnet", 8, 16 + 16 + 16),
        ("segformer", 8, 8 + 16 + 16),
        ("convnext", 8, 4 + 8 + 8),
        ("dinov3_convnext", 8, 4 + 8 + 8),
        ("vit", 8, 16),
        ("dinov2", 14, 16),
    ],
)
@torch.no_grad()
def test_what_is_seen(
    kind: str, patch: int, dim: int, architecture: Architecture, tiny: Config
) -> None:
    student = student_of(architecture(kind), tiny).eval()
    assert student.patch == patch
    small, large = student([crops(4 * patch), crops(6 * patch)])
    assert small.tokens.shape == (2, 16, dim)
    assert large.tokens.shape == (2, 36, dim)
    for found in (small, large):
        lengths = found.tokens.norm(dim=-1)
        torch.testing.assert_close(lengths, torch.full_like(lengths, dim**0.5))
        assert found.image is not None
        assert found.patch is not None
        assert found.dense is not None
        assert found.image.shape == (2, 8)
        assert found.patch.shape == (*found.tokens.shape[:2], 8)
        assert found.dense.shape == found.tokens.shape[:2]


@pytest.mark.parametrize("left_out", ["image", "patch", "dense"])
@torch.no_grad()
def test_a_weight_of_zero_leaves_its_head_out(left_out: str, tiny: Config) -> None:
    folder = tiny().architecture
    student = student_of(folder, tiny, **{f"{left_out}_weight": 0.0}).eval()
    (found,) = student([crops()])
    heads = {name.partition("_head")[0] for name in student.state_dict() if "_head" in name}
    assert heads == {"image", "patch", "dense"} - {left_out}
    given = {name for name in ("image", "patch", "dense") if getattr(found, name) is not None}
    assert given == heads


@pytest.mark.parametrize("kind", ["vit", "resnet"])
@torch.no_grad()
def test_hidden_patches_are_not_seen(kind: str, architecture: Architecture, tiny: Config) -> None:
    student = student_of(architecture(kind), tiny).eval()
    pixels = crops()
    changed = pixels.clone()
    changed[:, :, 8:16, 24:] = torch.rand(2, 3, 8, 8)
    mask = torch.zeros(2, 16, dtype=torch.bool)
    mask[:, 7] = True
    hidden, other = (student([each], [mask])[0] for each in (pixels, changed))
    open_, other_open = (student([each])[0] for each in (pixels, changed))
    for name in ("image", "patch", "dense", "tokens"):
        torch.testing.assert_close(getattr(hidden, name), getattr(other, name))
        assert not torch.allclose(getattr(open_, name), getattr(other_open, name))
    # Hidden is the mean colour, and only in the batch that there is a mask for.
    painted = pixels.clone()
    painted[:, :, 8:16, 24:] = 0.5
    masked, plain = student([pixels, painted], [mask])
    torch.testing.assert_close(masked.tokens, plain.tokens)


def test_the_teacher_follows_weights_and_statistics_by_the_momentum(tiny: Config) -> None:
    student = student_of(tiny().architecture, tiny)
    teacher = student.make_teacher()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    with torch.no_grad():
        for value in (*student.parameters(), *student.buffers()):
            value.add_(1)
    teacher.follow(student, 0.9)
    assert any("running_var" in name for name in before)
    for name, value in teacher.state_dict().items():
        moved = 0.1 if value.is_floating_point() else 0
        torch.testing.assert_close(value, before[name] + moved)
    assert not any(weight.requires_grad for weight in teacher.parameters())
    assert not teacher.training


@pytest.mark.parametrize(
    ("kind", "frozen"),
    [("resnet", []), ("vit", []), ("segformer", []), ("dinov2", ["embeddings.mask_token"]),
     ("convnext", ["layernorm.bias", "layernorm.weight"])],
)  # fmt: skip
def test_weights_that_no_loss_reaches_are_frozen(
    kind: str, frozen: list[str], architecture: Architecture, tiny: Config
) -> None:
    student = student_of(architecture(kind), tiny)
    weights = student.backbone.named_parameters()
    assert sorted(name for name, weight in weights if not weight.requires_grad) == frozen
    assert student.backbone.training


def test_models_without_a_feature_for_each_patch_are_refused(
    architecture: Architecture, tiny: Config
) -> None:
    text = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 9,
            "intermediate_size": 8}  # fmt: skip
    swin = {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 1], "image_size": 32}
    for kind, values in (("bert", text), ("swin", swin)):
        with pytest.raises(InputError, match=f"a {kind} cannot be pretrained"):
            student_of(architecture(kind, **values), tiny)


def test_features_of_another_width_cannot_be_the_teachers(taught: Config) -> None:
    config = taught(same_weight=1.0)
    with pytest.raises(InputError, match="features of 48 numbers cannot be the teacher's, which"):
        Student(new_model(config.architecture), config, Widths(5, 7))


@torch.no_grad()
def test_a_student_of_saved_weights_is_an_encoder(whole: Path, tiny: Config) -> None:
    """What the heads stand on is what the saved encoder gives, up to half precision."""
    from heap.encoder.load import load_encoder

    student = student_of(tiny().architecture, tiny).eval()
    state = torch.load(whole / "checkpoint.pt", weights_only=True)
    student.load_state_dict(state["teacher"])
    encoder = load_encoder(str(whole), precision="fp32")
    for side in (32, 64):
        (found,) = student([crops(side)])
        features = encoder(crops(side), facet="token")
        ours = found.tokens / found.tokens.shape[-1] ** 0.5
        torch.testing.assert_close(ours, features.patches, atol=2e-3, rtol=0)


@pytest.mark.parametrize("kind", ["resnet", "segformer", "convnext", "dinov3_convnext", "vit",
                                  "dinov2"])  # fmt: skip
@torch.no_grad()
def test_a_teacher_of_the_whole_trains_what_the_encoder_gives_for_it(
    kind: str, architecture: Architecture, taught: Config, tmp_path: Path
) -> None:
    """Up to half precision, it is the embedding by which images and objects are compared."""
    from heap.encoder.load import load_encoder

    config = taught(architecture=architecture(kind))
    student = Student(new_model(config.architecture), config, Widths(5, 7)).eval()
    about = {"settings": {}, "images": 2, "steps": 1, "seconds": 1.0, "precision": "no"}
    save_encoder(student, tmp_path, about, None)
    (found,) = student([crops(8 * student.patch)])
    assert found.embedding is not None
    assert found.distill_embedding is not None
    assert found.distill_embedding.shape == (2, 7)
    embedded = load_encoder(str(tmp_path), precision="fp32").embed(crops(8 * student.patch))
    torch.testing.assert_close(found.embedding, embedded, atol=5e-3, rtol=5e-3)
    frozen = [name for name, weight in student.backbone.named_parameters()
              if not weight.requires_grad]  # fmt: skip
    assert [name for name in frozen if "mask_token" not in name] == []
