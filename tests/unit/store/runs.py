"""Runs with objects whose embeddings are known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from heap.store.records import Finished
from heap.store.store import RunStore

from .test_store import CONFIG, example

DIM = 3


def around(direction: Sequence[float], count: int, seed: int, noise: float = 0.1) -> np.ndarray:
    """Vectors of any length near a direction."""
    draw = np.random.default_rng(seed)
    near = np.array(direction) + noise * draw.normal(size=(count, DIM))
    return (near * draw.uniform(0.5, 2, size=(count, 1))).astype(np.float32)


def add(run: Path, images: Mapping[str, np.ndarray]) -> None:
    """Images with one object for each of these vectors."""
    with RunStore.create_or_open(run, CONFIG) as store:
        for seed, (key, vectors) in enumerate(images.items()):
            result = example(key, len(vectors), seed)
            objects = replace(result.objects, embeddings=vectors)
            store.add([Finished(replace(result, objects=objects))])
