"""Lines above and below a table: its data, its protocols, and images that failed."""

from collections.abc import Sequence

from heap.benchmark.tables.groups import Group, Named
from heap.benchmark.tables.layout import Column

_DIGITS = 12
"""Digits of a fingerprint that are printed."""


def describe_data(group: Group, columns: Sequence[Column] = ()) -> tuple[str, ...]:
    """Describe the data of a group, and the protocols of the columns."""
    data = group.first.data
    lines = [f"data: {data.label}, {data.images:,} images, SHA-256 {data.sha256[:_DIGITS]}"]
    if protocols := dict.fromkeys(column.protocol for column in columns):
        lines.append(f"protocols: {', '.join(protocols)}")
    scored = {
        name: scores.notes["scored"]
        for results in group.results
        for name, scores in results.protocols.items()
        if name in protocols and "scored" in scores.notes
    }
    lines += [f"{name} scores {count:,} of these images" for name, count in scored.items()]
    return tuple(lines)


def describe_failures(groups: Sequence[Named]) -> tuple[str, ...]:
    """Number of images that could not be used, for methods that have any."""
    counts = {
        f"{label}, {group.first.encoder.label}": max(
            len(results.data.failed) for results in group.results
        )
        for label, group in groups
    }
    return tuple(
        f"{name}: {count} images could not be used" for name, count in counts.items() if count
    )
