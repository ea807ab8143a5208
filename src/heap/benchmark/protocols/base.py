"""Base of all protocols: choices with a name, a row for every image, values of all rows."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from inspect import cleandoc
from typing import Any, ClassVar

from heap.base.errors import InputError
from heap.benchmark.datasets.voc import CLASSES as VOC
from heap.benchmark.protocols.outcome import Outcome
from heap.benchmark.results.estimate import Values
from heap.benchmark.truth import Dataset, Truth

Row = dict[str, Any]
"""Plain JSON that a protocol keeps of one image."""


@dataclass(frozen=True, kw_only=True)
class Protocol(ABC):
    """A named evaluation; its fields are all the choices that it makes."""

    name: str
    splits: tuple[str, ...] | None = None
    """Splits that it looks at; None: all images of the data."""
    task: ClassVar[str]
    of_regions: ClassVar[bool] = False
    """Whether it is of use only for methods that report regions."""
    of_voc: ClassVar[bool] = False
    """Whether it needs class maps of PASCAL VOC's classes."""
    variants: ClassVar[tuple[str, ...]] = ()
    """Choices that the short description names, in protocols that have them."""
    words: ClassVar[dict[tuple[str, Any], str]] = {("splits", None): "all that are given"}
    """Text for a choice and its value, where the value alone does not say enough."""

    def choices(self) -> dict[str, Any]:
        """Every choice by its name, without the name of the protocol; plain JSON, to be printed."""
        chosen = {field.name: getattr(self, field.name) for field in fields(self)}
        del chosen["name"]
        return {name: self.words.get((name, value), value) for name, value in chosen.items()}

    def about(self) -> str:
        """Description in words, which is the docstring of its class."""
        return cleandoc(type(self).__doc__ or "")

    def in_short(self) -> str:
        """Its first sentence, and the choices in which it differs from others of its kind."""
        sentence = self.about().partition("\n\n")[0]
        chosen = [f"{name} {getattr(self, name)}" for name in self.variants if hasattr(self, name)]
        return "; ".join([sentence.rstrip("."), *chosen])

    def looks_at(self, split: str) -> bool:
        """Whether images of this split are scored."""
        return self.splits is None or split in self.splits

    def check(self, data: Dataset) -> None:
        """Refuse a data set that it cannot be used on, as far as can be told without its images.

        Raises:
            InputError: naming what is missing.
        """
        have = {example.split for example in data.examples}
        if self.splits and (missing := set(self.splits) - have):
            raise InputError(
                f"protocol {self.name} needs the splits {', '.join(self.splits)}; "
                f"{data.name} has no {', '.join(sorted(missing))} in {data.place}"
            )
        if self.of_voc and data.classes != VOC:
            raise InputError(
                f"protocol {self.name} needs class maps of PASCAL VOC's {len(VOC) - 1} classes, "
                f"which {data.name} in {data.place} does not have; use voc2012-seg"
            )

    def require(self, truth: Truth, part: str) -> Any:
        """Return one part of an annotation.

        Raises:
            InputError: if the data set does not have it.
        """
        value = getattr(truth, part)
        if value is None:
            raise InputError(
                f"protocol {self.name} needs {part} in the annotation, which this data set does "
                "not have; `heap datasets` says what each has"
            )
        return value

    @abstractmethod
    def measure(self, outcome: Outcome, split: str) -> Row:
        """Compute the row of an image, which need not be final."""

    def finish(self, rows: Sequence[Row]) -> tuple[list[Row], dict[str, Any]]:
        """Return the final rows, small enough to be kept, and notes on all of them."""
        return list(rows), {}

    @abstractmethod
    def values(self, rows: Sequence[Row], notes: dict[str, Any]) -> list[Values]:
        """Return the values of final rows, from nothing but these and the notes."""
