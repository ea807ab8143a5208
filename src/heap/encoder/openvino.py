"""Encoders that OpenVINO runs on the processor: the same features as by torch, in less time."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from heap.base.cache import cache_dir
from heap.base.device import OPENVINO
from heap.base.errors import InputError
from heap.base.forked import compute_after_fork
from heap.config import Facet
from heap.encoder.base import Encoder, Features, Origin, Outputs
from heap.encoder.tracing import ImageSizes, least_side, quiet_exporters, trace

if TYPE_CHECKING:
    from openvino import CompiledModel, Model
    from torch.export import ExportedProgram

_PRECISIONS = {"fp32": "f32", "bf16": "bf16"}
"""OpenVINO's names of precisions."""
Network = Callable[[Encoder, Tensor], tuple[Tensor, Tensor]]
"""Function of an encoder and pixels that gives features."""


class CompiledEncoder(Encoder):
    """Encoder whose networks OpenVINO runs as another encoder, of torch, describes them.

    A network is converted when it is needed for the first time, for the layer and facet that are
    asked for, and kept in the folder for caches.
    """

    model: Encoder

    def __init__(self, encoder: Encoder, origin: Origin) -> None:
        """Take the network of an encoder in fp32; it is run in the precision of `origin`."""
        super().__init__(encoder, origin)
        self.patch, self.least_side = encoder.patch, encoder.least_side
        self.dim, self.embedding_dim = encoder.dim, encoder.embedding_dim
        self.layers, self.heads = encoder.layers, encoder.heads
        self._compiled: dict[str, CompiledModel] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the compiled networks, which cannot be copied; a copy compiles anew."""
        return self.__dict__ | {"_compiled": {}}

    def forward(
        self, pixels: Float[Tensor, "batch 3 height width"], layer: int = -1, facet: Facet = "key"
    ) -> Features:
        """Features of a layer, see `Encoder.forward`."""
        index, grid = self._layer_index(layer), self._grid(pixels)

        def describe(encoder: Encoder, pixels: Tensor) -> tuple[Tensor, Tensor]:
            features = encoder(pixels, index, facet)
            return features.patches, features.cls_attention

        return Features(*self._run(f"{facet}-{index}", describe, pixels), grid)

    def embed(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float32[Tensor, "batch dim"]:
        """Embeddings of whole images, see `Encoder.embed`."""
        return self.outputs(pixels).embedding

    def outputs(self, pixels: Float[Tensor, "batch 3 height width"]) -> Outputs:
        """Final output of one pass, see `Encoder.outputs`."""
        self._grid(pixels)

        def describe(encoder: Encoder, pixels: Tensor) -> tuple[Tensor, Tensor]:
            output = encoder.outputs(pixels)
            return output.patches, output.embedding

        return Outputs(*self._run("outputs", describe, pixels))

    def _run(self, name: str, network: Network, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs of a network; `name` tells it from the others of this encoder."""
        compute_after_fork()
        if min(pixels.shape[-2:]) < least_side(self):
            return network(self.model, pixels)
        if name not in self._compiled:
            self._compiled[name] = self._compile(name, network)
        # A request of its own, for several threads may ask at once.
        request = self._compiled[name].create_infer_request()
        request.infer([pixels.to(self.mean).numpy()])
        # Copied, for the memory is the request's.
        first, second = (torch.from_numpy(tensor.data.copy()) for tensor in request.output_tensors)
        return first, second

    def _compile(self, name: str, network: Network) -> "CompiledModel":
        with without_telemetry(), quiet_exporters():
            import openvino

            core = openvino.Core()
            file = f"{self.fingerprint[:16]}-{name}-{version('openvino')}.xml"
            path = cache_dir() / "openvino" / file
            try:
                model = core.read_model(path)
            except RuntimeError:  # There is none yet, or it is damaged.
                model = convert(self._trace(network))
                # What cannot be kept is converted again next time.
                with suppress(OSError):
                    _keep(model, path)
                    # Features are the same, to the last bit, as when it is read next time.
                    model = core.read_model(path)
            return core.compile_model(
                model,
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": _PRECISIONS[self.precision],
                    "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                },
            )

    def _trace(self, network: Network) -> "ExportedProgram":
        sizes, patch = ImageSizes.of(self), self.patch
        rows, cols = sizes.grid
        return trace(
            _AsModule(self.model, network),
            (torch.zeros(2, 3, patch * rows, patch * cols),),
            ({0: sizes.batch, 2: patch * sizes.rows, 3: patch * sizes.cols},),
        )


class _AsModule(nn.Module):
    """Network as the module that it is traced as."""

    def __init__(self, encoder: Encoder, network: Network) -> None:
        super().__init__()
        self.encoder, self.network = encoder, network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        return self.network(self.encoder, pixels)


def check_installed() -> None:
    """Refuse to go on without OpenVINO.

    Raises:
        InputError: if it is not installed.
    """
    try:
        with without_telemetry():
            import openvino  # noqa: F401 - whether it can be imported is all that is asked
    except ImportError as error:
        raise InputError(
            f"the device {OPENVINO} needs a package that is not installed: "
            "pip install 'heap[openvino]'"
        ) from error


def convert(program: "ExportedProgram") -> "Model":
    """Convert a program of torch to a model of OpenVINO."""
    with without_telemetry():
        import openvino

        return openvino.convert_model(program)


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Let OpenVINO send nothing when it is imported and used, as it does unless CI runs it."""
    before = os.environ.get("CI")
    os.environ["CI"] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ["CI"]
        else:
            os.environ["CI"] = before


def _keep(model: "Model", path: Path) -> None:
    """Save a model, whole or not at all; its weights lie beside it."""
    import openvino

    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder) / path.name
        openvino.save_model(model, part, compress_to_fp16=False)
        # The file that is looked for comes last.
        part.with_suffix(".bin").replace(path.with_suffix(".bin"))
        part.replace(path)
