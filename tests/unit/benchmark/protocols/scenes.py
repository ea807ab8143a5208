"""Outcomes of small images, with all that a test wants to choose of them."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from heap.benchmark.protocols import Protocol, Row
from heap.benchmark.protocols.outcome import Edges, Outcome
from heap.benchmark.truth import Truth
from heap.features.describe import PatchFeatures
from heap.methods.finding import Finding, Observed

DARK, BRIGHT = 40, 220


def drawn(*rows: str) -> np.ndarray:
    """A map: a digit is so many tenths, `.` is 0, `#` is 1."""
    values = {".": 0.0, "#": 1.0} | {str(tenth): tenth / 10 for tenth in range(10)}
    return np.array([[values[sign] for sign in row] for row in rows], dtype=np.float32)


def marked(*rows: str) -> np.ndarray:
    """A mask: where there is no `.`."""
    return drawn(*rows) > 0


def blocks(cells: np.ndarray, side: int) -> np.ndarray:
    """Each cell as a square of pixels."""
    return cells.repeat(side, axis=0).repeat(side, axis=1)


def painted(mask: np.ndarray) -> np.ndarray:
    """A picture that is bright on the mask and dark elsewhere."""
    grey = np.where(mask, BRIGHT, DARK).astype(np.uint8)
    return np.stack([grey] * 3, axis=-1)


def seen(
    found: Finding | np.ndarray,
    *,
    cell: int = 1,
    size: tuple[int, int] | None = None,
    pixels: np.ndarray | None = None,
    features: np.ndarray | None = None,
    **truth: Any,
) -> Outcome:
    """An outcome whose patches are squares of `cell` pixels, if no other `size` is given.

    A bare map is the saliency, and its connected parts are the objects. The picture is flat and
    the features are noise, if nothing else is said. There are no boxes, and no box is a crowd.
    """
    finding = found if isinstance(found, Finding) else Finding.of_saliency(found)
    rows, cols = finding.saliency.shape
    height, width = size or (rows * cell, cols * cell)
    if pixels is None:
        pixels = painted(np.zeros((height, width), dtype=bool))
    if features is None:
        features = np.random.default_rng(0).normal(size=(rows * cols, 4))
    patches = torch.from_numpy(features.astype(np.float32))
    attention = torch.full((1, rows * cols), 1 / (rows * cols))
    observed = Observed(PatchFeatures(patches, attention, None, (rows, cols)), pixels)
    boxes: np.ndarray = truth.get("boxes", np.zeros((0, 4)))
    annotation = {"boxes": boxes, "crowds": np.zeros(len(boxes), dtype=bool)} | truth
    return Outcome(observed, finding, Truth(**annotation), Edges(pixels, width, height))


def through_json(rows: Sequence[Row]) -> list[Row]:
    """As a journal or a file of results gives them back."""
    kept: list[Row] = json.loads(json.dumps(rows))
    return kept


def scored(
    protocol: Protocol, rows: Sequence[Row]
) -> tuple[dict[str, float], list[Row], dict[str, Any]]:
    """Values, final rows and notes."""
    final, notes = protocol.finish(through_json(rows))
    final = through_json(final)
    values = [each.value() for each in protocol.values(final, notes)]
    return {name: value for each in values for name, value in each.items()}, final, notes
