"""Export of a run: everything that `heap export` does but printing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from heap.base.errors import ConfigError, ImageError, InputError
from heap.base.folder import MARKER, replacing_folder
from heap.base.progress import OnProgress, silent
from heap.export.coco import coco_writer, polygon_writer
from heap.export.earlier import refuse_less
from heap.export.formats import FORMATS, Format, FormatName, ImageMode
from heap.export.items import Item, read_items, read_keys, read_labels
from heap.export.labelme import labelme_writer
from heap.export.maps import map_writer
from heap.export.names import file_names, folder_names, stem_of
from heap.export.originals import read_original, write_crops
from heap.export.phototable import PHOTOS, photo_writer
from heap.export.selection import Selection, keys_of, select
from heap.export.splits import Splits
from heap.export.tables import csv_writer, parquet_writer
from heap.export.voc import voc_writer
from heap.export.writer import Add, Writer
from heap.export.yolo import yolo_box_writer, yolo_writer
from heap.images.failures import FAILURES, Failure, write_failures
from heap.store.photos import Photos
from heap.store.place import folder_of
from heap.store.store import RunStore

WRITERS: dict[FormatName, Writer] = {
    "coco": coco_writer,
    "coco-polygons": polygon_writer,
    "yolo": yolo_writer,
    "yolo-detect": yolo_box_writer,
    "voc": voc_writer,
    "labelme": labelme_writer,
    "csv": csv_writer,
    "parquet": parquet_writer,
    "masks": map_writer,
}
"""Writers by the names of their formats."""


@dataclass(frozen=True)
class Choices:
    """Choice of the objects that are exported, and of what comes with them."""

    categories: bool = False
    """Categories are classes; otherwise every object is of one class."""
    min_score: float = 0.0
    """Objects that score lower are left out."""
    selection: Selection = field(default_factory=Selection)
    """Objects that are exported, with their images and classes only; by default all of the run."""
    splits: Splits = field(default_factory=Splits)
    crops: bool = False
    """Whether every object is also cut out of its image."""
    images: ImageMode | None = None
    """None: as the format is used, see `heap.export.formats.FORMATS`."""
    photos: Path | None = None
    """Folder that the original images are in now; None: where they were."""
    urls: bool = False
    """Whether original images that came from URLs are read from there again."""

    def __post_init__(self) -> None:
        """Refuse a score that no object can have, nan included."""
        if not 0 <= self.min_score <= 1:
            raise InputError(f"min_score is {self.min_score}; scores are from 0 to 1")


@dataclass
class Count:
    """Numbers of images and objects in one split."""

    images: int = 0
    objects: int = 0


@dataclass(frozen=True)
class Exported:
    """A finished export."""

    folder: Path
    classes: tuple[str, ...]
    unsorted: int
    """Objects of class `other` that have not been sorted into categories yet."""
    splits: dict[str, Count]
    """Counts by the name of the split; one without a name if there are no splits."""
    crops: int
    renamed: int
    """Images whose files have another name than the photo; `photos.csv` says which."""
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

    A selection goes to `export-FORMAT-selection`, so that it takes the place of no whole export.
    The folder appears when it is complete; one that is there already stays, and gets its contents
    then. An earlier export there is replaced, unless it holds more, and the new one less only
    because original images could not be read again.

    Raises:
        InputError: if `out` cannot be used or written, there are no categories where they are
            wanted, nothing is selected, a split would have no image, the format cannot hold so many
            classes, or the export would hold less than an earlier one, or nothing, for want of
            original images.
        ConfigError: if there is no such format.
        StoreError: if there is no run, or a damaged one.
    """
    if format not in FORMATS:
        raise ConfigError(f"{format!r} is no format; choose one of {', '.join(FORMATS)}")
    choices = choices or Choices()
    target = _target(run, format, out, choices)
    with RunStore.open(run) as store:
        labels = read_labels(store, by_category=choices.categories)
        keys = read_keys(store)
        if choices.selection:
            labels = select(store, labels, choices.selection)
            selected = keys_of(labels.special)
            keys = [key for key in keys if key in selected]
        choices.splits.check(keys)
        names = _names(keys, FORMATS[format], choices)
        total = len(keys)
        with replacing_folder(target) as folder:
            photos = Photos(store, choices.photos, urls=choices.urls)
            job = _Job(folder, FORMATS[format], choices, labels.classes, photos)
            with (
                WRITERS[format](folder, labels.classes, job.splits) as write,
                photo_writer(folder / PHOTOS, FORMATS[format]) as note,
            ):
                for done, item in enumerate(read_items(store, labels, names, choices.min_score)):
                    on_progress("export", done, total)
                    job.take(item, write, note)
            job.refuse_less_than(target)
            exported = Exported(
                target,
                labels.classes,
                len(labels.unsorted),
                job.counts,
                job.crops,
                job.renamed,
                tuple(job.failures),
            )
            _describe(exported, format, folder)
    on_progress("export", total, total)
    return exported


