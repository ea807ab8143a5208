"""Features of a stronger encoder for every photo, computed once and kept in a file.

The file is only appended to, image by image: its length tells how many are done, so that a kill
costs at most one batch.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from huggingface_hub import ModelCard
from jaxtyping import Float, Float16, Int64
from torch import Tensor
from yaml import YAMLError

from heap.base.errors import ConfigError, StoreError, WeightsError
from heap.base.files import read_object
from heap.base.progress import OnProgress
from heap.base.sampling import spread_evenly
from heap.encoder.base import Encoder
from heap.encoder.registry import card_of, resolve
from heap.model.whitening import Whitening
from heap.pretraining.photos import Photos
from heap.pretraining.student import Widths

VALUES, HEADER = "lessons.f16", "lessons.json"
FORMAT = "heap lessons 1"
STANDARD_IMAGES = 2000
"""Number of images, spread evenly, that mean and covariance of patches are computed from."""
_LARGEST = torch.finfo(torch.float16).max


@dataclass(frozen=True)
class Header:
    """Description of the values of the file."""

    format: str
    teacher: str
    """Fingerprint of the encoder."""
    photos: str
    """Digest of the images."""
    images: int
    resolution: int
    grid: int
    """Rows and columns of patches."""
    patch_width: int
    whole_width: int

    @property
    def row(self) -> int:
        """Number of values of an image: its embedding, then the patches in row-major order."""
        return self.whole_width + self.grid**2 * self.patch_width


class TeacherFeatures:
    """Features of the stronger encoder for every photo, and their standards."""

    def __init__(
        self,
        values: Float16[Tensor, "image row"],
        header: Header,
        origin: str,
        ridge: float,
        device: torch.device,
    ) -> None:
        self.header, self.origin = header, origin
        # Moved to the memory of a GPU; on a CPU this changes nothing, and they stay in the file.
        self.values = values.to(device)
        self.patch_standard = _standard(self._spread_patches(), header.patch_width, ridge, device)
        embeddings = self.values[:, : header.whole_width].split(1024)
        self.embedding_standard = _standard(embeddings, header.whole_width, ridge, device)

    @property
    def widths(self) -> Widths:
        """Widths of a patch and of an embedding of the stronger encoder."""
        return Widths(self.header.patch_width, self.header.whole_width)

    @property
    def patch_length(self) -> float:
        """Mean length of the patches of a few images."""
        patches = next(self._spread_patches())
        length: float = patches.float().norm(dim=-1).mean().item()
        return length

    def pick(
        self, chosen: Int64[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch width grid grid"], Float[Tensor, "batch whole_width"]]:
        """Map of patches and embedding of the images `chosen`, not standardised."""
        rows = self.values[chosen].float()
        maps = self._patches(rows).transpose(1, 2)  # (batch, width, patch)
        grid = self.header.grid
        return maps.unflatten(2, (grid, grid)), rows[:, : self.header.whole_width]

    def _patches(self, rows: Float[Tensor, "image row"]) -> Float[Tensor, "image patch width"]:
        patches: Tensor = rows[:, self.header.whole_width :].unflatten(
            1, (-1, self.header.patch_width)
        )
        return patches

    def _spread_patches(self) -> Iterator[Float16[Tensor, "_ width"]]:
        chosen = spread_evenly(range(len(self.values)), STANDARD_IMAGES)
        for part in torch.tensor(chosen).split(16):
            yield self._patches(self.values[part.to(self.values.device)]).flatten(0, 1)


def write_lessons(
    teacher: Encoder,
    photos: Photos,
    folder: Path,
    resolution: int,
    on_progress: OnProgress,
) -> None:
    """Write the features of `teacher` for the photos into `folder`; goes on from an earlier call.

    Raises:
        ConfigError: if the teacher cannot see squares of `resolution`, or the folder holds features
            of another teacher, or of other photos.
        WeightsError: if the features are not finite.
    """
    header, path = _make_header(teacher, photos, resolution), folder / VALUES
    _claim(folder, header)
    row_bytes = 2 * header.row  # of half precision
    # On a CPU larger batches are no faster; a GPU needs them.
    batch = 8 if teacher.mean.device.type == "cpu" else 128
    with path.open("ab") as file:
        # A kill may have left a part of an image at the end.
        done = path.stat().st_size // row_bytes
        file.truncate(done * row_bytes)
        on_progress("teacher", done, len(photos))
        for first in range(done, len(photos), batch):
            end = min(first + batch, len(photos))
            pixels, _ = photos.pick(torch.arange(first, end), teacher.mean.device)
            values = _ask(teacher, pixels, resolution)
            file.write(values.cpu().numpy().tobytes())
            file.flush()
            on_progress("teacher", end, len(photos))


def open_lessons(folder: Path, origin: str, ridge: float, device: torch.device) -> TeacherFeatures:
    """Open the features that `write_lessons` has written into `folder`."""
    header = _read_header(folder / HEADER)
    shape = (header.images, header.row)
    # Mapped and not read: they may be larger than memory. "c" makes them writable for torch, which
    # warns of others; nothing is written.
    values = torch.from_numpy(np.memmap(folder / VALUES, np.float16, "c", shape=shape))
    return TeacherFeatures(values, header, origin, ridge, device)


def origin_of(teacher: Encoder) -> str:
    """Name, fingerprint and, where it is known, licence of the teacher, for the student's card."""
    card = card_of(teacher.name)
    licence = card.licence if card else _licence_in(resolve(teacher.name))
    # Of a folder only its name, which tells nothing about this machine.
    name = Path(teacher.name).name if card is None and Path(teacher.name).is_dir() else teacher.name
    terms = f"its licence is {licence}" if licence else "its licence is not stated beside it"
    return f"{name} (fingerprint {teacher.fingerprint[:12]}; {terms})"


