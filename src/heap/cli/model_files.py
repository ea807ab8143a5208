"""`heap export-model`."""

from pathlib import Path

from heap.cli.app import err_console
from heap.cli.options import ModelFormat


def export_model(
    model: str,
    /,
    *,
    out: Path,
    format: ModelFormat = "onnx",
    encoder: str | None = None,
    int8: bool = False,
) -> None:
    """Write a model as a graph for other runtimes: encoder, head and saliency, without torch.

    Any number of images of any size goes in. docs/models.md has what comes out, and a short program
    that makes objects of it.

    Example: heap export-model embedded --out embedded.onnx

    Args:
        model: embedded, embedded-medium, embedded-small, a folder or a hub name.
        out: File to write: .onnx, .xml (openvino) or .pt2 (torch).
        format: onnx, openvino or torch.
        encoder: Place of its encoder, where that has moved.
        int8: Round the weights to 8 bits: smaller and quicker, and masks differ a little; for onnx.
    """
    from heap.model.exporting import export_model as write

    path = write(model, out=out, format=format, encoder=encoder, int8=int8)
    size = path.stat().st_size / 1e6
    err_console.print(f"{format} graph of {model} in {path}, {size:.0f} MB")