class _Job:
    """An export that is being written: it takes images one by one and counts them."""

    def __init__(
        self,
        folder: Path,
        format: Format,
        choices: Choices,
        classes: Sequence[str],
        photos: Photos,
    ) -> None:
        self._folder = folder
        self._format = format
        self._choices = choices
        self._photos = photos
        self._mode = choices.images or format.images
        self.splits = [name or format.unsplit for name in choices.splits.names]
        self.counts = {name: Count() for name in choices.splits.names}
        self._named = format.per_image or self._mode != "none" or choices.crops
        self._folders = folder_names(classes)
        self.crops = self.renamed = self._brought = 0
        self.failures: list[Failure] = []

    def take(self, item: Item, *writers: Add) -> None:
        """Write an image with all the `writers`."""
        name = self._choices.splits.of(item.key)
        split = name or self._format.unsplit
        image = ""
        try:
            if self._mode != "none" or (self._choices.crops and item.objects):
                image = self._bring(item, name, split)
                self._brought += 1
        except ImageError as error:
            self.failures.append(Failure(error.key, error.stage, error.reason))
            if self._mode != "none":
                return
        for add in writers:
            add(item, split, image)
        self.renamed += self._named and item.name != stem_of(item.key)
        self.counts[name].images += 1
        self.counts[name].objects += len(item.objects)

    def refuse_less_than(self, out: Path) -> None:
        """Refuse to replace an export by one that holds less for want of original images."""
        if self.failures:
            images = sum(count.images for count in self.counts.values())
            refuse_less(out, images, self.crops, self._brought, self.failures)

    def _bring(self, item: Item, name: str, split: str) -> str:
        """Write the original as a file, as crops, or as both; returns the path of the file."""
        original = read_original(self._photos, item)
        # Crops first: they decode the image, and one that cannot be decoded shall leave nothing.
        if self._choices.crops:
            self.crops += write_crops(original, self._folder / "crops" / name, self._folders)
        if self._mode == "none":
            return ""
        place = self._folder / self._format.folder.format(split=split)
        return original.put(place, self._format, self._mode)


def _names(keys: Sequence[str], format: Format, choices: Choices) -> dict[str, str]:
    """Names of files by key; exactly the photos' own, where the photos are not in the export."""
    apart = (choices.images or format.images) == "none"
    return file_names(keys, format.reserved, as_they_are=apart)


def _target(run: Path | str, format: FormatName, out: Path | None, choices: Choices) -> Path:
    if out is not None:
        return out
    folder = folder_of(run)
    if folder is None:
        raise InputError(f"{run} is not on this machine; say with --out where the export is to go")
    return folder / f"export-{format}{'-selection' if choices.selection else ''}"


def _describe(exported: Exported, format: FormatName, folder: Path) -> None:
    if exported.failures:
        write_failures(exported.failures, folder / FAILURES)
    lines = [f"Objects found by HEAP, exported as {format} by heap {version('heap')}.", ""]
    for name, count in exported.splits.items():
        lines.append(f"{name or 'all'}: {count.images} images, {count.objects} objects")
    lines.append(f"crops: {exported.crops}")
    lines += [f"class {at}: {label}" for at, label in enumerate(exported.classes)]
    text = "\n".join([*lines, ""])
    (folder / MARKER).write_text(text, encoding="utf-8", newline="\n")
