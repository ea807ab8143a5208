import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from heap.base.errors import ConfigError
from heap.config import FeatureConfig
from heap.encoder.base import Encoder
from heap.encoder.load import load_encoder
from heap.features.colour_prior import smoothed_prior
from heap.features.cues import compute_cues
from heap.features.describe import PatchFeatures, describe, feature_dim, geometry
from heap.features.store import FeatureStore
from heap.images import Picture

DIGEST = "ab" + "0" * 62


def assert_close(ours: PatchFeatures, theirs: PatchFeatures, tolerance: float) -> None:
    assert ours.grid == theirs.grid
    for name in ("patches", "cls_attention", "boundary"):
        torch.testing.assert_close(
            getattr(ours, name), getattr(theirs, name), rtol=tolerance, atol=tolerance
        )


@pytest.fixture
def described(
    encoder: Encoder, pictures: list[Picture], feature_config: FeatureConfig
) -> PatchFeatures:
    return describe(encoder, pictures[:1], feature_config, boundary=True)[0]


@pytest.fixture
def store(tmp_path: Path, encoder: Encoder, feature_config: FeatureConfig) -> FeatureStore:
    return FeatureStore(tmp_path, encoder, feature_config)


@pytest.mark.fault("F36")
@pytest.mark.parametrize("batch", [1, 3, 8])
def test_batches_of_mixed_shapes_equal_single_images(
    batch: int, encoder: Encoder, pictures: list[Picture], feature_config: FeatureConfig
) -> None:
    together = describe(encoder, pictures, feature_config, batch, boundary=True)
    assert len({each.grid for each in together}) == 3
    for picture, ours in zip(pictures, together, strict=True):
        (alone,) = describe(encoder, [picture], feature_config, boundary=True)
        assert_close(ours, alone, 1e-5)
        assert len(ours.patches) == ours.grid[0] * ours.grid[1]


def test_cues_are_joined_to_features_of_length_one(
    encoder: Encoder, pictures: list[Picture], feature_config: FeatureConfig
) -> None:
    config = replace(feature_config, cue_weight=0.5)
    (joined,) = describe(encoder, pictures[:1], config)
    (plain,) = describe(encoder, pictures[:1], replace(config, cues=()))
    assert joined.patches.shape[1] == feature_dim(encoder, config) == 24 + 6 + 1
    assert plain.patches.shape[1] == feature_dim(encoder, replace(config, cues=())) == 24
    lengths = plain.patches.norm(dim=1, keepdim=True)
    torch.testing.assert_close(joined.patches[:, :24], plain.patches / lengths)
    expected = 0.5 * compute_cues(("colour", "boundary"), pictures[0].pixels, joined.grid)
    np.testing.assert_allclose(joined.patches[:, 24:].numpy(), expected, rtol=1e-6)


def test_the_boundary_prior_is_there_if_it_is_asked_for(
    encoder: Encoder, pictures: list[Picture], feature_config: FeatureConfig, store: FeatureStore
) -> None:
    (without,) = describe(encoder, pictures[:1], feature_config)
    assert without.boundary is None
    with pytest.raises(ValueError, match="boundary prior"):
        store.put(DIGEST, without)
    (found,) = describe(encoder, pictures[:1], feature_config, boundary=True)
    assert found.boundary is not None
    expected = smoothed_prior(pictures[0].pixels, found.grid)
    np.testing.assert_array_equal(found.boundary.numpy(), expected.ravel())


def test_native_leaves_small_pictures_alone(
    pictures: list[Picture], encoder: Encoder, feature_config: FeatureConfig
) -> None:
    config = replace(feature_config, resolution=256, native=True)
    assert (pictures[0].width, pictures[0].height, encoder.patch) == (96, 64, 8)
    assert geometry(pictures[0], encoder, config).grid == (8, 12)
    with pytest.raises(ConfigError, match="square and native"):
        replace(config, square=True)


def test_square_squeezes(
    encoder: Encoder, pictures: list[Picture], feature_config: FeatureConfig
) -> None:
    assert geometry(pictures[0], encoder, feature_config).grid == (7, 10)
    assert geometry(pictures[0], encoder, replace(feature_config, square=True)).grid == (8, 8)


