"""Layout of saliency data sets: a folder of images, and one of masks with the same stems.

Foreground is above 127, as in the classic evaluation of salient objects. Published protocols
binarise differently (FOUND takes only 255, TokenCut everything above 0); on masks that hold
nothing but 0 and 255 there is no difference.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from heap.benchmark.datasets.layout import Contents, Layout, missing_folders, visible_files
from heap.benchmark.datasets.planes import read_grey
from heap.benchmark.datasets.problems import Problem, refuse_problems
from heap.benchmark.metrics.boxes import mask_boxes
from heap.benchmark.truth import Example, Truth
from heap.images.formats import suffixes
from heap.images.source import key_of

_WHITE = 127


@dataclass(frozen=True)
class Pairs(Layout):
    """Names of the two folders."""

    images: str
    masks: str

    def read(self, path: Path, splits: Sequence[str], limit: int | None) -> Contents:
        """Pair the images, by name, with their masks; all are in the split `all`."""
        refuse_problems(missing_folders(path / self.images, path / self.masks))
        images = visible_files(path / self.images, suffixes())
        masks = {Path(name).stem for name in visible_files(path / self.masks, {".png"})}
        chosen = images[:limit]
        twins = Counter(Path(name).stem for name in chosen)
        problems = [] if images else [Problem(str(path / self.images), "has no image in it")]
        problems += [
            Problem(str(self._mask(path, stem)), f"is the mask of {count} images")
            for stem, count in twins.items()
            if count > 1
        ]
        problems += [
            Problem(str(self._mask(path, stem)), "the mask is missing; there is an image for it")
            for stem in twins
            if stem not in masks
        ]
        examples = [
            Example(key_of(name), path / self.images / name, "all", partial(_truth, mask))
            for name in chosen
            if (mask := self._mask(path, Path(name).stem)).stem in masks
        ]
        strays = self._strays(path, masks - {Path(name).stem for name in images})
        return Contents(path, tuple(examples), {"all": len(chosen)}, tuple(problems), strays)

    def _mask(self, path: Path, stem: str) -> Path:
        return path / self.masks / f"{stem}.png"

    def _strays(self, path: Path, alone: set[str]) -> tuple[Problem, ...]:
        return tuple(
            Problem(str(self._mask(path, stem)), "is the mask of no image")
            for stem in sorted(alone)
        )


def _truth(mask: Path, width: int, height: int) -> Truth:
    """Read a mask; boxes are those of its 4-connected parts, for it does not tell objects apart."""
    foreground = read_grey(mask, width, height) > _WHITE
    boxes = mask_boxes(foreground)
    return Truth(boxes, crowds=np.zeros(len(boxes), dtype=bool), foreground=foreground)
