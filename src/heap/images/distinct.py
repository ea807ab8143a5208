"""Keys that differ, whatever is listed together and in whatever order."""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from heap.images.names import parts_of, text_of
from heap.images.source import Source, key_of, name_of


def make_distinct(sources: Sequence[Source], taken: Collection[str] = ()) -> list[Source]:
    """Give images keys that differ from each other and from those that are `taken`.

    All images that share a name get the shortest ends of their paths that tell them apart, so their
    order does not matter.
    """
    distinct = list(sources)
    while True:
        counts = Counter(source.key for source in distinct)
        clashes = [
            number
            for number, source in enumerate(distinct)
            if counts[source.key] > 1 or source.key in taken
        ]
        if not clashes:
            return distinct
        # All of a clash grow, also the first of them: keys must not depend on the order.
        for number in clashes:
            distinct[number] = _lengthen_key(distinct[number])


def ends_with(location: str, key: str) -> bool:
    """Whether the name of an image is the end of a location, in whole names."""
    names = name_of(key).split("/")
    return parts_of(location)[-len(names) :] == names


def _lengthen_key(source: Source) -> Source:
    """Put one more folder in front of the key of an image, or a digest after it at the root."""
    parts, depth = parts_of(source.location), source.key.count("/") + 1
    if depth < len(parts):
        return replace(source, key=key_of("/".join(parts[-depth - 1 :])))
    digest = hashlib.blake2b(text_of(source.location).encode(), digest_size=4).hexdigest()
    return replace(source, key=f"{source.key}~{digest}")
