"""Commands that list protocols, methods and data sets."""

import json
from dataclasses import fields

from cyclopts import App

from heap.cli.app import err_console, out_console
from heap.cli.bars import Bars


def protocols(name: str | None = None, /) -> None:
    """List the named evaluations, or print all the choices of one.

    Example: heap protocols saliency-found-v1

    Args:
        name: One of those listed.
    """
    from heap.benchmark.protocols import PROTOCOLS, find_protocol

    if name is not None:
        protocol = find_protocol(name)
        out_console.print(f"{name}\n\n{protocol.about()}\n")
        for choice, value in protocol.choices().items():
            out_console.print(
                f"  {choice}: {', '.join(map(str, value)) if isinstance(value, tuple) else value}"
            )
        return
    task = ""
    for protocol in PROTOCOLS.values():
        if protocol.task != task:
            task = protocol.task
            out_console.print(task, style="bold")
        out_console.print(f"  {protocol.name:<36}{protocol.in_short()}")


def methods() -> None:
    """List the methods that can be evaluated, their settings, and what `heap tune` tries."""
    from heap.benchmark.run.methods import METHODS

    for card in METHODS.values():
        out_console.print(card.name, style="bold")
        out_console.print(f"    {card.about}")
        if settings := [field.name for field in fields(card.kind) if field.name not in card.fixed]:
            out_console.print(f"    settings: {', '.join(settings)}")
        if card.grid:
            out_console.print(f"    tuned over: {'  '.join(map(json.dumps, card.grid))}")


datasets = App(name="datasets", help="List the data sets, or check one.", sort_key=10.5)


@datasets.default
def list_datasets() -> None:
    """List the data sets that can be evaluated on: layout, splits, counts and checksums.

    Nothing is downloaded. What is marked with ? was not verified by us on the data themselves.
    Example: heap datasets check ecssd /data/ECSSD
    """
    from heap.benchmark.datasets import describe_datasets

    for entry in describe_datasets():
        out_console.print(entry["name"], style="bold")
        out_console.print(f"    {entry['about']}")
        for split in entry["splits"]:
            count = split["images"] if split["images"] is not None else "any number of"
            doubt = " ?" if split["images"] is not None and not split["verified"] else ""
            out_console.print(f"    {split['name']}: {count} images{doubt}")
        for check in entry["checksums"]:
            doubt = "" if check["verified"] else " ?"
            out_console.print(f"    {check['file']}: {check['algorithm']} {check['value']}{doubt}")
        if entry["url"]:
            out_console.print(f"    {entry['url']}; {entry['licence']}")
        out_console.print("".join(f"      {line}\n" for line in entry["tree"].splitlines()))


@datasets.command
def check(name: str, path: str, /) -> int:
    """Say everything that is missing or wrong in a data set; exit with 1 if anything is.

    Example: heap datasets check voc2012-seg /data/VOCdevkit

    Args:
        name: One of those that `heap datasets` lists.
        path: Where it is.
    """
    from heap.benchmark.datasets import check_dataset

    with Bars(err_console) as progress:
        problems = check_dataset(name, path, progress)
    for problem in problems:
        out_console.print(str(problem))
    summary = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    err_console.print(summary if problems else "all is as it should be")
    return 1 if problems else 0
