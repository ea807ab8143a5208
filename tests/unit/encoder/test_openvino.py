"""Encoders that OpenVINO runs: the same features as those of torch."""

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
from preprocessors import add_preprocessor
from torch import Tensor
from transformers import ResNetConfig, ResNetModel

import heap
from heap.base.errors import InputError
from heap.doctor import check
from heap.encoder.base import Encoder
from heap.encoder.load import load_encoder
from heap.model.exporting import export_model
from heap.model.heap import Heap

Run = Callable[..., subprocess.CompletedProcess[str]]

pytest.importorskip("openvino", reason="the packages of heap[openvino] are not installed")


@pytest.fixture(autouse=True)
def unchecked_types(monkeypatch: pytest.MonkeyPatch) -> None:
    # Symbols stand for numbers while a program is traced, which no type of ours foresees.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of converted networks; the other tests share what one of them converted."""
    monkeypatch.setenv("HEAP_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "openvino"


def pixels(height: int, width: int, images: int = 1) -> Tensor:
    return torch.rand(images, 3, height, width, generator=torch.Generator().manual_seed(height))


def both(folder: Path | str) -> tuple[Encoder, Encoder]:
    torchs, compiled = (
        load_encoder(str(folder), device=device, precision="fp32") for device in ("cpu", "openvino")
    )
    assert type(compiled).__name__ == "CompiledEncoder"
    return torchs, compiled


def test_features_of_a_transformer_in_any_size(folder: Path) -> None:
    ours, theirs = both(folder)
    assert (theirs.fingerprint, theirs.dim, theirs.heads) == (ours.fingerprint, 12, 3)
    for images, height, width in ((1, 16, 24), (3, 40, 8)):
        batch = pixels(height, width, images)
        for layer, facet in ((0, "key"), (-1, "output")):
            expected, features = (encoder(batch, layer, facet) for encoder in (ours, theirs))
            torch.testing.assert_close(features.patches, expected.patches, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(features.cls_attention, expected.cls_attention)
            assert features.grid == expected.grid
        torch.testing.assert_close(theirs.embed(batch), ours.embed(batch), rtol=1e-4, atol=1e-4)


def test_a_pyramid_with_images_slimmer_than_its_coarsest_stride(tmp_path: Path) -> None:
    config = ResNetConfig(embedding_size=4, hidden_sizes=[4, 6, 8, 10], depths=[1] * 4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ResNetModel(config).save_pretrained(tmp_path / "pyramid")
    add_preprocessor(tmp_path / "pyramid")
    ours, theirs = both(tmp_path / "pyramid")
    for size in ((64, 40), (16, 48)):
        expected, features = (encoder(pixels(*size), -1, "token") for encoder in (ours, theirs))
        torch.testing.assert_close(features.patches, expected.patches, rtol=1e-4, atol=1e-4)


def test_a_network_is_converted_once_and_again_if_it_is_damaged(folder: Path, cache: Path) -> None:
    expected = both(folder)[1].embed(pixels(16, 16))
    (weights,) = cache.glob("*.bin")
    kept = weights.stat()
    assert torch.equal(both(folder)[1].embed(pixels(16, 16)), expected)
    assert weights.stat() == kept
    (graph,) = cache.glob("*.xml")
    graph.write_bytes(graph.read_bytes()[:100])
    assert torch.equal(both(folder)[1].embed(pixels(16, 16)), expected)
    assert sorted(cache.iterdir()) == sorted([weights, graph])


def test_it_serves_where_nothing_can_be_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HEAP_CACHE_DIR", str(tmp_path / "file"))
    ours, theirs = both(folder)
    torch.testing.assert_close(theirs.embed(pixels(16, 16)), ours.embed(pixels(16, 16)))


def test_threads_and_copies_have_the_same_features(folder: Path) -> None:
    encoder = both(folder)[1]
    batches = [pixels(16, 8 * width) for width in range(1, 9)]
    expected = [encoder.embed(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        assert all(map(torch.equal, pool.map(encoder.embed, batches), expected))
    assert torch.equal(copy.deepcopy(encoder).embed(batches[0]), expected[0])


def test_without_the_package_it_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(InputError, match=r"pip install 'heap\[openvino\]'"):
        load_encoder(str(folder), device="openvino")


def test_no_graph_is_made_of_it(model_folder: Path, tmp_path: Path) -> None:
    model = Heap.from_pretrained(model_folder, device="openvino")
    with pytest.raises(InputError, match='load it with device="cpu"'):
        export_model(model, out=tmp_path / "model.onnx")


def test_discover_finds_the_same_objects(
    run_heap: Run, photos: Path, model_folder: Path, tmp_path: Path
) -> None:
    contents = []
    for device in ("cpu", "openvino"):
        options = ("--device", device, "--precision", "fp32", "--out", tmp_path / device)
        done = run_heap("discover", photos, "--model", model_folder, *options)
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr
        contents.append(json.loads((tmp_path / device / "objects.json").read_text())["annotations"])
    boxes = [[annotation["bbox"] for annotation in annotations] for annotations in contents]
    assert boxes[0]
    np.testing.assert_allclose(boxes[1], boxes[0], atol=1)


def test_a_cluster_has_no_such_device(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not for a cluster"):
        heap.discover(photos, tmp_path / "run", engine="ray", device="openvino")


def test_the_doctor_measures_both() -> None:
    (finding,) = (finding for finding in check(speed=True) if finding.what == "OpenVINO")
    assert re.match(r"\d+\.\d\d s for a photo, torch \d+\.\d\d s", finding.value)
