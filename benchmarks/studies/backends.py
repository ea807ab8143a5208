"""Back ends that run an exported model: processor time for an image, and masks beside torch's.

Each runs the same graph with one thread, on photos one by one, in turns; what makes objects of its
outputs is the same for all. Masks are compared with those of torch in fp32, and boxes with those
of the parts of the ground truth.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median
from time import process_time
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from benchmarks.common import DATA, RUNS, Data, images_in
from benchmarks.report import Row, about_data, about_encoder, rows_by
from benchmarks.study import Measured, Study
from heap.benchmark.metrics.boxes import any_hits, mask_boxes
from heap.benchmark.metrics.masks import mask_iou
from heap.config import DiscoverConfig, Precision
from heap.images import Geometry, Picture, Source, decode
from heap.model.analysis import Analysis
from heap.model.exporting import export_model
from heap.model.graph import Graph, GraphOutputs
from heap.model.heap import Heap
from heap.model.objects import find_objects
from heap.results import Objects, Regions

REFERENCE = "torch fp32"
Run = Callable[[UInt8[np.ndarray, "1 height width 3"]], Sequence[np.ndarray]]
"""Function from pixels to the outputs of the graph, see `heap.model.graph.GraphOutputs`."""


def bench(
    *,
    data: Data = DATA,
    model: str = "embedded",
    backend: list[str] | None = None,
    limit: int = 20,
    work: Path = RUNS / "bench_backends",
) -> Measured:
    """Run the graph of a model by each back end.

    Args:
        data: Folder with `ecssd500`.
        model: Name of the model, without cues.
        backend: Back ends beside torch in fp32; all by default.
        limit: Photos, spread evenly over all of them.
        work: Folder of the graphs; what is there is not exported again.
    """
    every = images_in(data / "ecssd500" / "images")
    images = [every[place * len(every) // limit] for place in range(limit)]
    heap = Heap.from_pretrained(model, precision="fp32")
    runs: dict[str, Run] = {
        name: BACKENDS[name](model, work)
        for name in (REFERENCE, *(backend or [name for name in BACKENDS if name != REFERENCE]))
    }
    rows: list[Row] = []
    for number, path in enumerate(images):
        picture = decode(Source(path.name, str(path)))
        truth = mask_boxes(_mask(path))
        objects: dict[str, Objects] = {}
        for name, run in runs.items():
            features, size = heap.config.features, (picture.width, picture.height)
            shape = Geometry.of_features(*size, features, heap.encoder.patch)
            pixels = shape.resize(picture.pixels)[None]
            if not number:
                run(pixels)  # The first pass prepares kernels.
            began = process_time()
            outputs = run(pixels)
            took = process_time() - began
            objects[name] = to_objects(outputs, picture, heap.defaults)
            rows.append(
                {
                    "image": path.name,
                    "backend": name,
                    "ms": 1000 * took,
                    "iou": agreement(objects[name], objects[REFERENCE]),
                    "objects": len(objects[name]),
                    "hit": any_hits(objects[name].boxes[:1], truth),
                }
            )
    return Measured(
        data=about_data("ecssd500", images),
        encoder=about_encoder(heap),
        rows=rows,
        figures={"load": os.getloadavg()[0]},
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Median milliseconds, mean IoU of masks with torch's, and CorLoc of each back end.

    `iou` is the mean over the images in which either has an object; `same` is the share of all
    images whose masks are the same to a pixel.
    """
    summary = {}
    for name, of in rows_by(rows, "backend").items():
        compared = [row["iou"] for row in of if row["iou"] is not None]
        summary[name] = {
            "images": len(of),
            "ms": median(row["ms"] for row in of),
            "iou": mean(compared),
            "same": mean(row["iou"] in (None, 1) for row in of),
            "corloc": mean(row["hit"] for row in of),
            "objects": mean(row["objects"] for row in of),
        }
    return summary


def agreement(ours: Objects, theirs: Objects) -> float | None:
    """Mean IoU of masks, best with best and so on; one that has no partner counts 0."""
    count = max(len(ours), len(theirs))
    pairs = zip(ours.masks, theirs.masks, strict=False)
    return sum(mask_iou(a.decode(), b.decode()) for a, b in pairs) / count if count else None


def to_objects(outputs: Sequence[np.ndarray], picture: Picture, config: DiscoverConfig) -> Objects:
    """Objects of a picture from the outputs of the graph."""
    graph: Any = GraphOutputs._make(output[0] for output in outputs)
    regions = Regions(
        np.asarray(graph.groups, dtype=np.int64),
        graph.group_embeddings,
        graph.group_foreground,
        graph.group_areas,
    )
    analysis = Analysis(
        graph.saliency,
        graph.objectness,
        regions,
        graph.patches,
        graph.whitened,
        graph.discriminant,
        graph.foreground,
        graph.background,
    )
    return find_objects(analysis, picture.pixels, (picture.width, picture.height), config)


def _mask(image: Path) -> Bool[np.ndarray, "height width"]:
    with Image.open(image.parent.with_name("masks") / f"{image.stem}.png") as mask:
        return np.asarray(mask.convert("L")) > 127


def _torch(precision: Precision) -> Callable[[str, Path], Run]:
    def load(model: str, work: Path) -> Run:
        import torch

        torch.set_num_threads(1)
        graph = Graph(Heap.from_pretrained(model, precision=precision))

        def run(pixels: np.ndarray) -> Sequence[np.ndarray]:
            with torch.inference_mode():
                return [output.numpy() for output in graph(torch.from_numpy(pixels))]

        return run

    return load


def _onnxruntime(*, int8: bool) -> Callable[[str, Path], Run]:
    def load(model: str, work: Path) -> Run:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        path = _export(model, work, "int8.onnx" if int8 else "fp32.onnx", int8=int8)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda pixels: session.run(None, {"pixels": pixels})

    return load


def _openvino(precision: str) -> Callable[[str, Path], Run]:
    def load(model: str, work: Path) -> Run:
        import openvino

        settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": precision}
        # The file of ONNX, so that both run the same graph.
        path = _export(model, work, "fp32.onnx", int8=False)
        network = openvino.Core().compile_model(path, "CPU", settings)
        return lambda pixels: list(network([pixels]).to_tuple())

    return load


def _export(model: str, work: Path, name: str, *, int8: bool) -> Path:
    path = work / model / name
    return path if path.exists() else export_model(model, out=path, int8=int8)


BACKENDS: dict[str, Callable[[str, Path], Run]] = {
    REFERENCE: _torch("fp32"),
    "torch bf16": _torch("bf16"),
    "onnxruntime fp32": _onnxruntime(int8=False),
    "onnxruntime int8": _onnxruntime(int8=True),
    "openvino fp32": _openvino("f32"),
    "openvino bf16": _openvino("bf16"),
}
"""What loads each, from the name of a model and the folder of its graphs."""


STUDY = Study("backends-v1", bench, summarise)
