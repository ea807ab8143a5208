"""Store of features on disk, so that they are computed once."""

import hashlib
import json
import logging
import zlib
from dataclasses import asdict
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from heap.base.files import replacing
from heap.config import FeatureConfig
from heap.encoder.base import Encoder
from heap.features.describe import PatchFeatures

logger = logging.getLogger(__name__)


_LARGEST = torch.finfo(torch.float16).max


class FeatureStore:
    """Features on disk, named by the content of the image and by all that they depend on.

    They are kept in half precision. A file that is damaged, by a kill or otherwise, counts as
    absent.
    """

    def __init__(self, root: Path, encoder: Encoder, config: FeatureConfig) -> None:
        self.config = config
        settings = {
            **asdict(config),
            "encoder": encoder.fingerprint,
            "precision": encoder.precision,
        }
        # 96 bits are enough to tell settings apart, and keep paths short.
        name = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:24]
        self.folder = root / name

    def __contains__(self, digest: str) -> bool:
        return self._path(digest).exists()

    def put(self, digest: str, features: PatchFeatures) -> None:
        """Store the features of the image whose bytes have this SHA-256, with their prior."""
        if features.boundary is None:
            raise ValueError("features are kept for fitting, which may need the boundary prior")
        tensors = {
            # Larger values would become infinite in half precision.
            "patches": features.patches.clamp(-_LARGEST, _LARGEST).half(),
            "cls_attention": features.cls_attention.half(),
            "boundary": features.boundary.half(),
        }
        grid = "{} {}".format(*features.grid)
        content = save(
            {name: tensor.contiguous() for name, tensor in tensors.items()},
            {"grid": grid, "crc32": str(_checksum(tensors, grid))},
        )
        # Atomically, for another fit may be writing the features of the same image.
        with replacing(self._path(digest), cache=True) as file:
            file.write(content)

    def put_and_get(self, digest: str, features: PatchFeatures) -> PatchFeatures:
        """Store the features, and return them as `get` does from now on: in half precision."""
        self.put(digest, features)
        return self.get(digest) or features

    def get(self, digest: str) -> PatchFeatures | None:
        """Stored features of an image, or None if they are absent or damaged."""
        path = self._path(digest)
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in _FIELDS}
                about = file.metadata() or {}
            rows, cols = map(int, about["grid"].split())
            if int(about["crc32"]) != _checksum(tensors, about["grid"]):
                raise ValueError("wrong checksum")
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            logger.warning("cached features %s are damaged (%s), computing them again", path, error)
            path.unlink(missing_ok=True)
            return None
        return PatchFeatures(**{n: t.float() for n, t in tensors.items()}, grid=(rows, cols))

    def get_boundary(self, digest: str) -> Float[Tensor, " patch"] | None:
        """Boundary prior alone of stored features, read quickly; None if it cannot be read."""
        try:
            with safe_open(self._path(digest), framework="pt") as file:
                prior: Tensor = file.get_tensor("boundary").float()
        except (SafetensorError, OSError):
            return None
        return prior

    def get_grid(self, digest: str) -> tuple[int, int] | None:
        """Rows and columns of stored features, read quickly; None if they cannot be read."""
        try:
            with safe_open(self._path(digest), framework="pt") as file:
                rows, cols = map(int, (file.metadata() or {})["grid"].split())
        except (SafetensorError, OSError, ValueError, KeyError):
            return None
        return rows, cols

    def _path(self, digest: str) -> Path:
        # In 256 subfolders: file systems get slow with very many files in one.
        return self.folder / digest[:2] / f"{digest}.safetensors"


_FIELDS = ("patches", "cls_attention", "boundary")
"""Tensors of a file, named as those of `PatchFeatures`."""


def _checksum(tensors: dict[str, Tensor], grid: str) -> int:
    value = zlib.crc32(grid.encode())
    for name in _FIELDS:
        value = zlib.crc32(tensors[name].contiguous().numpy().tobytes(), value)
    return value
