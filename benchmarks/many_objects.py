"""A run with as many objects as are wanted: crops of the demo photos with drawn masks."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image, ImageOps
from scipy.ndimage import gaussian_filter, zoom

from benchmarks.common import images_in
from heap.categories.edit import reject, rename
from heap.categories.sorting import sort_objects
from heap.images.failures import Failure
from heap.images.prefetch import chunks
from heap.masks.scaling import thumbnail
from heap.results import ImageResult, Objects, Regions, Rle
from heap.store.editing import Editor
from heap.store.records import Finished
from heap.store.store import RunStore

_PHOTOS = Path("demo/photos")
_DIM = 16
_KINDS = 20
_CHUNK = 250
_SIZES = ((480, 360), (480, 320), (360, 480), (400, 400))


def make_run(folder: Path, objects: int) -> None:
    """Write the run: five objects for every two images, one image in ten without, sorted.

    Every run of as many objects is the same.
    """
    torn = Failure("torn.jpg", "decode", "the file ends too early")
    write_records(folder, chain(_records(_counts(objects)), [torn]))
    with Editor(folder) as editor:
        sort_objects(editor, _KINDS)
        rename(editor, {1: "first things", 2: "second things"})
        reject(editor, [_KINDS])


def make_records(count: int) -> list[Finished]:
    """Return the first images of such a run."""
    return list(_records(islice(_counts(10 * count), count)))


def write_records(folder: Path, records: Iterable[Finished | Failure]) -> None:
    """Write the store of a run without a model."""
    with RunStore.create_or_open(folder, {"made": "up"}) as store:
        for chunk in chunks(records, _CHUNK):
            store.add(chunk)
        store.compact()


def _records(counts: Iterable[int]) -> Iterator[Finished]:
    """Images with so many objects."""
    photos = [_opened(path) for path in images_in(_PHOTOS)]
    directions = np.random.default_rng(0).normal(size=(_KINDS, _DIM)).astype(np.float32)
    for number, count in enumerate(counts):
        yield _record(number, count, photos[number % len(photos)], directions)


def _counts(objects: int) -> Iterator[int]:
    """Numbers of objects in the images."""
    while objects > 0:
        for count in (4, 2, 3, 0, 2, 3, 4, 1, 3, 3):
            yield min(count, objects)
            objects -= min(count, objects)


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as photo:
        return ImageOps.exif_transpose(photo).convert("RGB")


def _record(
    number: int, count: int, photo: Image.Image, directions: Float32[np.ndarray, "kind dim"]
) -> Finished:
    draw = np.random.default_rng(number)
    pixels = _crop(photo, _SIZES[number % len(_SIZES)], draw)
    height, width = pixels.shape[:2]
    masks = [_mask((height, width), draw) for _ in range(count)]
    kinds = draw.integers(len(directions), size=count)
    none = np.zeros((2, _DIM), dtype=np.float32)
    result = ImageResult(
        key=f"{number % 7}/photo {number:05d}.jpg",
        width=width,
        height=height,
        objects=Objects(
            boxes=np.array([_box(mask) for mask in masks], dtype=np.float32).reshape(-1, 4),
            scores=np.sort(draw.random(count, dtype=np.float32))[::-1].copy(),
            masks=tuple(map(Rle.encode, masks)),
            embeddings=directions[kinds] + draw.normal(0, 0.4, (count, _DIM)).astype(np.float32),
            regions=np.zeros(count, dtype=np.int64),
        ),
        regions=Regions(draw.integers(0, 2, (15, 20)), none, none[:, 0], none[:, 0]),
        saliency=np.zeros((15, 20), dtype=np.float32),
        foreground=none[0],
        background=none[0],
    )
    return Finished(result, thumbnail(pixels))


def _crop(
    photo: Image.Image, size: tuple[int, int], draw: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """Some part of a photo, possibly mirrored, at `size` (width, height)."""
    scale = draw.uniform(0.6, 1) * min(photo.width / size[0], photo.height / size[1])
    across, down = size[0] * scale, size[1] * scale
    left, top = draw.uniform(0, photo.width - across), draw.uniform(0, photo.height - down)
    part = photo.resize(size, Image.Resampling.BILINEAR, (left, top, left + across, top + down))
    pixels = np.asarray(part)
    return pixels[:, ::-1] if draw.random() < 0.5 else pixels


def _mask(shape: tuple[int, int], draw: np.random.Generator) -> Bool[np.ndarray, "height width"]:
    """A blob with an uneven outline, about as large as objects are."""
    height, width = shape
    rows, columns = np.mgrid[:height, :width]
    radius = draw.uniform(0.08, 0.4) * min(shape)
    across, down = draw.uniform(radius, width - radius), draw.uniform(radius, height - radius)
    uneven = zoom(gaussian_filter(draw.normal(size=(24, 24)), 1.2), 4, order=1)
    bumps = np.asarray(Image.fromarray(uneven.astype(np.float32)).resize((width, height)))
    distance = np.hypot(rows - down, columns - across) / radius
    mask: Bool[np.ndarray, "height width"] = distance + bumps < 1
    if not mask.any():
        mask[int(down), int(across)] = True
    return mask


def _box(mask: Bool[np.ndarray, "height width"]) -> tuple[int, int, int, int]:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
