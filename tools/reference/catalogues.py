"""Pages of what has a name: protocols, methods, formats of exports, encoders."""

import json
from collections.abc import Iterator
from dataclasses import fields

from writing import WRITTEN, code, table

from heap.benchmark.protocols import PROTOCOLS
from heap.benchmark.run.methods import METHODS
from heap.encoder.files import file_digest
from heap.encoder.registry import CARDS, PACKAGE_WEIGHTS, PACKAGED
from heap.export.formats import FORMATS


def protocols() -> str:
    """Return the page of the named evaluations, with every choice of each."""
    text = (
        f"{WRITTEN}# Protocols\n\nEach is a frozen set of choices with a version in its name, "
        "which is never given to other choices. [How a number comes about]"
        "(../evaluation.md#how-a-number-comes-about).\n\n"
    )
    task = ""
    for protocol in PROTOCOLS.values():
        if protocol.task != task:
            task = protocol.task
            text += f"## {task.capitalize()}\n\n"
        text += f"### {protocol.name}\n\n{protocol.about()}\n\n"
        choices = (
            (name, ", ".join(map(str, value)) if isinstance(value, tuple) else str(value))
            for name, value in protocol.choices().items()
        )
        text += table(("choice", ""), choices)
    return text.rstrip("\n") + "\n"


def methods() -> str:
    """Return the page of the methods that can be evaluated."""
    text = (
        f"{WRITTEN}# Methods\n\nWhat `heap evaluate --method` takes. "
        "[What is left out of each peer, or ours](../evaluation.md#the-peers).\n\n"
    )
    for card in METHODS.values():
        text += f"## {card.name}\n\n{card.about}\n\n"
        if settings := [field.name for field in fields(card.kind) if field.name not in card.fixed]:
            text += f"Settings: {', '.join(map(code, settings))}.\n\n"
        if card.grid:
            text += "`heap tune` tries\n\n```json\n"
            text += "".join(f"{json.dumps(values)}\n" for values in card.grid) + "```\n\n"
    return text.rstrip("\n") + "\n"


def formats() -> str:
    """Return the page of the formats of exports."""
    text = (
        f"{WRITTEN}# Formats\n\nWhat `heap export --format` and `run.export` take. "
        "[What is written in each, and how classes, names and masks fit into it]"
        "(../formats.md).\n\n"
    )
    rows = (
        (
            code(name), about.reader, about.images, code(about.folder), ", ".join(about.kinds),
            about.otherwise,
        )
        for name, about in FORMATS.items()
    )  # fmt: skip
    head = ("format", "read by", "images", "their folder", "kept as they are", "others become")
    return (text + table(head, rows)).rstrip("\n") + "\n"


def encoders() -> str:
    """Return the page of the encoders with a short name, and of the files of those packaged."""
    text = (
        f"{WRITTEN}# Encoders\n\nWhat `--encoder` takes by a short name; `heap models get NAME` "
        "brings one here. [Others](../models.md).\n\n"
    )
    rows = (
        (
            code(card.alias), card.repo or "inside the package", card.family,
            f"{card.parameters:g}", str(card.patch), str(card.dim), card.licence, card.note,
        )
        for card in CARDS.values()
    )  # fmt: skip
    head = ("name", "on the hub", "family", "10⁶ weights", "patch", "channels", "licence", "note")
    text += table(head, rows) + "## Weights inside the package\n\n"
    text += "How each was made is in its card.\n\n"
    text += table(("file", "bytes", "SHA-256", "card"), _weights())
    return text.rstrip("\n") + "\n"


def _weights() -> Iterator[tuple[str, str, str, str]]:
    for alias in PACKAGED:
        for path in sorted((PACKAGE_WEIGHTS / alias).rglob("*.safetensors")):
            place = path.relative_to(PACKAGE_WEIGHTS).as_posix()
            folder = f"../../src/heap/weights/{path.parent.relative_to(PACKAGE_WEIGHTS).as_posix()}"
            card = f"[card]({folder}/README.md)"
            yield code(place), f"{path.stat().st_size:,}", code(file_digest(path)), card
