"""`heap export`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cyclopts
from cyclopts import Parameter

from heap.cli.app import err_console
from heap.cli.bars import Bars
from heap.cli.options import ANY_PHOTOS, PhotoOptions
from heap.cli.printing import AsJson, print_json, print_table
from heap.export.formats import FORMATS, FormatName, ImageMode

if TYPE_CHECKING:
    from heap.export.command import Exported

_SHOWN = 10
"""Failures and classes that are named one by one."""


def export(
    run: str,
    /,
    *,
    kind: Annotated[FormatName, Parameter(name="--format")],
    out: Path | None = None,
    categories: bool = False,
    min_score: Annotated[
        float, Parameter(validator=cyclopts.validators.Number(gte=0, lte=1))
    ] = 0.0,
    where: str | None = None,
    split: str | None = None,
    seed: int = 0,
    crops: bool = False,
    images: ImageMode | None = None,
    photos: PhotoOptions = ANY_PHOTOS,
    as_json: AsJson = False,
) -> None:
    """Write the objects of a run for the tools that you already use.

    The export appears when it is complete, and takes the place of an earlier one, unless that holds
    more because photos cannot be read again now. A photo whose content has changed is left out.
    What a person has rejected is left out too; images without objects are in it. Files are called
    as the photos are, in the same folders, and photos.csv says which photo each belongs to: a name
    that two photos would share, such as a.jpg and a.png, or that some file system would not take,
    is changed.

    Example: heap export run --format yolo --categories --split train=0.8,val=0.1,test=0.1

    Args:
        run: Folder or URL of the run, see `heap discover`.
        kind: coco, yolo (segmentation), yolo-detect (boxes) and voc to train on, coco-polygons for
            annotation tools that do not take COCO's run lengths, labelme to correct by hand, csv
            and parquet as tables, masks as label maps.
        out: Folder of the export; by default export-FORMAT in the run.
        categories: The categories of the run are the classes; otherwise there is one, `object`.
        min_score: Leave out objects that score lower.
        where: Write only objects that fit a condition, such as "category = 3 AND reviewed", with
            the images that they are in, by default to export-FORMAT-selection in the run.
        split: Shares of the images, by name; an image stays in its split when others are added. A
            split without any image is refused.
        seed: Another seed gives other splits.
        crops: Also cut out each object, as crops/CLASS/NAME.png, transparent around it.
        images: Bring the original images along as copies or links, or not (none); yolo, voc and
            labelme have copies unless you say so. Images that lie on their side are turned. With
            none, files are called exactly as the photos are, so that they can be put beside them.
        photos: Where the photos of the run are read again.
        as_json: Print what was written as JSON on standard output.
    """
    from heap.run import Run

    with Bars(err_console) as progress:
        exported = Run(run, photos=photos.photos, urls=photos.urls).export(
            kind,
            out,
            categories=categories,
            min_score=min_score,
            where=where,
            split=split,
            seed=seed,
            crops=crops,
            images=images,
            on_progress=progress,
        )
    _warn(exported, run)
    if as_json:
        print_json(_about(exported))
    else:
        print_table(("what", "images", "objects"), _summary(exported))
    err_console.print(f"In {exported.folder}")
    err_console.print(f"Read it with {FORMATS[kind].reader.replace('OUT', str(exported.folder))}")


def _warn(exported: "Exported", run: str) -> None:
    if exported.unsorted:
        err_console.print(
            "Objects that have not been sorted yet, and are of the class other: "
            f"{exported.unsorted}; `heap categories {run}` gives them a category"
        )
    if exported.renamed:
        err_console.print(
            f"Photos whose files in the export have another name: {exported.renamed}; photos.csv "
            "says which"
        )
    if not exported.failures:
        return
    for failure in exported.failures[:_SHOWN]:
        err_console.print(f"{failure.key}: {failure.reason}")
    err_console.print(
        f"Images that could not be read again: {len(exported.failures)}, listed in failed.jsonl",
    )


def _summary(exported: "Exported") -> list[tuple[str, str, str]]:
    rows = [
        (name or "all", str(count.images), str(count.objects))
        for name, count in exported.splits.items()
    ]
    more = "" if len(exported.classes) <= _SHOWN else ", ..."
    names = ", ".join(exported.classes[:_SHOWN])
    rows.append(("classes", str(len(exported.classes)), names + more))
    return [*rows, ("crops", "", str(exported.crops))] if exported.crops else rows


def _about(exported: "Exported") -> dict[str, Any]:
    return {
        "folder": str(exported.folder),
        "splits": {name or "all": asdict(count) for name, count in exported.splits.items()},
        "classes": exported.classes,
        "unsorted": exported.unsorted,
        "crops": exported.crops,
        "renamed": exported.renamed,
        "failed": [{"key": failure.key, "reason": failure.reason} for failure in exported.failures],
    }
