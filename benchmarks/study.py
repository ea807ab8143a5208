"""Study: one claim, how it is measured, and the JSON file of the result that it writes."""

import inspect
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Annotated, Any

from cyclopts import Parameter

from benchmarks import studies
from benchmarks.common import RESULTS
from benchmarks.report import Row, about_encoders
from heap.base.files import replacing
from heap.benchmark.results import machine_info, round_floats
from heap.benchmark.results.environment import package_versions

DIGITS = 4
"""Digits of floats in rows."""
Report = dict[str, Any]
"""A result as its file holds it."""
Out = Annotated[Path, Parameter(help="The result; its table or chart is written beside it.")]


@dataclass(frozen=True)
class Measured:
    """Outcome of a study, from which its report is written."""

    data: Mapping[str, Any]
    encoder: Mapping[str, Any] | Sequence[Row]
    """Description of the encoder. Of several encoders a list: rows of others that an earlier report
    holds are kept, so that one encoder can be measured again without all the others."""
    rows: list[Row]
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Those that the summary cannot be made from: times, memory, versions."""


@dataclass(frozen=True)
class Study:
    """A claim: how it is measured, and what is made of the rows."""

    protocol: str
    measure: Callable[..., Measured | None]
    """Function with the options of the command line; None where something is left to do."""
    summarise: Callable[[list[Row]], dict[str, Any]]
    """Summary made from the rows alone, so that it can be made again from the file."""
    table: Callable[[Report], str] | None = None
    """Page in Markdown that is written beside the report."""
    chart: Callable[[Report], bytes] | None = None
    """PNG that is written beside the report."""
    earlier: tuple[str, ...] = ()
    """Protocols of reports that were measured before."""

    @property
    def name(self) -> str:
        """Name on the command line, which is that of the module."""
        return self.measure.__module__.rpartition(".")[2]

    @property
    def out(self) -> Path:
        """Usual place of the report."""
        return RESULTS / f"bench_{self.name}.json"

    def run(self, out: Path | None = None, **options: Any) -> None:
        """Measure, and write the report."""
        measured = self.measure(**options)
        if measured is not None:
            self.write(measured, out or self.out)

    def write(self, measured: Measured, out: Path) -> None:
        """Write the report and what is drawn from it, and print it without its rows."""
        rows, encoder = measured.rows, measured.encoder
        if not isinstance(encoder, Mapping):
            rows, encoders = _with_others(rows, encoder, out)
            encoder = about_encoders(encoders)
        rows = round_floats(rows, DIGITS)
        report = {
            "name": self.out.stem,
            "protocol": self.protocol,
            "command": shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
            "data": measured.data,
            "encoder": encoder,
            "versions": package_versions(),
            "machine": machine_info(),
            "summary": round_floats(self.summarise(rows)),
            "measured": round_floats(measured.figures, DIGITS),
        }
        # A line for each row, so that two versions of a file can be compared.
        lines = ",\n".join(json.dumps(row) for row in rows)
        text = json.dumps(report, indent=1).removesuffix("\n}") + f',\n "rows": [\n{lines}\n]}}\n'
        with replacing(out) as file:
            file.write(text.encode())
        self._draw(json.loads(text), out)
        said = {name: report[name] for name in ("summary", "measured")}
        sys.stdout.write(json.dumps(said, indent=1) + "\n")

    def _draw(self, report: Report, out: Path) -> None:
        if self.table is not None:
            with replacing(out.with_suffix(".md")) as file:
                file.write(self.table(report).encode())
        if self.chart is not None:
            with replacing(out.with_suffix(".png")) as file:
                file.write(self.chart(report))

    def command(self) -> Callable[..., None]:
        """Function for the command line: `measure` with an option for the place of the report."""

        @wraps(self.measure)
        def command(**options: Any) -> None:
            self.run(**options)

        kind = inspect.Parameter.KEYWORD_ONLY
        added = inspect.Parameter("out", kind, default=self.out, annotation=Out)
        usual = inspect.signature(self.measure).parameters.values()
        command.__signature__ = inspect.Signature([*usual, added])  # type: ignore[attr-defined]
        command.__annotations__ = self.measure.__annotations__ | {"out": Out}
        return command


@dataclass(frozen=True)
class Evaluations:
    """A claim that calls of `heap tune` and `heap evaluate` show: their files are its results."""

    run: Callable[..., None]
    """Function with the options of the command line."""

    def command(self) -> Callable[..., None]:
        """Function for the command line."""
        return self.run


def study_names() -> list[str]:
    """Names of all studies, which are those of the modules in their folder."""
    return sorted(module.name for module in iter_modules(studies.__path__))


def find_study(name: str) -> Study | Evaluations:
    """Study of a name."""
    study: Study | Evaluations = import_module(f"benchmarks.studies.{name}").STUDY
    return study


def reports() -> dict[str, Study]:
    """All studies that write a report, by name."""
    by_name = {name: find_study(name) for name in study_names()}
    return {name: study for name, study in by_name.items() if isinstance(study, Study)}


def _with_others(
    rows: list[Row], encoders: Iterable[Row], out: Path
) -> tuple[list[Row], list[Row]]:
    """Rows and encoders, and those of other encoders in an earlier report."""
    encoders = list(encoders)
    if out.exists():
        earlier = json.loads(out.read_text(encoding="utf-8"))
        measured = {row.get("encoder") for row in rows}
        kept = [row for row in earlier["rows"] if row.get("encoder", None) not in measured | {None}]
        named = {row["encoder"] for row in kept}
        rows = rows + kept
        encoders += [about for about in earlier["encoder"]["each"] if about["name"] in named]
    return rows, encoders