def _standard(
    parts: Iterable[Float[Tensor, "_ dim"]], width: int, ridge: float, device: torch.device
) -> Whitening:
    """Map after which vectors like these, of `width` values, vary alike in every direction."""
    standard = Whitening(width)
    standard.learn(parts, ridge)
    return standard.to(device)


def _licence_in(place: Path | str) -> str | None:
    readme = place / "README.md" if isinstance(place, Path) else None
    if readme is None or not readme.is_file():
        return None
    try:
        about: dict[str, Any] = ModelCard.load(readme).data.to_dict()
    except (ValueError, YAMLError):
        return None
    licence = about.get("license")
    return licence if isinstance(licence, str) else None


def _ask(
    teacher: Encoder, pixels: Float[Tensor, "batch 3 side side"], resolution: int
) -> Float16[Tensor, "batch row"]:
    """Embeddings and patches of the teacher for a batch, in one row an image."""
    size = (resolution, resolution)
    square = F.interpolate(pixels, size=size, mode="bilinear", antialias=True, align_corners=False)
    outputs = teacher.outputs(square.clamp(0, 1))
    values = torch.cat([outputs.embedding, outputs.patches.flatten(1)], dim=1)
    if not values.isfinite().all():
        raise WeightsError(f"the teacher {teacher.name} says something that is not finite; try "
                           "another one")  # fmt: skip
    # Larger values would become infinite in half precision.
    return values.clamp(-_LARGEST, _LARGEST).half()


def _make_header(teacher: Encoder, photos: Photos, resolution: int) -> Header:
    if resolution % teacher.patch:
        below = resolution // teacher.patch * teacher.patch
        raise ConfigError(
            f"the teacher {teacher.name} has patches of {teacher.patch} pixels and cannot see "
            f"squares of {resolution}: choose {below or teacher.patch} or {below + teacher.patch}"
        )
    return Header(
        FORMAT, teacher.fingerprint, photos.digest(), len(photos), resolution,
        resolution // teacher.patch, teacher.dim, teacher.embedding_dim,
    )  # fmt: skip


def _claim(folder: Path, header: Header) -> None:
    """Write the description of the values in the folder, or refuse another one that is there."""
    path = folder / HEADER
    if not path.exists():
        (folder / VALUES).unlink(missing_ok=True)  # values that nothing describes are of no use
        path.write_text(json.dumps(asdict(header), indent=2) + "\n")
        return
    existing = asdict(_read_header(path))
    changed = [key for key, value in asdict(header).items() if existing[key] != value]
    if changed:
        raise ConfigError(
            f"{folder / VALUES} holds what a teacher said, but with another {', '.join(changed)}; "
            "choose another --out, or delete it to ask the teacher again"
        )


def _read_header(path: Path) -> Header:
    try:
        return Header(**read_object(path))
    except (ValueError, TypeError) as error:
        raise StoreError(f"{path} cannot be read ({error}); delete it and {VALUES} to ask the "
                         "teacher again") from error  # fmt: skip
