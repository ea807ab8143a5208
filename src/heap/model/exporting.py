"""Export of a model as one graph for other runtimes: ONNX, OpenVINO, or torch's own format.

docs/models.md says what is in the graph; examples/discover_onnx.py finds objects with it.
"""

import json
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch
from torch.export import ExportedProgram

from heap.base.errors import InputError
from heap.encoder.openvino import CompiledEncoder, convert, without_telemetry
from heap.encoder.tracing import ImageSizes, Shape, quiet_exporters, trace
from heap.model.graph import Graph, GraphOutputs
from heap.model.heap import Heap

Format = Literal["onnx", "openvino", "torch"]

SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "openvino": ".xml", "torch": ".pt2"}
_NEEDED: dict[Format, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxscript"),
    "openvino": ("openvino",),
    "torch": (),
}
"""Packages that write a format."""
SETTINGS = "heap"
"""Name of the settings of the model among the metadata of a file, as JSON."""
_SCOPES = "pkg.torch.onnx.name_scopes"
"""Name under which a node of ONNX says which modules of torch it is of."""
_PRODUCTS = ["MatMul", "Gemm"]


def export_model(
    model: Heap | Path | str,
    *,
    out: Path | str,
    format: Format = "onnx",
    encoder: str | None = None,
    int8: bool = False,
) -> Path:
    """Write a model as a graph that another runtime runs, and return its path.

    The graph holds encoder and head, see `heap.model.graph`; any number of images, and any sides
    that are multiples of the patch, go in. It computes in fp32. What the step from there to objects
    needs to know is with it as JSON under `heap`: patch, features and settings of discovery.

    `model` and `encoder` are as in `Heap.from_pretrained`. With `int8` the weights of all matrix
    products are rounded to 8 bits, which only `onnx` can: a smaller and quicker file whose masks
    differ a little. OpenVINO writes its weights beside the .xml, and so does ONNX above 2 GB.

    Raises:
        InputError: if there is no such model or format, the name of the file does not end as the
            format asks for, a package is missing, or the file cannot be written.
        WeightsError: if the weights are damaged or do not fit.
    """
    path = Path(out)
    _check(path, format, int8=int8)
    if not isinstance(model, Heap):
        model = Heap.from_pretrained(model, encoder=encoder, precision="fp32")
    if isinstance(model.encoder, CompiledEncoder):
        raise InputError('the model is loaded for OpenVINO; load it with device="cpu" to export it')
    if model.encoder.precision != "fp32":
        raise InputError(
            f"the model is loaded in {model.encoder.precision}, which graphs do not compute in; "
            'load it with precision="fp32" to export it'
        )
    if int8 and not any(isinstance(layer, torch.nn.Linear) for layer in model.encoder.modules()):
        raise InputError(
            f"int8 rounds matrix products, as transformers have them; {model.encoder.name} has none"
        )
    graph = Graph(model).eval()
    settings = json.dumps(_settings(model))
    path.parent.mkdir(parents=True, exist_ok=True)
    with quiet_exporters(), TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        _WRITERS[format](_trace(graph), Path(folder) / path.name, settings)
        if int8:
            _quantise(Path(folder) / path.name)
        # The file that was asked for comes last: where it is, what belongs to it is, too.
        for part in sorted(Path(folder).iterdir(), key=lambda part: part.name == path.name):
            part.replace(path.parent / part.name)
    return path


def _check(path: Path, format: str, *, int8: bool) -> None:
    """Refuse what cannot be written, before anything is loaded."""
    if format not in SUFFIXES:
        raise InputError(f"there is no format {format!r}; choose one of {', '.join(SUFFIXES)}")
    if path.suffix != SUFFIXES[format]:
        raise InputError(f"{path} has to end in {SUFFIXES[format]}, as {format} files do")
    if int8 and format != "onnx":
        raise InputError(f"int8 is for the format onnx, not for {format}")
    needed = _NEEDED[format] + (("onnxruntime",) if int8 else ())
    if missing := [name for name in needed if find_spec(name) is None]:
        raise InputError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed, which "
            f"{format} files are written by: pip install 'heap[{format}]'"
        )


def _settings(model: Heap) -> dict[str, object]:
    config = model.config
    return {
        "version": version("heap"),
        "encoder_fingerprint": config.encoder_fingerprint,
        "head_fingerprint": model.fingerprint,
        "patch": model.encoder.patch,
        "features": asdict(config.features),
        "discover": asdict(model.defaults),
    }


def _trace(graph: Graph) -> ExportedProgram:
    """Program of the graph, for any number of images of any size."""
    patch, sizes = graph.encoder.patch, ImageSizes.of(graph.encoder)
    rows, cols = sizes.grid
    pixels = torch.zeros(2, patch * rows, patch * cols, 3, dtype=torch.uint8)
    inputs: tuple[torch.Tensor, ...] = (pixels,)
    shapes: tuple[Shape, ...] = ({0: sizes.batch, 1: patch * sizes.rows, 2: patch * sizes.cols},)
    if graph.cue_width:
        inputs += (torch.zeros(2, rows, cols, graph.cue_width),)
        shapes += ({0: sizes.batch, 1: sizes.rows, 2: sizes.cols},)
    return trace(graph, inputs, shapes)


def _write_onnx(program: ExportedProgram, path: Path, settings: str) -> None:
    exported = torch.onnx.export(
        program, dynamo=True, verbose=False, output_names=list(GraphOutputs._fields)
    )
    assert exported is not None  # noqa: S101 - narrows the type
    exported.model.metadata_props[SETTINGS] = settings
    exported.save(path)


def _write_openvino(program: ExportedProgram, path: Path, settings: str) -> None:
    converted = convert(program)
    for output, name in zip(converted.outputs, GraphOutputs._fields, strict=True):
        output.get_tensor().set_names({name})
    converted.set_rt_info(settings, [SETTINGS])
    with without_telemetry():
        import openvino

        openvino.save_model(converted, path, compress_to_fp16=False)


def _write_torch(program: ExportedProgram, path: Path, settings: str) -> None:
    torch.export.save(program, path, extra_files={f"{SETTINGS}.json": settings})


_WRITERS = {"onnx": _write_onnx, "openvino": _write_openvino, "torch": _write_torch}


def _quantise(path: Path) -> None:
    """Round the weights of the encoder to 8 bits; what they are multiplied with, at each call.

    The head, which takes next to no time, and convolutions stay as they are.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    encoder = [
        node.name
        for node in onnx.load(path, load_external_data=False).graph.node
        if node.op_type in _PRODUCTS
        and any(prop.key == _SCOPES and "'encoder'" in prop.value for prop in node.metadata_props)
    ]
    quantize_dynamic(
        path,
        path,
        op_types_to_quantize=_PRODUCTS,
        nodes_to_quantize=encoder,
        per_channel=True,
        weight_type=QuantType.QInt8,
    )
