"""Files that a model consists of, in a folder laid out as transformers lays it out."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heap.base.errors import WeightsError
from heap.base.files import read_object

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
SUFFIX = ".safetensors"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLE = "pytorch_model.bin"
ORIGINAL = (".pth", ".pt")
"""Suffixes of original checkpoints."""
HEADS = "heads.safetensors"
"""Heads that `heap pretrain` trained the encoder by; features do not depend on them."""
FOREGROUND_WEIGHT, FOREGROUND_BIAS = "dense_head.weight", "dense_head.bias"
"""Names, in that file, of the layer that predicts foreground."""


@dataclass(frozen=True)
class EncoderFiles:
    """Paths of the parts of one encoder."""

    config: Path
    """config.json; of an original checkpoint, which has none, the checkpoint."""
    weights: tuple[Path, ...]
    """One file, or the shards that an index names."""
    preprocessor: Path | None

    @property
    def original(self) -> bool:
        """Whether it is a checkpoint in the layout of its authors, see `heap.encoder.original`."""
        return self.config in self.weights

    def digest(self) -> str:
        """SHA-256 over the names and bytes of all files, as hexadecimal digits.

        The name of an original checkpoint, which people choose, is left out.
        """
        digest = hashlib.sha256()
        extra = (self.preprocessor,) if self.preprocessor else ()
        if self.original:
            digest.update(f"original {file_digest(self.config)}\n".encode())
        for path in extra if self.original else (self.config, *extra, *self.weights):
            # Digests of files, so that no file is read into memory whole.
            digest.update(f"{path.name} {file_digest(path)}\n".encode())
        return digest.hexdigest()


def find_files(folder: Path) -> EncoderFiles:
    """Find the files of the encoder in `folder`; safetensors go before a pickle.

    `folder` may be an original checkpoint too, a `.pth` file.

    Raises:
        WeightsError: if the configuration or the weights are not there.
    """
    if folder.is_file():
        return _original_files(folder)
    config = folder / CONFIG
    weights = _weight_files(folder)
    missing = [path for path in (config, *weights) if not path.is_file()]
    if missing:
        raise WeightsError(
            f"{folder} holds no usable encoder: {missing[0].name} is missing; it needs "
            f"{CONFIG} and {WEIGHTS}, and {PREPROCESSOR} for its mean and std"
        )
    preprocessor = folder / PREPROCESSOR
    return EncoderFiles(config, weights, preprocessor if preprocessor.is_file() else None)


def shard_names(index: Path) -> list[str]:
    """Weight files that an index names; a name that leads out of its folder is refused."""
    places = read_json(index).get("weight_map")
    names = sorted(set(map(str, places.values()))) if isinstance(places, dict) else []
    if not names or any(Path(name).name != name or not name.endswith(SUFFIX) for name in names):
        raise WeightsError(f"{index} does not name the weight files beside it; fetch it again")
    return names


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        WeightsError: if the file cannot be read or is anything else.
    """
    try:
        return read_object(path)
    except ValueError as error:
        raise WeightsError(f"{path} cannot be read ({error}); fetch it again") from error


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_hint(path: Path) -> str:
    """Digest of a damaged file, for a message, to be compared with its source's; or nothing."""
    try:
        return f"its SHA-256 is {file_digest(path)}, compare it with its source's and "
    except OSError:
        return ""


def _original_files(path: Path) -> EncoderFiles:
    if path.suffix.lower() not in ORIGINAL:
        raise WeightsError(
            f"{path} is no encoder: give the folder with its {CONFIG} and {WEIGHTS}, or an "
            f"original {' or '.join(ORIGINAL)} file of DINO or DINOv2"
        )
    preprocessor = path.with_name(PREPROCESSOR)
    return EncoderFiles(path, (path,), preprocessor if preprocessor.is_file() else None)


def _weight_files(folder: Path) -> tuple[Path, ...]:
    if (folder / WEIGHTS).is_file():
        return (folder / WEIGHTS,)
    if (folder / INDEX).is_file():
        return tuple(folder / name for name in shard_names(folder / INDEX))
    if (folder / PICKLE).is_file():
        return (folder / PICKLE,)
    return (folder / WEIGHTS,)  # missing, and named so in the error
