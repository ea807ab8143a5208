"""The `heap` command: thin commands over the Python functions; only this package prints."""

from collections.abc import Callable
from typing import Any

from heap.cli import (
    about,
    catalogue,
    collection,
    diff,
    discover,
    evaluation,
    export,
    fit,
    mapping,
    model_files,
    pretrain,
    reports,
    serve,
)
from heap.cli.app import app, main

__all__ = ["app", "main"]

_COMMANDS: tuple[Callable[..., Any], ...] = (
    discover.discover,
    collection.categories,
    collection.search,
    collection.inspect,
    diff.diff,
    mapping.map,
    export.export,
    serve.serve,
    fit.fit,
    pretrain.pretrain,
    pretrain.pack,
    model_files.export_model,
    evaluation.evaluate,
    evaluation.tune,
    reports.compare,
    reports.tables,
    reports.figure,
    catalogue.protocols,
    catalogue.methods,
    about.doctor,
)
"""Commands in the order in which `heap --help` lists them."""

for _place, _command in enumerate(_COMMANDS):
    app.command(_command, sort_key=_place)
app.command(catalogue.datasets)
app.command(about.models)
