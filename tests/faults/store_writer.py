"""A process that writes made-up results to a run until it is told, or forced, to stop.

Usage: store_writer.py RUN IMAGES CHUNK [BYTES]: prints the number of images that are safely stored
after each chunk; BYTES limits the size of any file it writes, as a full disk would.
"""

import resource
import sys
from itertools import islice
from pathlib import Path

import numpy as np

from heap.base.errors import HeapError
from heap.images.failures import Failure
from heap.results import ImageResult, Objects, Regions, Rle
from heap.store.records import Finished
from heap.store.store import RunStore

CONFIG = {"made": "up"}
DIM = 16


def record(place: int) -> Finished | Failure:
    """What is found in image number `place`; every fifth fails, every fifth is empty."""
    key = f"{place % 7}/image {place:04d}.jpg"
    if place % 5 == 0:
        return Failure(key, "decode", f"torn at byte {place}")
    draw = np.random.default_rng(place)
    count = 0 if place % 5 == 1 else place % 4 + 1

    def normal(*shape: int) -> np.ndarray:
        return draw.normal(size=shape).astype(np.float32)

    result = ImageResult(
        key=key,
        width=20,
        height=12,
        objects=Objects(
            boxes=normal(count, 4),
            scores=normal(count),
            masks=tuple(Rle.encode(normal(12, 20) > 0) for _ in range(count)),
            embeddings=normal(count, DIM),
            regions=draw.integers(0, 3, count),
        ),
        regions=Regions(
            label_map=draw.integers(0, 3, (3, 5)),
            embeddings=normal(3, DIM),
            scores=normal(3),
            areas=normal(3),
        ),
        saliency=normal(3, 5),
        foreground=normal(DIM),
        background=normal(DIM),
    )
    return Finished(result, thumbnail=draw.bytes(3000))


def write(run: Path, images: int, chunk: int) -> None:
    """Add what is missing of a run of `images` images."""
    with RunStore.create_or_open(run, CONFIG) as store:
        finished = store.finished()
        todo = (item for item in map(record, range(images)) if item.key not in finished)
        done = len(finished)
        print(done, flush=True)
        while records := list(islice(todo, chunk)):
            store.add(records)
            done += len(records)
            print(done, flush=True)
        store.compact()


if __name__ == "__main__":
    if len(sys.argv) > 4:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]),) * 2)
    try:
        write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    except HeapError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
