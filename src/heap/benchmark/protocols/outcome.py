"""Outcome of a method on one image: its finding, the annotation, and maps for all protocols."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8
from PIL import Image
from scipy.ndimage import label
from scipy.special import expit

from heap.benchmark.metrics.boxes import cells_box
from heap.benchmark.truth import Truth
from heap.images import Geometry
from heap.masks.bilateral_solver import (
    FOREGROUND,
    TRUSTED_IOU,
    Bilateral,
    BilateralGrid,
    solve_mask,
)
from heap.masks.guided_filter import GuidedFilter, resize
from heap.methods.finding import THRESHOLD, Finding, GridObject, Observed
from heap.model.objects import Upsample, make_upsample, pixel_masks, resize_mask

Refine = Literal["none", "guided", "solver"]
"""Way from saliency on patches to saliency on pixels; below, the texts for two of these."""
_FILTER, _SOLVER = GuidedFilter(), Bilateral()
GUIDED = (
    f"guided (upsampled by a guided filter, radius {_FILTER.radius} pixels at the area of "
    f"{_FILTER.side} x {_FILTER.side}, epsilon {_FILTER.epsilon:g})"
)
SOLVER = (
    f"solver (bilateral solver on the mask above {THRESHOLD}: sigma {_SOLVER.sigma_spatial} "
    f"pixels, {_SOLVER.sigma_luma} luma, {_SOLVER.sigma_chroma} chroma, lambda "
    f"{_SOLVER.smoothness:g}, at most {_SOLVER.iterations} steps; its mask is cut at {FOREGROUND}, "
    f"with holes filled, and used only if its IoU with the mask before is above {TRUSTED_IOU})"
)


@dataclass(frozen=True)
class Edges:
    """Edges of a picture that maps follow; computed once, for all methods that are run on it."""

    pixels: UInt8[np.ndarray, "decoded_h decoded_w 3"]
    """Pixels as decoded, those of large pictures at a fraction of their size."""
    width: int
    height: int
    """Width and height of the upright original, in pixels."""

    @cached_property
    def interpolated(self) -> Upsample:
        """Upsampling that follows no edges."""
        return make_upsample(self.pixels, refine=False)

    @cached_property
    def guided(self) -> Upsample:
        """Upsampling that follows the picture by a guided filter."""
        return make_upsample(self.pixels, refine=True)

    @cached_property
    def bilateral_grid(self) -> BilateralGrid:
        """Grid of the bilateral solver, at the size of the annotation."""
        if self.pixels.shape[:2] == (self.height, self.width):
            return BilateralGrid.of(self.pixels)
        full = Image.fromarray(self.pixels).resize((self.width, self.height))
        return BilateralGrid.of(np.asarray(full))


@dataclass(frozen=True)
class Outcome:
    """Finding of a method in an image, with the annotation; maps are computed once."""

    observed: Observed
    finding: Finding
    truth: Truth
    edges: Edges

    @property
    def geometry(self) -> Geometry:
        """Geometry between the grid and the original."""
        rows, cols = self.finding.saliency.shape
        return Geometry(self.edges.width, self.edges.height, cols, rows, 1)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the original."""
        return self.edges.height, self.edges.width

    @cached_property
    def smooth(self) -> Float32[np.ndarray, "height width"]:
        """Saliency, interpolated bilinearly to the original, as logits if the finding has them.

        Outlines depend on it: where sure patches meet, saliency is 0.5 half way between them, and
        logits are 0 nearer to the less sure one.
        """
        if self.finding.logits is not None:
            sure: np.ndarray = expit(resize(self.finding.logits, self.size))
            return sure
        return resize(self.finding.saliency, self.size)

    @cached_property
    def guided(self) -> Float32[np.ndarray, "height width"]:
        """Saliency, upsampled with the picture as guide."""
        return self.guide(self.finding.saliency)

    @cached_property
    def seed_part(self) -> Bool[np.ndarray, "grid_h grid_w"]:
        """The foreground part that holds the most salient patch; the largest of several such."""
        saliency = self.finding.saliency
        numbered, _ = label(saliency > THRESHOLD)
        seeds = np.unique(numbered[(saliency == saliency.max()) & (numbered > 0)])
        parts = [numbered == number for number in seeds]
        return max(parts, key=np.count_nonzero, default=np.zeros(saliency.shape, dtype=bool))

    @cached_property
    def solved(
        self,
    ) -> tuple[Float32[np.ndarray, "height width"], Bool[np.ndarray, "height width"]]:
        """The foreground of `smooth` after the bilateral solver, soft and as a mask."""
        return solve_mask(self.edges.bilateral_grid, self.smooth > THRESHOLD)

    @cached_property
    def boxes(self) -> Float64[np.ndarray, "object 4"]:
        """Box of the cells of each object, in the original."""
        boxes = [cells_box(part.cells, self.geometry) for part in self.finding.objects]
        return np.array(boxes).reshape(-1, 4)

    @cached_property
    def candidates(self) -> tuple[GridObject, ...]:
        """The objects, and after them the further guesses, for methods that have any."""
        return self.finding.objects + self.finding.proposals

    @cached_property
    def candidate_boxes(self) -> Float64[np.ndarray, "candidate 4"]:
        """Box of the cells of each candidate, in the original."""
        guesses = [cells_box(part.cells, self.geometry) for part in self.finding.proposals]
        return np.concatenate([self.boxes, np.array(guesses).reshape(-1, 4)])

    @property
    def candidate_scores(self) -> Float64[np.ndarray, " candidate"]:
        """Scores of the candidates; all objects come before all further guesses."""
        return np.array([part.score for part in self.candidates], dtype=np.float64)

    @cached_property
    def candidate_masks(self) -> Bool[np.ndarray, "candidate height width"]:
        """Pixels of each candidate, interpolated."""
        return np.concatenate([self.masks, self._guesses(refine=False)])

    @cached_property
    def candidate_guided_masks(self) -> Bool[np.ndarray, "candidate height width"]:
        """Pixels of each candidate, upsampled with the picture as guide."""
        return np.concatenate([self.guided_masks, self._guesses(refine=True)])

    @cached_property
    def masks(self) -> Bool[np.ndarray, "object height width"]:
        """Pixels of each object, interpolated; disjoint."""
        return self._masks(refine=False)

    @cached_property
    def guided_masks(self) -> Bool[np.ndarray, "object height width"]:
        """Pixels of each object, upsampled with the picture as guide; disjoint."""
        return self._masks(refine=True)

    @property
    def scores(self) -> Float64[np.ndarray, " object"]:
        """Scores of the objects, best first."""
        return np.array([part.score for part in self.finding.objects], dtype=np.float64)

    def guide(
        self, plane: Float32[np.ndarray, "grid_h grid_w"]
    ) -> Float32[np.ndarray, "height width"]:
        """Upsample a map in [0, 1] with the picture as guide."""
        fine = self.edges.guided(plane[None])[0]
        return fine if fine.shape == self.size else resize(fine, self.size)

    def _masks(self, *, refine: bool) -> Bool[np.ndarray, "object height width"]:
        cells = [part.cells for part in self.finding.objects]
        return self._pixels(self.finding.saliency, cells, refine=refine)

    def _guesses(self, *, refine: bool) -> Bool[np.ndarray, "guess height width"]:
        # One at a time: masks of one call are disjoint, and guesses overlap.
        masks = [
            self._pixels(part.cells.astype(np.float32), [part.cells], refine=refine)
            for part in self.finding.proposals
        ]
        return np.concatenate(masks) if masks else np.zeros((0, *self.size), dtype=bool)

    def _pixels(
        self,
        saliency: Float32[np.ndarray, "grid_h grid_w"],
        cells: Sequence[Bool[np.ndarray, "grid_h grid_w"]],
        *,
        refine: bool,
    ) -> Bool[np.ndarray, "object height width"]:
        upsample = self.edges.guided if refine else self.edges.interpolated
        masks = pixel_masks(saliency, cells, upsample, THRESHOLD)
        full = [resize_mask(mask, (self.edges.width, self.edges.height))[1] for mask in masks]
        return np.stack(full) if full else np.zeros((0, *self.size), dtype=bool)
