"""Images for pretraining, held in memory whole, and the files that carry them between machines.

A pack is a safetensors file of squares in YCbCr with the colour at half the resolution: half the
size of RGB, and nothing but NumPy and torch is needed to read it.
"""

import glob
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int64, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from heap.base.errors import InputError

FORMAT = "heap photos 1"
_TO_YCBCR = torch.tensor([
    [0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312],
])  # fmt: skip
"""Rows: Y, Cb and Cr of JPEG (JFIF), of colours in [0, 1]; Cb and Cr are centred on 0."""


@dataclass(frozen=True)
class Photos:
    """Square images, and the colour prior of each."""

    luma: UInt8[Tensor, "image side side"]
    chroma: UInt8[Tensor, "image 2 half half"]
    """Cb and Cr, 128 is neutral."""
    priors: UInt8[Tensor, "image cells cells"]
    """Foreground probability by colour, in 255ths, over the whole image."""

    def __len__(self) -> int:
        return len(self.luma)

    @classmethod
    def from_rgb(
        cls,
        pixels: UInt8[Tensor, "image 3 side side"],
        priors: Float32[Tensor, "image cells cells"],
    ) -> "Photos":
        """Convert colours, of an even side, and foreground probabilities."""
        planes = torch.einsum("dc,bchw->bdhw", _TO_YCBCR, pixels.float() / 255)
        # At half the resolution, as in JPEG, so that all planes together are half the size of RGB.
        chroma = F.avg_pool2d(planes[:, 1:], 2) + 128 / 255
        return cls(_to_bytes(planes[:, 0]), _to_bytes(chroma), _to_bytes(priors))

    @classmethod
    def concatenate(cls, parts: Sequence["Photos"]) -> "Photos":
        """Put several after one another; all are of one size."""
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in _PLANES))

    def pick(
        self, chosen: Int64[Tensor, " batch"], device: torch.device
    ) -> tuple[Float[Tensor, "batch 3 side side"], Float[Tensor, "batch cells cells"]]:
        """Colours in [0, 1] and priors of the images `chosen`, on `device`."""
        here = chosen.to(self.luma.device)
        # Converted back for these images alone; all of them in float32 RGB would take 8 times as
        # much memory.
        luma, chroma, priors = (
            plane[here].to(device).float() / 255 for plane in (self.luma, self.chroma, self.priors)
        )
        colour = F.interpolate(
            chroma - 128 / 255, size=luma.shape[-2:], mode="bilinear", align_corners=False
        )
        planes = torch.cat([luma[:, None], colour], dim=1)
        back = torch.linalg.inv(_TO_YCBCR).to(device)
        return torch.einsum("dc,bchw->bdhw", back, planes).clamp(0, 1), priors

    def to(self, device: torch.device) -> "Photos":
        """Copy on `device`."""
        return Photos(self.luma.to(device), self.chroma.to(device), self.priors.to(device))

    def digest(self) -> str:
        """SHA-256 over the colours."""
        digest = hashlib.sha256()
        for plane in (self.luma, self.chroma):
            digest.update(f"{tuple(plane.shape)}".encode())
            digest.update(plane.cpu().contiguous().numpy().data)
        return digest.hexdigest()

    def write(self, stem: Path, most_bytes: int) -> list[Path]:
        """Write packs `stem`-001.safetensors and so on, none larger than `most_bytes`.

        Raises:
            InputError: if not even one image fits, or there are more packs of this name already.
        """
        size = sum(plane[0].numel() for plane in (self.luma, self.chroma, self.priors))
        count = (most_bytes - 4096) // size  # room for the header of safetensors
        if count < 1:
            raise InputError(f"packs of {most_bytes} bytes hold no image of {size} bytes")
        parts = range(0, len(self), count)
        paths = [stem.with_name(f"{stem.name}-{part:03}.safetensors")
                 for part in range(1, len(parts) + 1)]  # fmt: skip
        ours = stem.parent.glob(f"{glob.escape(stem.name)}-[0-9]*.safetensors")
        # Packs are named by a pattern, which would also match those that are left of a larger set.
        if stale := sorted(set(ours) - set(paths)):
            raise InputError(f"{stale[0]} is of an earlier, larger pack: delete it, or choose "
                             "another --out")  # fmt: skip
        for path, start in zip(paths, parts, strict=True):
            planes = {name: getattr(self, name)[start : start + count].contiguous()
                      for name in _PLANES}  # fmt: skip
            save_file(planes, path, {"format": FORMAT})
        return paths


_PLANES = ("luma", "chroma", "priors")


def patch_colours(
    pixels: Float[Tensor, "batch 3 height width"], grid: int
) -> Float[Tensor, "batch 3 grid grid"]:
    """Mean luma and chroma of each patch of a `grid` × `grid`; chroma counts one and a half."""
    planes = torch.einsum(
        "dc,bchw->bdhw", _TO_YCBCR.to(pixels), F.adaptive_avg_pool2d(pixels, grid)
    )
    # As in `heap.features.colour_prior`, which cannot be imported without SciPy.
    return planes * planes.new_tensor([1, 1.5, 1.5])[:, None, None]


def read_packs(paths: Sequence[Path]) -> Photos:
    """Read several packs as one.

    Raises:
        InputError: if a file is no pack, is damaged, or holds images of another size.
    """
    parts = [_read_pack(path) for path in paths]
    if not parts:
        raise InputError("no packs to read")
    for path, part in zip(paths, parts, strict=True):
        for name in _PLANES:
            shape, first = getattr(part, name).shape[1:], getattr(parts[0], name).shape[1:]
            if shape != first:
                raise InputError(f"{path} holds {name} of {tuple(shape)}, but {paths[0]} of "
                                 f"{tuple(first)}: make them with the same side")  # fmt: skip
    return Photos.concatenate(parts)


def _read_pack(path: Path) -> Photos:
    try:
        with safe_open(path, framework="pt") as file:
            kind = (file.metadata() or {}).get("format")
            if kind != FORMAT:
                raise InputError(f"{path} is no pack of images that `heap pack` made")
            planes = [file.get_tensor(name) for name in _PLANES]
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} cannot be read as a pack of images: {error}") from error
    if not _belong_together(*planes):
        raise InputError(f"{path} is damaged: make it again with `heap pack`")
    return Photos(*planes)


def _belong_together(luma: Tensor, chroma: Tensor, priors: Tensor) -> bool:
    count, side, cells = luma.shape[:1], luma.shape[-1:], priors.shape[-1:]
    half = tuple(length // 2 for length in side)
    expected = (count + side + side, (*count, 2, *half, *half), count + cells + cells)
    planes = (luma, chroma, priors)
    return luma.ndim == 3 and all(
        plane.dtype == torch.uint8 and plane.shape == shape
        for plane, shape in zip(planes, expected, strict=True)
    )


def _to_bytes(values: Float[Tensor, "*any"]) -> UInt8[Tensor, "*any"]:
    return (values * 255).round().clamp(0, 255).to(torch.uint8)
