"""Outcome of a call of `discover`, and the finished run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from heap.base.errors import InputError
from heap.results import ImageResult
from heap.store.records import Counts
from heap.store.store import RunStore


@dataclass(frozen=True)
class News:
    """News of a call about images that are neither new nor done already."""

    changed: tuple[str, ...] = ()
    """Keys of images with another content than before; they were worked on again."""
    moved: int = 0
    """Images that are at another place now, or have only other times, and are as they were."""
    gone: tuple[str, ...] = ()
    """Keys of images that are no longer where they were."""
    pruned: bool = False
    """Whether these were dropped; otherwise the run still holds them."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Number of things that the listing passed over, by the reason."""


@dataclass(frozen=True)
class Outcome:
    """Numbers of the images that a call has worked on, and its news."""

    worked: int
    """Images that were worked on."""
    usable: int
    """Images of the listing that have a result."""
    news: News


@dataclass(frozen=True)
class Discovery:
    """A finished run."""

    place: Path | str
    """Folder of the run, or its URL."""
    counts: Counts
    images: int
    """Images that this call worked on; the others were there already."""
    notes: Mapping[str, int]
    """Number of images with each note, such as "first of 3 frames"."""
    seconds: float
    """Seconds of this call, without loading the model."""
    usable: int
    """Images of the listing that have a result; 0: every one of them failed."""
    news: News

    @property
    def rate(self) -> float:
        """Images per second of this call."""
        return self.images / max(self.seconds, 1e-9)

    @property
    def folder(self) -> Path:
        """Folder of the run.

        Raises:
            InputError: if it is in an object store; its URL is `place`.
        """
        if isinstance(self.place, str):
            raise InputError(f"{self.place} is no folder of this machine; open it with `heap.open`")
        return self.place

    def results(self) -> Iterator[ImageResult]:
        """The result of each image, in the order of their keys."""
        return RunStore.open(self.place).results()
