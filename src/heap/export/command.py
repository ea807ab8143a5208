"""Exporting a run: everything that `heap export` does but for printing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from heap.collection.place import folder_of
from heap.collection.records import Failure
from heap.collection.store import RunStore
from heap.errors import ConfigError, ImageError, InputError
from heap.export.coco import coco
from heap.export.crops import write_crops
from heap.export.folder import MARKER, replacing_folder
from heap.export.formats import FORMATS, Format, FormatName, ImageMode
from heap.export.items import Item, items, read_labels
from heap.export.labelme import labelme
from heap.export.maps import masks
from heap.export.originals import read_original
from heap.export.splits import Splits
from heap.export.tables import csv, parquet
from heap.export.voc import voc
from heap.export.writer import Add, Writer
from heap.export.yolo import yolo
from heap.progress import OnProgress, silent
from heap.report.coco import FAILURES, write_failures

_WRITERS: Mapping[FormatName, Writer] = {
    "coco": coco,
    "yolo": yolo,
    "voc": voc,
    "labelme": labelme,
    "csv": csv,
    "parquet": parquet,
    "masks": masks,
}


@dataclass(frozen=True)
class Choices:
    """What is exported, and what comes with it."""

    categories: bool = False
    """Categories are classes; otherwise every object is of one class."""
    min_score: float = 0.0
    """Objects that score lower are left out."""
    splits: Splits = field(default_factory=Splits)
    crops: bool = False
    """Each object cut out of its image too."""
    images: ImageMode | None = None
    """None: as the format is used, see `heap.export.formats.FORMATS`."""

    def __post_init__(self) -> None:
        """Refuse a score that none can have; not a number is one too."""
        if not 0 <= self.min_score <= 1:
            raise InputError(f"min_score is {self.min_score}; scores are from 0 to 1")


@dataclass
class Count:
    """What one split holds."""

    images: int = 0
    objects: int = 0


@dataclass(frozen=True)
class Exported:
    """What was exported."""

    folder: Path
    classes: tuple[str, ...]
    unsorted: int
    """Objects of class `other` that have not been sorted into categories yet."""
    splits: dict[str, Count]
    """By name; one without a name if there are none."""
    crops: int
    failures: tuple[Failure, ...]
    """Images that could not be read again: not in the export if it is to hold the images, and
    otherwise without crops."""


def export(
    run: Path | str,
    format: FormatName,
    out: Path | None = None,
    choices: Choices | None = None,
    on_progress: OnProgress = silent,
) -> Exported:
    """Write the objects of a run for other tools, to `out` or to `export-FORMAT` in the run.

    The folder appears when it is complete. An earlier export there is replaced.

    Raises:
        InputError: if `out` cannot be used or written, there are no categories where they are
            wanted, or the format cannot hold so many classes.
        ConfigError: if there is no such format.
        StoreError: if there is no run, or a damaged one.
    """
    if format not in FORMATS:
        raise ConfigError(f"{format!r} is no format; choose one of {', '.join(FORMATS)}")
    choices = choices or Choices()
    target = _target(run, format, out)
    with RunStore.open(run) as store:
        labels = read_labels(store, by_category=choices.categories)
        counts = store.counts()
        total = counts.done + counts.empty
        with replacing_folder(target) as folder:
            job = _Job(folder, FORMATS[format], choices)
            with _WRITERS[format](folder, labels.classes, job.splits) as add:
                for done, item in enumerate(items(store, labels, choices.min_score)):
                    on_progress("export", done, total)
                    job.take(item, add)
            found = Exported(
                target,
                labels.classes,
                labels.unsorted,
                job.counts,
                job.crops,
                tuple(job.failures),
            )
            _describe(found, format, folder)
    on_progress("export", total, total)
    return found


class _Job:
    """Takes images one by one and counts them."""

    def __init__(self, folder: Path, format: Format, choices: Choices) -> None:
        self._folder = folder
        self._format = format
        self._choices = choices
        self._mode = choices.images or format.images
        self.splits = [name or format.unsplit for name in choices.splits.names]
        self.counts = {name: Count() for name in choices.splits.names}
        self.crops = 0
        self.failures: list[Failure] = []

    def take(self, item: Item, add: Add) -> None:
        name = self._choices.splits.of(item.key)
        split = name or self._format.unsplit
        image = ""
        try:
            if self._mode != "none" or (self._choices.crops and item.objects):
                image = self._bring(item, name, split)
        except ImageError as error:
            self.failures.append(Failure(error.key, error.stage, error.reason))
            if self._mode != "none":
                return
        add(item, split, image)
        self.counts[name].images += 1
        self.counts[name].objects += len(item.objects)

    def _bring(self, item: Item, name: str, split: str) -> str:
        """Bring the original image along, as a file, as crops, or as both."""
        original = read_original(item)
        # Crops first: an image that cannot be decoded shall leave nothing behind.
        if self._choices.crops:
            self.crops += write_crops(original, self._folder / "crops" / name)
        if self._mode == "none":
            return ""
        place = self._folder / self._format.folder.format(split=split)
        place.mkdir(parents=True, exist_ok=True)
        return original.put(place, self._format, self._mode)


def _target(run: Path | str, format: FormatName, out: Path | None) -> Path:
    if out is not None:
        return out
    folder = folder_of(run)
    if folder is None:
        raise InputError(f"{run} is not on this machine; say with --out where the export is to go")
    return folder / f"export-{format}"


def _describe(found: Exported, format: FormatName, folder: Path) -> None:
    if found.failures:
        write_failures(found.failures, folder / FAILURES)
    lines = [f"Objects found by HEAP, exported as {format} by heap {version('heap')}.", ""]
    for name, count in found.splits.items():
        lines.append(f"{name or 'all'}: {count.images} images, {count.objects} objects")
    lines.append(f"crops: {found.crops}")
    lines += [f"class {at}: {label}" for at, label in enumerate(found.classes)]
    text = "\n".join([*lines, ""])
    (folder / MARKER).write_text(text, encoding="utf-8", newline="\n")
