"""Descriptions of data and encoders in reports, and tables in Markdown."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heap.benchmark.results.estimate import Values
    from heap.model.heap import Heap

Row = dict[str, Any]
NO_ENCODER = {"name": "none", "fingerprint": "0" * 16}
"""Description for studies of what no model has made."""


def about_data(name: str, images: Sequence[Path], masks: str = "masks") -> dict[str, Any]:
    """Describe the images that were used, and their `masks`, a folder beside that of the images."""
    parts = [
        path
        for image in images
        for path in (image, image.parent.with_name(masks) / f"{image.stem}.png")
    ]
    return {"set": name, "images": len(images), "sha256": digest(parts)}


def digest(paths: Sequence[Path]) -> str:
    """SHA-256 over the names and bytes of files, the first 16 digits."""
    whole = hashlib.sha256()
    for path in paths:
        whole.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:16]


def about_encoder(heap: "Heap") -> dict[str, Any]:
    """Describe the encoder, layer and precision of the features."""
    features = heap.config.features
    return {
        "name": Path(features.encoder).name,
        "fingerprint": heap.encoder.fingerprint[:16],
        "layer": features.layer,
        "facet": features.facet,
        "precision": heap.encoder.precision,
    }


def about_encoders(encoders: Sequence[Row]) -> dict[str, Any]:
    """The same of several, of each what `about_encoder` says, under one name and fingerprint."""
    joined = hashlib.sha256(
        "".join(encoder["fingerprint"] for encoder in encoders).encode()
    ).hexdigest()
    names = ", ".join(encoder["name"] for encoder in encoders)
    return {"name": names, "fingerprint": joined[:16], "each": list(encoders)}


def markdown(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Table in Markdown: the names of its columns, and a line for each row."""
    lines = [f"| {' | '.join(cells)} |\n" for cells in (names, *rows)]
    return "".join([lines[0], "|---" * len(names) + "|\n", *lines[1:]])


def rows_by(rows: Iterable[Row], name: str) -> dict[Any, list[Row]]:
    """Rows that have such a value, by it, in the order in which its values come first."""
    grouped: dict[Any, list[Row]] = {}
    for row in rows:
        if name in row:
            grouped.setdefault(row[name], []).append(row)
    return grouped


def gaps(ours: "Values", theirs: "Values") -> dict[str, Any]:
    """Mean difference of each value, and its interval by the paired bootstrap over images."""
    return {
        name: {"mean": difference.value, "interval": [difference.low, difference.high]}
        for name, difference in ours.difference(theirs).items()
    }
