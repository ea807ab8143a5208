import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from preprocessors import add_preprocessor
from transformers import ResNetConfig, ResNetModel, ViTConfig, ViTModel

from heap.base.errors import ImageError, InputError
from heap.pretraining.quality import Quality, measure

DEMO = Path(__file__).parents[3] / "demo"
PHOTOS = ("dog", "duck", "parrot", "rocket", "statue")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A handful of the demo photos; the outlines drawn by hand become white on black."""
    folder = tmp_path_factory.mktemp("demo")
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for name in PHOTOS:
        (folder / "images" / f"{name}.jpg").symlink_to(DEMO / "photos" / f"{name}.jpg")
        with Image.open(DEMO / "masks" / f"{name}.png") as mask:
            white = (np.asarray(mask) > 0).astype(np.uint8) * 255
        Image.fromarray(white).save(folder / "masks" / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def brightness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder whose keys are one vector for bright patches, and its opposite for dark ones."""
    model = ViTModel(
        ViTConfig(
            hidden_size=24, num_hidden_layers=1, num_attention_heads=3, intermediate_size=24,
            patch_size=8, image_size=64,
        ),
        add_pooling_layer=False,
    )  # fmt: skip
    for weight in model.parameters():
        weight.data.zero_()
    state = model.state_dict()
    for name, weight in state.items():
        if name.endswith("layernorm_before.weight"):
            weight.fill_(1)
        if "patch_embeddings" in name and weight.ndim == 4:
            weight[0] = 1 / weight[0].numel()
        if "k_proj.weight" in name or "key.weight" in name:
            weight.copy_(torch.eye(24))
    folder = tmp_path_factory.mktemp("brightness")
    model.save_pretrained(folder)
    add_preprocessor(folder)
    return folder


def draw(folder: Path, squares: list[tuple[int, int, int]]) -> Path:
    """White squares, by row, column and side, on black pictures; 16 pixels to 8 patches."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number, (row, col, side) in enumerate(squares):
        pixels = np.zeros((16, 16), dtype=np.uint8)
        pixels[row : row + side, col : col + side] = 255
        for name in ("images", "masks"):
            Image.fromarray(pixels).convert("RGB").save(folder / name / f"{number}.png")
    return folder


def test_features_that_tell_the_square_apart_score_100(brightness: Path, tmp_path: Path) -> None:
    squares = [(2, 4, 10), (4, 2, 10), (4, 4, 10), (4, 4, 8), (2, 2, 8), (6, 4, 8)]
    found = measure(
        brightness, draw(tmp_path / "data", squares), tmp_path / "work", resolution=64, steps=150
    )
    # The masks that teach the head hold every patch that the solver's have a part in: they grow.
    assert 90 < found.heap_iou <= 100
    assert asdict(found) == dict.fromkeys(asdict(found), 100.0) | {"heap_iou": found.heap_iou}


def test_features_that_tell_nothing_apart_score_0(
    brightness: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = draw(tmp_path / "data", [(0, 0, 16), (0, 0, 16)])
    with caplog.at_level(logging.WARNING):
        found = measure(brightness, data, tmp_path / "work", resolution=64, steps=2)
    assert found == Quality(0.0, 0.0, 0.0, 0.0)
    assert "counts as finding nothing" in caplog.text


def test_a_miss_halves_the_means(brightness: Path, tmp_path: Path) -> None:
    data = draw(tmp_path / "data", [(4, 4, 6), (6, 6, 4)])
    wrong = np.zeros((16, 16), dtype=np.uint8)
    wrong[:2, :2] = 255
    Image.fromarray(wrong).save(data / "masks" / "1.png")
    found = measure(brightness, data, tmp_path / "work", resolution=64, steps=1)
    assert (found.tokencut_iou, found.tokencut_corloc) == (50, 50)
    assert found.heap_corloc == 50


@pytest.fixture(scope="module")
def found(encoder_folder: Path, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Quality:
    """Of a random encoder on the photos."""
    return measure(encoder_folder, demo, tmp_path_factory.mktemp("work"), resolution=96, steps=20)


class TestPhotos:
    def test_the_figures_are_percentages(self, found: Quality) -> None:
        assert all(0 <= value <= 100 for value in asdict(found).values())
        step = 100 / len(PHOTOS)
        assert found.tokencut_corloc % step == found.heap_corloc % step == 0
        assert found.tokencut_iou > 0

    def test_the_figures_are_the_same_again(
        self, found: Quality, encoder_folder: Path, demo: Path, tmp_path: Path
    ) -> None:
        torch.manual_seed(99)
        assert measure(encoder_folder, demo, tmp_path, resolution=96, steps=20) == found

    def test_nothing_is_left_behind(self, encoder_folder: Path, demo: Path, tmp_path: Path) -> None:
        work = tmp_path / "deep" / "work"
        measure(encoder_folder, demo, work, resolution=64, steps=1, limit=2)
        assert list(work.iterdir()) == []


def test_a_training_around_it_does_not_notice(
    encoder_folder: Path, demo: Path, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    measure(encoder_folder, demo, tmp_path, resolution=64, steps=2, limit=2)
    assert torch.equal(torch.rand(4), expected)


def test_a_damaged_image_is_named(brightness: Path, tmp_path: Path) -> None:
    data = draw(tmp_path / "data", [(4, 4, 6), (6, 6, 4), (4, 4, 4)])
    (data / "images" / "1.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"1\.png"):
        measure(brightness, data, tmp_path / "work", resolution=64)


def test_data_without_images_is_refused(brightness: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="images: is missing"):
        measure(brightness, tmp_path, tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_a_mask_of_another_size_is_named(brightness: Path, tmp_path: Path) -> None:
    data = draw(tmp_path / "data", [(4, 4, 6), (6, 6, 4)])
    Image.new("L", (8, 8)).save(data / "masks" / "1.png")
    with pytest.raises(InputError, match=r"1\.png: the mask is 8 x 8 pixels"):
        measure(brightness, data, tmp_path / "work", resolution=64)


def test_a_pyramid_without_keys_can_be_measured(demo: Path, tmp_path: Path) -> None:
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1])
    pyramid = tmp_path / "pyramid"
    ResNetModel(config).save_pretrained(pyramid)
    add_preprocessor(pyramid)
    found = measure(pyramid, demo, tmp_path / "work", resolution=64, steps=1, limit=2)
    assert all(0 <= value <= 100 for value in asdict(found).values())
