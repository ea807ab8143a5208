"""Exported models: the same masks as torch's, in processes that have no torch."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
import torch

from heap.base.errors import InputError
from heap.images import Picture, decode, list_images
from heap.model.exporting import export_model
from heap.model.graph import Graph, GraphOutputs
from heap.model.heap import Heap
from heap.model.saved import ModelConfig
from heap.results import ImageResult, Objects

Export = Callable[..., Path]

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/discover_onnx.py"
PHOTOS = ROOT / "demo/photos"

WITHOUT_TORCH = """
import runpy, sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoTorch())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
assert not any(name.partition(".")[0] in ("torch", "transformers") for name in sys.modules)
"""
"""Program that runs another one with its arguments, where torch cannot be imported."""


@pytest.fixture(scope="module")
def find() -> Callable[[onnxruntime.InferenceSession, np.ndarray], Objects]:
    spec = spec_from_file_location("discover_onnx", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = module_from_spec(spec)
    spec.loader.exec_module(example)
    return example.find  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def export(run_heap: Any) -> Export:
    """Exports a model by the command: shapes are checked here, where tracing has symbols."""

    def run(model: object, out: Path, *options: str) -> Path:
        done = run_heap("export-model", model, "--out", out, *options)
        assert done.returncode == 0, done.stderr
        assert f" graph of {model} in {out}" in done.stderr
        return out

    return run


@pytest.fixture(scope="module")
def small(once: Any, export: Export) -> Path:
    """embedded-small as ONNX."""
    folder = once("exported-small", lambda folder: export("embedded-small", folder / "small.onnx"))
    return Path(folder) / "small.onnx"


@pytest.fixture(scope="module")
def demo() -> list[Picture]:
    return [decode(source) for source in list_images(PHOTOS)]


def ious(ours: Objects, theirs: Objects) -> list[float]:
    """IoU of the masks of two lists of objects, pair by pair; 0 for one that has no other."""
    pairs = zip(map(np.asarray, ours.masks), map(np.asarray, theirs.masks), strict=False)
    shared = [float((a & b).sum() / (a | b).sum()) for a, b in pairs]
    return shared + [0.0] * abs(len(ours) - len(theirs))


def mean_iou(find: Any, path: Path, model: Heap, pictures: list[Picture]) -> float:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    examined = [result for result in model.examine(pictures) if isinstance(result, ImageResult)]
    agreement = [
        iou
        for picture, result in zip(pictures, examined, strict=True)
        for iou in ious(find(session, picture.pixels), result.objects)
    ]
    assert len(agreement) >= len(pictures) / 2
    return float(np.mean(agreement))


def test_masks_of_the_demo_photos_are_those_of_torch(
    find: Any, small: Path, demo: list[Picture]
) -> None:
    model = Heap.from_pretrained("embedded-small", precision="fp32")

    assert mean_iou(find, small, model, demo) >= 0.99


def test_keys_and_cues(
    find: Any, export: Export, model_folder: Path, heap: Heap, pictures: list[Picture],
    tmp_path: Path,
) -> None:  # fmt: skip
    exported = export(model_folder, tmp_path / "model.onnx")

    assert heap.config.features.facet == "key"
    assert mean_iou(find, exported, heap, pictures) >= 0.99


def test_tokens_of_an_inner_layer(
    find: Any, export: Export, heap: Heap, demo: list[Picture], tmp_path: Path
) -> None:
    features = replace(heap.config.features, facet="token", layer=0, cues=(), resolution=128)
    torch.manual_seed(0)
    settings = ModelConfig(features=features, encoder_fingerprint=heap.encoder.fingerprint)
    model = Heap(heap.encoder, settings)
    with torch.no_grad():
        model.head.score.weight.normal_()
    model.save_pretrained(tmp_path / "model")
    exported = export(tmp_path / "model", tmp_path / "model.onnx")

    assert mean_iou(find, exported, model, demo) >= 0.99


def test_example_finds_the_boxes_of_heap_discover_without_torch(
    small: Path, run_heap: Any, tmp_path: Path
) -> None:
    photos = [PHOTOS / name for name in ("dog.jpg", "flower.jpg", "grass.jpg", "sheep.jpg")]
    done = run_heap(
        "discover", *photos, "--encoder", "embedded-small", "--precision", "fp32",
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    coco = json.loads((tmp_path / "run/objects.json").read_text())
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    wanted = [
        (names[row["image_id"]], *row["bbox"][:2], row["bbox"][0] + row["bbox"][2],
         row["bbox"][1] + row["bbox"][3], round(row["score"], 3))
        for row in coco["annotations"]
    ]  # fmt: skip

    printed = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, EXAMPLE, small, *photos],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )

    assert printed.returncode == 0, printed.stderr
    lines = [line.rsplit(" ", 5) for line in printed.stdout.splitlines()]
    printed_rows = [(Path(path).name, *map(float, numbers)) for path, *numbers in lines]
    assert len(wanted) >= 3
    assert [row[:5] for row in printed_rows] == [row[:5] for row in wanted]
    assert [row[5] for row in printed_rows] == pytest.approx([row[5] for row in wanted], abs=0.002)


def test_int8_finds_nearly_the_same(
    find: Any, export: Export, model_folder: Path, heap: Heap, pictures: list[Picture],
    tmp_path: Path,
) -> None:  # fmt: skip
    exported = export(model_folder, tmp_path / "model.onnx", "--int8")
    model = onnx.load(exported)

    assert {"MatMulInteger"} <= {node.op_type for node in model.graph.node}
    assert mean_iou(find, exported, heap, pictures) >= 0.95


def test_int8_of_convolutions_is_refused(run_heap: Any, tmp_path: Path) -> None:
    done = run_heap("export-model", "embedded-small", "--int8", "--out", tmp_path / "small.onnx")

    assert done.returncode == 2
    assert "int8 rounds matrix products" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_torch_and_openvino_have_the_same_outputs(
    export: Export, model_folder: Path, heap: Heap, tmp_path: Path
) -> None:
    program = export(model_folder, tmp_path / "model.pt2", "--format", "torch")
    converted = export(model_folder, tmp_path / "model.xml", "--format", "openvino")
    pixels = torch.randint(0, 256, (3, 40, 72, 3), dtype=torch.uint8)
    cues = torch.rand(3, 5, 9, 7)
    with torch.no_grad():
        wanted = GraphOutputs(*Graph(heap)(pixels, cues))

    extra = {"heap.json": ""}
    outputs = torch.export.load(program, extra_files=extra).module()(pixels, cues)
    read = openvino.Core().read_model(converted)
    network = openvino.Core().compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    theirs = network([pixels.numpy(), cues.numpy()])

    assert json.loads(extra["heap.json"])["patch"] == 8
    assert json.loads(read.get_rt_info(["heap"]).value)["patch"] == 8
    for name, output, tensor in zip(wanted._fields, outputs, wanted, strict=True):
        torch.testing.assert_close(output, tensor, atol=1e-4, rtol=1e-4)
        np.testing.assert_allclose(theirs[name], tensor.numpy(), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"out": "model.pt2"}, "has to end in .onnx"),
        ({"out": "model.pt2", "format": "torch", "int8": True}, "int8 is for the format onnx"),
    ],
)
def test_what_cannot_be_written_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        export_model("embedded-small", **options)


def test_unknown_format_is_refused(python: list[str]) -> None:
    call = "import heap; heap.export_model('embedded-small', out='model.onnx', format='caffe')"

    called = subprocess.run([*python, "-c", call], capture_output=True, text=True, check=False)

    assert "there is no format 'caffe'; choose one of onnx, openvino, torch" in called.stderr


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)

    with pytest.raises(InputError, match=r"onnxscript .* pip install 'heap\[onnx\]'"):
        export_model("embedded-small", out="model.onnx")


def test_model_in_bf16_is_refused(model_folder: Path) -> None:
    model = Heap.from_pretrained(model_folder, precision="bf16")

    with pytest.raises(InputError, match='precision="fp32"'):
        export_model(model, out="model.onnx")
