"""Images with names that a program holds, as sources that can be read like files.

They come as a mapping of names to images or as pairs (name, image), also from an iterator that is
read once and whose length nobody knows. An image is anything that `heap.images.held` takes.
"""

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, NoReturn

from heap.base.errors import ImageError, InputError
from heap.images.held import encode, is_pair, single_source
from heap.images.listing import Place
from heap.images.prefetch import map_ahead
from heap.images.source import Source, key_of

Pair = tuple[str, Any]
Images = Place | Iterable[Place] | Mapping[str, Any] | Iterable[Pair]
"""Images of a run or a fit: places, or images with names."""

_HINT = (
    "images are places (files, folders, globs, lists, URLs), or images with names: "
    "{name: image}, or pairs (name, image) from any iterable"
)


@dataclass(frozen=True)
class Named:
    """Image with a name that a program holds."""

    source: Source
    kept: bytes | None
    """Encoded bytes of an image that has no place of its own; None if it can be read again."""
    note: str | None = None
    """Note of what was made up when it was encoded."""


def split_images(images: Images) -> tuple[Sequence[Place], None] | tuple[None, Iterator[Pair]]:
    """Tell places from images with names, by the first of them.

    Raises:
        InputError: if they are neither, saying what to do.
    """
    if isinstance(images, str | os.PathLike):
        return [images], None
    try:
        items: Iterator[Any] = iter(images.items() if isinstance(images, Mapping) else images)
    except TypeError:
        raise InputError(f"images are {images!r:.80}; {_HINT}") from None
    first = list(islice(items, 1))
    if not first:
        raise InputError(f"no image was given: {_HINT}")
    if isinstance(first[0], str | os.PathLike):
        return [*first, *items], None
    # At once, before there is a folder of a run.
    _check_name(0, first[0])
    return None, _checked(chain(first, items))


def refuse_iterator(images: Images, why: str) -> None:
    """Refuse an iterator, which can be read once only, where it is read twice.

    Raises:
        InputError: if this is one.
    """
    if isinstance(images, Iterator):
        raise InputError(f"{why}, and an iterator can be read once; give a list or a mapping")


def _checked(items: Iterable[Any]) -> Iterator[Pair]:
    """Pairs with names that differ, as keys; anything else is refused when it comes."""
    names: set[str] = set()
    for number, item in enumerate(items):
        _check_name(number, item)
        key = key_of(item[0])
        if key in names:
            raise InputError(f"two images have the name {item[0]!r}; names tell images apart")
        names.add(key)
        yield key, item[1]


def _check_name(number: int, item: Any) -> None:
    if not is_pair(item) or not item[0]:
        raise InputError(f"image {number} has no name, which tells it from the others; {_HINT}")


def to_named(pair: Pair) -> Named:
    """Image of a pair; reading the source of one that cannot be used raises the reason."""
    key, image = pair
    try:
        if not isinstance(image, str | os.PathLike):
            data, note = encode(image, key)
            return Named(Source(key, "", partial(io.BytesIO, data)), data, note)
        return Named(replace(single_source(os.fspath(image)), key=key), None)
    except (InputError, ImageError) as error:
        reason = error.reason if isinstance(error, ImageError) else str(error)
        return Named(Source(key, "", partial(_refuse, reason)), None)


def spool(
    pairs: Iterator[Pair],
    folder: Path,
    most: int,
    pool: ThreadPoolExecutor,
    check: Callable[[], None],
) -> list[Source]:
    """Files in `folder` of up to twice `most` images, spread evenly over all that come."""
    kept: list[Source] = []
    stride = 1

    def write(numbered: tuple[int, Pair]) -> Source:
        named = to_named(numbered[1])
        if named.kept is None:
            return named.source
        path = folder / str(numbered[0])
        path.write_bytes(named.kept)
        return Source(named.source.key, str(path))

    def chosen() -> Iterator[tuple[int, Pair]]:
        for number, pair in enumerate(pairs):
            check()
            if number % stride == 0:
                yield number, pair

    depth = os.cpu_count() or 1
    for source in map_ahead(chosen(), write, pool, depth):
        kept.append(source)
        if len(kept) >= 2 * most + depth:
            # Every second one goes, and of those to come as many.
            for dropped in kept[1::2]:
                if Path(dropped.location).parent == folder:
                    Path(dropped.location).unlink()
            kept, stride = kept[::2], 2 * stride
    return kept


def _refuse(reason: str) -> NoReturn:
    raise InputError(reason)
