"""Named tensors read from files; nothing in the files is run."""

from argparse import Namespace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from heap.base.errors import WeightsError, first_line
from heap.encoder.files import SUFFIX, digest_hint

COUNTER = "num_batches_tracked"
"""Count of training steps in batch normalisation, which no feature depends on."""

State = dict[str, Tensor]


def read_state(path: Path) -> State:
    """Named floating-point tensors of a file.

    Raises:
        WeightsError: if the file is damaged or holds anything else.
    """
    return check_state(_load_tensors(path) if path.suffix == SUFFIX else load_pickle(path), path)


def check_state(state: object, path: Path) -> State:
    """Check that what the file `path` holds are named floating-point tensors.

    Raises:
        WeightsError: if it is anything else.
    """
    if not isinstance(state, dict):
        raise WeightsError(f"{path} holds a {type(state).__name__} instead of named tensors")
    for name, value in state.items():
        if not isinstance(value, Tensor) or not (
            value.is_floating_point() or _is_counter(name, value)
        ):
            raise WeightsError(f"{path}: {name!r} is not a tensor of floating-point numbers")
    return state


def load_pickle(path: Path) -> object:
    """Content of a file that torch has written, of tensors and plain values.

    Raises:
        WeightsError: if the file is damaged or holds anything else.
    """
    try:
        # Checkpoints of DINO hold the arguments of their training, which are no more than a
        # namespace of plain values.
        with torch.serialization.safe_globals([Namespace]):
            content: object = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # A damaged or hostile file can make its reader fail in any way.
        raise _damaged(path, error) from error
    return content


def _load_tensors(path: Path) -> object:
    try:
        return load_file(path)
    except Exception as error:  # of any kind, as above
        raise _damaged(path, error) from error


def _is_counter(name: str, value: Tensor) -> bool:
    """Whether a tensor is batch normalisation's count of its training steps, the only integer."""
    return name.rpartition(".")[2] == COUNTER and value.dtype == torch.int64 and value.ndim == 0


def _damaged(path: Path, error: Exception) -> WeightsError:
    hint = digest_hint(path) or "make it readable or "
    return WeightsError(f"{path} cannot be loaded ({first_line(error)}); {hint}fetch it again")
