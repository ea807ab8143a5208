"""Features of pictures: what the head sees, computed once and kept on disk if wanted."""

import hashlib
import json
import logging
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from heap.config import FeatureConfig
from heap.cues import CUE_WIDTHS, cues
from heap.encoder.vit import Encoder
from heap.images import Geometry, Picture
from heap.peers.boundary import BoundaryPrior

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PatchFeatures:
    """One image as the head and the orientation priors see it."""

    patches: Float[Tensor, "patch dim"]
    """Encoder features, then the joined cues; row-major over the grid."""
    cls_attention: Float[Tensor, "head patch"]
    boundary: Float[Tensor, " patch"]
    """The boundary prior from colour, in [0, 1]."""
    grid: tuple[int, int]
    """Rows and columns of patches."""


def feature_dim(encoder: Encoder, config: FeatureConfig) -> int:
    """Width of the features with their cues."""
    return encoder.dim + sum(CUE_WIDTHS[name] for name in config.cues)


def geometry(picture: Picture, encoder: Encoder, config: FeatureConfig) -> Geometry:
    """How the picture is resized for the encoder."""
    make = Geometry.of_square if config.square else Geometry.of_area
    return make(picture.width, picture.height, config.resolution, encoder.patch)


def describe(
    encoder: Encoder, pictures: Sequence[Picture], config: FeatureConfig, batch: int = 8
) -> list[PatchFeatures]:
    """Features of each picture, on the CPU; pictures of the same grid go through together."""
    shapes = [geometry(picture, encoder, config) for picture in pictures]
    alike = defaultdict(list)
    for index, shape in enumerate(shapes):
        alike[shape.grid].append(index)
    found: dict[int, PatchFeatures] = {}
    for indices in alike.values():
        for start in range(0, len(indices), batch):
            chosen = indices[start : start + batch]
            inputs = [shapes[i].resize(pictures[i].pixels) for i in chosen]
            described = _describe_batch(encoder, inputs, [pictures[i] for i in chosen], config)
            found.update(zip(chosen, described, strict=True))
    return [found[index] for index in range(len(pictures))]


def _describe_batch(
    encoder: Encoder, inputs: list[np.ndarray], pictures: list[Picture], config: FeatureConfig
) -> list[PatchFeatures]:
    stacked = torch.from_numpy(np.stack(inputs)).permute(0, 3, 1, 2).float() / 255
    try:
        features = encoder(stacked, config.layer, config.facet)
    except torch.OutOfMemoryError:
        if len(inputs) == 1:
            raise
        half = len(inputs) // 2
        logger.warning("out of memory with a batch of %d images, going on with half", len(inputs))
        return _describe_batch(encoder, inputs[:half], pictures[:half], config) + _describe_batch(
            encoder, inputs[half:], pictures[half:], config
        )
    grid = features.grid
    priors = [BoundaryPrior()(picture.pixels, grid).ravel() for picture in pictures]
    return [
        PatchFeatures(_join(patches, picture, grid, config), attention, torch.from_numpy(p), grid)
        for patches, attention, picture, p in zip(
            features.patches.cpu(), features.cls_attention.cpu(), pictures, priors, strict=True
        )
    ]


def _join(
    patches: Float[Tensor, "patch dim"],
    picture: Picture,
    grid: tuple[int, int],
    config: FeatureConfig,
) -> Float[Tensor, "patch joined"]:
    if not config.cues:
        return patches
    extra = torch.from_numpy(cues(config.cues, picture.pixels, grid))
    return torch.cat([F.normalize(patches, dim=-1), config.cue_weight * extra], dim=-1)


class FeatureStore:
    """Features on disk, named by the content of the image and by all that they depend on.

    Kept in half precision. A file that is damaged, by a kill or otherwise, counts as absent.
    """

    def __init__(self, root: Path, encoder: Encoder, config: FeatureConfig) -> None:
        self.config = config
        settings = {
            **asdict(config),
            "encoder": encoder.fingerprint,
            "precision": encoder.precision,
        }
        name = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:24]
        self.folder = root / name

    def __contains__(self, digest: str) -> bool:
        return self._path(digest).exists()

    def put(self, digest: str, features: PatchFeatures) -> None:
        """Keep the features of the image whose bytes have this SHA-256."""
        tensors = {
            "patches": features.patches.half(),
            "cls_attention": features.cls_attention.half(),
            "boundary": features.boundary.half(),
        }
        path = self._path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        rows, cols = features.grid
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()},
            partial,
            {"grid": f"{rows} {cols}", "crc32": str(_checksum(tensors))},
        )
        partial.replace(path)

    def get(self, digest: str) -> PatchFeatures | None:
        """What was put, or None if it is not there or not whole."""
        path = self._path(digest)
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in _FIELDS}
                about = file.metadata()
            rows, cols = map(int, about["grid"].split())
            if int(about["crc32"]) != _checksum(tensors):
                raise ValueError("wrong checksum")
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            logger.warning("cached features %s are damaged (%s), computing them again", path, error)
            path.unlink(missing_ok=True)
            return None
        return PatchFeatures(**{n: t.float() for n, t in tensors.items()}, grid=(rows, cols))

    def _path(self, digest: str) -> Path:
        return self.folder / digest[:2] / f"{digest}.safetensors"


_FIELDS = ("patches", "cls_attention", "boundary")


def _checksum(tensors: dict[str, Tensor]) -> int:
    value = 0
    for name in _FIELDS:
        value = zlib.crc32(tensors[name].contiguous().numpy().tobytes(), value)
    return value
