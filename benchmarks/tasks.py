"""Commands that can be killed and go on, and how far each of them has come."""

import os
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from heap.base.checkpoint import load_checkpoint
from heap.base.errors import StoreError
from heap.base.training import CHECKPOINT
from heap.fitting.training import PRIORS
from heap.store.place import STORE_NAME
from heap.store.store import RunStore


@dataclass(frozen=True)
class Task(ABC):
    """A command, and what it leaves in `out`."""

    command: list[str]
    out: Path
    images: int

    @property
    @abstractmethod
    def units(self) -> int:
        """Pieces of work that there are."""

    @abstractmethod
    def stored(self) -> int:
        """Pieces of work that the next process will not do again."""

    @abstractmethod
    def finished(self, before: int, guess: float, shown: str) -> int:
        """Pieces of work done, if `before` were stored at the start of this process.

        `guess` is how many it has done since by its usual speed, `shown` what it has printed.
        """

    @abstractmethod
    def mark(self) -> object:
        """Something that changes when a checkpoint or the store is being written."""

    @abstractmethod
    def results(self) -> list[Path]:
        """The files that have to be the same in the end."""


@dataclass(frozen=True)
class Fitting(Task):
    """`heap fit`: the features of each image, then training steps."""

    cache: Path
    steps: int

    @property
    def units(self) -> int:
        """Images and steps."""
        return self.images + self.steps

    def stored(self) -> int:
        """Images in the feature store, and steps in the checkpoint."""
        checkpoint = self.out / CHECKPOINT
        step = int(load_checkpoint(checkpoint)["step"]) if checkpoint.exists() else 0
        return self._features() + step

    def finished(self, before: int, guess: float, shown: str) -> int:
        """Images in the feature store, and the last step that was shown."""
        steps = re.findall(rf"training[^\n]*?(\d+)/{self.steps}\b", shown)
        return max(before, self._features() + (int(steps[-1]) if steps else 0))

    def mark(self) -> object:
        """Whether a part of a checkpoint is there."""
        return (self.out / f"{CHECKPOINT}.partial").exists()

    def results(self) -> list[Path]:
        """The model."""
        return [self.out / "model.safetensors", self.out / "config.json"]

    def _features(self) -> int:
        kept = self.cache.rglob("*.safetensors")
        return sum(1 for path in kept if path.parent.name != PRIORS)


class Discovering(Task):
    """`heap discover`: chunks of images.

    How many images of the chunk in hand are done cannot be seen from outside; it is estimated from
    the time.
    """

    @property
    def units(self) -> int:
        """Images."""
        return self.images

    def stored(self) -> int:
        """Images in the store."""
        try:
            return len(RunStore.open(self.out).finished())
        except StoreError:
            return 0

    def finished(self, before: int, guess: float, shown: str) -> int:
        """Images by the time that has passed."""
        return min(before + int(guess), self.images)

    def mark(self) -> object:
        """The files of the store."""
        return [sorted(names) for _, _, names in os.walk(self.out / STORE_NAME)]

    def results(self) -> list[Path]:
        """The objects, and the list of images that failed."""
        return [self.out / "objects.json", self.out / "failed.jsonl"]
