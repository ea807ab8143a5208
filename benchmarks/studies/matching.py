"""Does an object find itself in another picture? By which features objects are to be compared.

On composed pictures, see `benchmarks.composed`, where most objects come up twice, in another place
and at another size. Each object, by its true mask, is looked for among those of the other pictures;
`matching-v1` is the share of those with a twin whose most alike object is one. Objects are compared
by the cosine of

- `mask`: the mean of the patches that the head sees, by how much of each the mask covers;
  `mask, no place` without what features tell of the place in the picture;
- `box`: what the encoder itself says of the box, squeezed to 224 pixels; `box, 160` and `box, 320`
  at another size, `box + 0.1` and `box + 0.25` with so much of its sides around it;

each as it is, and whitened by what was seen in fitting.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32
from PIL import Image
from torch import Tensor

from benchmarks.common import DATA, RUNS, Data
from benchmarks.composed import compose
from benchmarks.report import Row, digest, rows_by
from benchmarks.scoring import share
from benchmarks.study import Measured, Study
from benchmarks.tuned import ENCODERS, fitted_heads
from heap.benchmark.datasets import open_dataset
from heap.features.describe import describe
from heap.images import Picture
from heap.images.held import to_picture
from heap.model.embedding import embed
from heap.model.heap import Heap
from heap.model.objects import tight_box
from heap.store.columns import unit_vectors

BOXES = {
    "box": (224, 0.0),
    "box, 160": (160, 0.0),
    "box, 320": (320, 0.0),
    "box + 0.1": (224, 0.1),
    "box + 0.25": (224, 0.25),
}
"""Side of the square in pixels, and margin in sides of the box."""
WAYS = [
    f"{name}{after}" for name in ("mask", "mask, no place", *BOXES) for after in ("", ", whitened")
]
PLACES = 8
"""Directions of features that tell of the place. Of DINOv2-S, restored, they hold 94 % of what the
places of pictures of noise differ in; more of them change nothing."""
NOISE = 8
"""Pictures of noise: what their patches have in common at a place can be nothing but the place."""
Features = dict[str, Float32[np.ndarray, "object dim"]]


def bench(
    *,
    data: Data = DATA,
    encoder: Sequence[str] = tuple(ENCODERS),
    work: Path = RUNS / "peers",
) -> Measured:
    """Compose the pictures, and look for every object in every way.

    Args:
        data: Folder with `duts-tr/tune`; with what `peers` needs too if models are missing.
        encoder: Those of `peers` to do.
        work: Folder of `peers`, with its models; pictures are added to it.
    """
    pictures = work / "composed"
    if not (pictures / "instances.json").exists():
        compose(data=data, out=pictures)
    rows: list[Row] = []
    about = []
    for heads in fitted_heads(encoder, data, work):
        about.append(heads.about())
        rows += [{"encoder": heads.encoder} | row for row in look_for_all(heads.heap, pictures)]
    images = sorted((pictures / "images").iterdir())
    return Measured(
        data={"set": "duts-tr/tune, composed", "images": len(images), "sha256": digest(images)},
        encoder=about,
        rows=rows,
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Share of the objects that find themselves, by encoder and way."""
    return {
        name: {way: share(of, way) for way in WAYS if way in of[0]}
        for name, of in rows_by(rows, "encoder").items()
    }


def look_for_all(heap: Heap, folder: Path) -> list[Row]:
    """For every object with a twin, whether it is found, in each way."""
    of, named = [], []
    parts: list[Features] = []
    directions = place_directions(heap)
    for place, example in enumerate(open_dataset(f"coco:{folder}").examples):
        picture = example.picture()
        classes = example.truth(picture).classes
        assert classes is not None
        kinds = [int(kind) for kind in np.unique(classes) if kind not in (0, 255)]
        of += [place] * len(kinds)
        named += kinds
        parts.append(features_of(heap, picture, [classes == kind for kind in kinds], directions))
    twins = Counter(named)
    hits_of = {
        way: hits(np.concatenate([part[way] for part in parts]), np.array(of), np.array(named))
        for way in WAYS
    }
    return [
        {"picture": of[at], "object": named[at]} | {way: bool(hits_of[way][at]) for way in WAYS}
        for at in range(len(of))
        if twins[named[at]] > 1
    ]


@torch.inference_mode()
def place_directions(heap: Heap) -> Float32[Tensor, "place dim"]:
    """Directions in which the features of pictures of noise differ most by place (INSID3, 2026)."""
    generator = np.random.default_rng(0)
    side = heap.config.features.resolution
    noise = [
        to_picture(generator.integers(0, 256, (side, side, 3), dtype=np.uint8))
        for _ in range(NOISE)
    ]
    described = describe(heap.encoder, noise, heap.config.features)
    mean = torch.stack([features.patches for features in described]).mean(dim=0)
    _, _, directions = torch.linalg.svd(mean - mean.mean(dim=0), full_matrices=False)
    kept: Tensor = directions[:PLACES]
    return kept


@torch.inference_mode()
def features_of(
    heap: Heap,
    picture: Picture,
    masks: Sequence[Bool[np.ndarray, "height width"]],
    directions: Float32[Tensor, "place dim"],
) -> Features:
    """Features of the objects of a picture in every way."""
    (features,) = describe(heap.encoder, [picture], heap.config.features)
    patches = heap.head.subtract_centre(features.patches)
    shares = torch.from_numpy(np.stack([covered(mask, features.grid) for mask in masks]))
    mean = shares @ patches / shares.sum(dim=1, keepdim=True)
    vectors: Features = {}
    for name, vector in (
        ("mask", mean),
        ("mask, no place", mean - mean @ directions.T @ directions),
    ):
        vectors |= {name: vector.numpy(), f"{name}, whitened": heap.head.whitening(vector).numpy()}
    for name, (side, margin) in BOXES.items():
        crops = [(picture, around(mask, margin)) for mask in masks]
        plain = embed(heap.encoder, crops, side)
        white = heap.head.object_whitening(torch.from_numpy(plain)).numpy()
        vectors |= {name: plain, f"{name}, whitened": white}
    return vectors


def covered(
    mask: Bool[np.ndarray, "height width"], grid: tuple[int, int]
) -> Float32[np.ndarray, " patch"]:
    """Share of each patch that a mask covers, in [0, 1]."""
    whole = Image.fromarray(mask.astype(np.float32))
    return np.asarray(whole.resize((grid[1], grid[0]), Image.Resampling.BOX)).ravel()


def around(mask: Bool[np.ndarray, "height width"], margin: float) -> tuple[float, ...]:
    """The box of a mask, grown by a share of its sides in each direction."""
    x1, y1, x2, y2 = tight_box(mask)
    wide, high = margin * (x2 - x1), margin * (y2 - y1)
    return x1 - wide, y1 - high, x2 + wide, y2 + high


def hits(
    vectors: Float32[np.ndarray, "object dim"], of: np.ndarray, named: np.ndarray
) -> Bool[np.ndarray, " object"]:
    """Whether the most alike object of another picture is the same one."""
    like = unit_vectors(vectors) @ unit_vectors(vectors).T
    like[of[:, None] == of] = -np.inf
    return np.asarray(named[like.argmax(axis=1)] == named)


STUDY = Study("matching-v1", bench, summarise)
