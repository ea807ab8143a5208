"""The JSON file of a result: what was measured, with what, and a row for each image."""

import hashlib
import json
import platform
import shlex
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heap.benchmark.results import machine_info, round_floats

if TYPE_CHECKING:
    from heap.model.heap import Heap

Row = dict[str, Any]
Summarise = Callable[[list[Row]], dict[str, Any]]
RESULTS = Path("benchmarks/results")
DIGITS = 4
"""Digits of floats in rows."""


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


def others_in(out: Path, encoders: Collection[str]) -> tuple[list[Row], list[Row]]:
    """Rows of other encoders in an earlier result, and descriptions of these encoders, if any.

    So that an encoder can be measured again without all the others.
    """
    if not out.exists():
        return [], []
    earlier = json.loads(out.read_text(encoding="utf-8"))
    rows = [row for row in earlier["rows"] if row.get("encoder") and row["encoder"] not in encoders]
    return rows, [about for about in earlier["encoder"]["each"] if about["name"] not in encoders]


def markdown(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Table in Markdown: the names of its columns, and a line for each row."""
    lines = [f"| {' | '.join(cells)} |\n" for cells in (names, *rows)]
    return "".join([lines[0], "|---" * len(names) + "|\n", *lines[1:]])


def write_report(
    name: str,
    out: Path,
    *,
    protocol: str,
    data: Mapping[str, Any],
    encoder: Mapping[str, Any],
    rows: list[Row],
    summarise: Summarise,
    **measured: Any,
) -> None:
    """Write the result of the benchmark `name`, and print it without its rows.

    The summary is made from the rows as they are written, so that it can be made again from the
    file. What is `measured` are the figures that it cannot be made from: times and memory.
    """
    rows = round_floats(rows, DIGITS)
    summary = round_floats(summarise(rows))
    about = {
        "name": name,
        "protocol": protocol,
        "command": shlex.join(["python", "-m", f"benchmarks.{name}", *sys.argv[1:]]),
        "data": data,
        "encoder": encoder,
        "versions": {name: version(name) for name in ("heap", "torch", "transformers")}
        | {"python": platform.python_version()},
        "machine": machine_info(),
        "summary": summary,
        "measured": round_floats(measured, DIGITS),
    }
    lines = ",\n".join(json.dumps(row) for row in rows)
    text = json.dumps(about, indent=1).removesuffix("\n}") + f',\n "rows": [\n{lines}\n]}}\n'
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    sys.stdout.write(
        json.dumps({"summary": summary, "measured": round_floats(measured, DIGITS)}, indent=1)
        + "\n"
    )
