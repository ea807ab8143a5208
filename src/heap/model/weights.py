"""File of a fitted head: safetensors, with a checksum of the weights."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from heap.base.errors import WeightsError
from heap.encoder.files import digest_hint
from heap.model.head import GroupingHead

_CHECKSUM = "sha256"
"""Key of the digest among the file's metadata; models of earlier versions have none."""


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over named tensors, as hexadecimal digits."""
    digest = hashlib.sha256()
    # Sorted, for the digest must not depend on the order in which a file or module lists them.
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def save_head(head: GroupingHead, path: Path) -> None:
    """Write the weights of a head."""
    tensors = {name: tensor.contiguous().cpu() for name, tensor in head.state_dict().items()}
    # A single entry of metadata: safetensors writes several in any order, and the same head is to
    # give the same file.
    path.write_bytes(save(tensors, {_CHECKSUM: digest_of(tensors)}))


def load_head(head: GroupingHead, path: Path) -> None:
    """Fill a head with the weights in a file, complete or not at all.

    Raises:
        WeightsError: if the file is damaged, or the weights do not fit or are not finite.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            checksum = (file.metadata() or {}).get(_CHECKSUM)
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"{path} cannot be loaded ({error}); {digest_hint(path)}fetch or fit the model again"
        ) from error
    # All is checked before anything is copied, so that a head is never filled by half.
    wanted = head.state_dict()
    wrong = sorted(
        name
        for name in wanted.keys() | tensors.keys()
        if name not in wanted or name not in tensors
        or wanted[name].shape != tensors[name].shape
        or wanted[name].dtype != tensors[name].dtype
    )  # fmt: skip
    wrong += [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if wrong:
        raise WeightsError(
            f"{path} does not fit its config.json: missing, unexpected, of another shape or type, "
            f"or not finite: {', '.join(wrong[:5])}"
        )
    if checksum is not None and checksum != (now := digest_of(tensors)):
        raise WeightsError(
            f"{path} is damaged: its weights have changed since they were saved, their SHA-256 is "
            f"{now} instead of {checksum}; fetch or fit the model again"
        )
    head.load_state_dict(tensors)
