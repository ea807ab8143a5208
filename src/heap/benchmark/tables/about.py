"""What stands above a table: its data and its protocols."""

from collections.abc import Sequence

from heap.benchmark.tables.groups import Group, Named
from heap.benchmark.tables.layout import Column

_DIGITS = 12
"""Of a fingerprint that are printed."""


def about_data(group: Group, columns: Sequence[Column] = ()) -> tuple[str, ...]:
    """The data of a group, and the protocols of some columns."""
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


def failures(groups: Sequence[Named]) -> tuple[str, ...]:
    """How many images could not be used, for each method where there were any."""
    counts = {
        f"{label}, {each.first.encoder.label}": max(len(one.data.failed) for one in each.results)
        for label, each in groups
    }
    return tuple(
        f"{name}: {count} images could not be used" for name, count in counts.items() if count
    )