@pytest.mark.parametrize(("side", "batches"), [(360, [4, 4, 4]), (800, [1] * 12), (64, [12])])
def test_a_processor_gets_fewer_of_large_pictures_at_a_time(
    side: int,
    batches: list[int],
    encoder_folder: Path,
    pictures: list[Picture],
    feature_config: FeatureConfig,
) -> None:
    seen: list[int] = []
    watched = load_encoder(str(encoder_folder), precision="fp32")
    watched.register_forward_pre_hook(lambda _, arguments: seen.append(len(arguments[0])))
    config = replace(feature_config, square=True, resolution=side, cues=(), layer=0)
    found = describe(watched, pictures, config, batch=12)
    assert seen == batches
    assert [each.grid for each in found] == [(side // 8, side // 8)] * 12


@pytest.mark.fault("F41")
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("no more"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
        MemoryError(),
    ],
    ids=["gpu", "cpu", "numpy"],
)
def test_out_of_memory_halves_the_batch(
    error: Exception,
    encoder_folder: Path,
    encoder: Encoder,
    pictures: list[Picture],
    feature_config: FeatureConfig,
    caplog: pytest.LogCaptureFixture,
) -> None:
    scarce = load_encoder(str(encoder_folder), precision="fp32")

    def refuse_more_than_two(_: nn.Module, arguments: tuple[torch.Tensor, Any, Any]) -> None:
        if len(arguments[0]) > 2:
            raise error

    scarce.register_forward_pre_hook(refuse_more_than_two)
    config = replace(feature_config, square=True)
    with caplog.at_level(logging.WARNING):
        found = describe(scarce, pictures, config, batch=7)
    assert "out of memory with a batch of 7 images" in caplog.text
    for ours, theirs in zip(found, describe(encoder, pictures, config), strict=True):
        assert_close(ours, theirs, 1e-5)


def test_the_store_gives_back_what_was_put_in_half_precision(
    store: FeatureStore, described: PatchFeatures
) -> None:
    assert store.get(DIGEST) is None
    assert store.get_grid(DIGEST) is None
    assert DIGEST not in store
    store.put(DIGEST, described)
    assert DIGEST in store
    found = store.get(DIGEST)
    assert found is not None
    assert_close(found, described, 1e-3)
    assert torch.equal(found.patches, described.patches.half().float())
    assert store.get_grid(DIGEST) == described.grid
    store.put(DIGEST, found)
    again = store.get(DIGEST)
    assert again is not None
    assert_close(again, found, 0)


def test_a_feature_too_large_for_half_precision_stays_finite(
    store: FeatureStore, described: PatchFeatures
) -> None:
    store.put(DIGEST, replace(described, patches=described.patches.sign() * 1e5))
    found = store.get(DIGEST)
    assert found is not None
    assert torch.equal(found.patches, described.patches.sign() * 65_504)


def damaged_is_absent(store: FeatureStore, content: bytes) -> bool:
    path = store.folder / DIGEST[:2] / f"{DIGEST}.safetensors"
    path.write_bytes(content)
    return store.get(DIGEST) is None and DIGEST not in store


def test_a_truncated_file_counts_as_absent(store: FeatureStore, described: PatchFeatures) -> None:
    store.put(DIGEST, described)
    (path,) = store.folder.rglob("*.safetensors")
    whole = path.read_bytes()
    for length in [0, 1, 7, 8, 9, 100, 300, len(whole) // 2, len(whole) - 1]:
        assert damaged_is_absent(store, whole[:length]), length
    assert damaged_is_absent(store, whole + b"\0")


@pytest.mark.fault("F31")
def test_any_flipped_bit_counts_as_absent(
    store: FeatureStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    tiny = PatchFeatures(torch.ones(6, 1), torch.ones(1, 6), torch.ones(6), (2, 3))
    store.put(DIGEST, tiny)
    (path,) = store.folder.rglob("*.safetensors")
    whole = path.read_bytes()
    harmless = 0
    for place in range(len(whole)):
        for bit in range(8):
            torn = bytearray(whole)
            torn[place] ^= 1 << bit
            path.write_bytes(torn)
            found = store.get(DIGEST)
            if found is not None:
                # Padding, or a blank that became another one: nothing that we read has changed.
                assert_close(found, tiny, 0)
                harmless += 1
    assert harmless < len(whole)


def test_a_file_of_something_else_counts_as_absent(
    store: FeatureStore, described: PatchFeatures
) -> None:
    store.put(DIGEST, described)
    (path,) = store.folder.rglob("*.safetensors")
    tensors = load_file(path)
    save_file(tensors, path)
    assert store.get_grid(DIGEST) is None
    assert store.get(DIGEST) is None
    del tensors["boundary"]
    save_file(tensors, path, {"grid": "7 10", "crc32": "0"})
    assert store.get(DIGEST) is None


def test_where_features_are_kept_depends_on_all_that_they_depend_on(
    tmp_path: Path, encoder: Encoder, encoder_folder: Path, feature_config: FeatureConfig
) -> None:
    changed = load_file(encoder_folder / "model.safetensors")
    changed["layernorm.bias"] += 1
    other = shutil.copytree(encoder_folder, tmp_path / "other")
    save_file(changed, other / "model.safetensors")
    stores = [
        FeatureStore(tmp_path, encoder, feature_config),
        FeatureStore(tmp_path, encoder, replace(feature_config, layer=0)),
        FeatureStore(tmp_path, encoder, replace(feature_config, cue_weight=0.5)),
        FeatureStore(tmp_path, encoder, replace(feature_config, square=True)),
        FeatureStore(tmp_path, load_encoder(str(encoder_folder), precision="bf16"), feature_config),
        FeatureStore(tmp_path, load_encoder(str(other), precision="fp32"), feature_config),
    ]
    assert len({store.folder for store in stores}) == len(stores)
    assert FeatureStore(tmp_path, encoder, replace(feature_config)).folder == stores[0].folder


def test_an_image_can_be_written_twice_at_the_same_time(
    store: FeatureStore, described: PatchFeatures
) -> None:
    def work(_: int) -> bool:
        store.put(DIGEST, described)
        return store.get(DIGEST) is not None

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(200)))
    assert len(list(store.folder.rglob("*.*"))) == 1, "nothing is left behind"
