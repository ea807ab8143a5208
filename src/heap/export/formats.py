"""Formats of exports: their names, and what reads them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

FormatName = Literal[
    "coco", "coco-polygons", "yolo", "yolo-detect", "voc", "labelme", "csv", "parquet", "masks"
]
ImageMode = Literal["copy", "link", "none"]
"""Whether an export holds copies of the original images, links to them, or neither."""


@dataclass(frozen=True)
class Format:
    """Properties of a format; its writer is elsewhere."""

    reader: str
    """Advice on reading an export in the folder OUT, in a line."""
    images: ImageMode = "none"
    """Treatment of the original images unless the user chooses another."""
    folder: str = "images/{split}"
    """Folder of the images of a split in the export."""
    unsplit: str = ""
    """Name of the only split where there are none."""
    kinds: tuple[str, ...] = ("JPEG", "PNG", "BMP", "WEBP")
    """Image formats that readers take, by Pillow's names."""
    otherwise: Literal["JPEG", "PNG"] = "PNG"
    """Format that images of other formats are converted to."""
    any_suffix: bool = True
    """Whether readers take .JPG and .jpeg as well as .jpg."""
    per_image: bool = False
    """Whether every image has a file of its own, besides the image itself."""
    reserved: Collection[str] = ()
    """Names that folders of photos may not have in this format, in lower case."""


FORMATS: dict[FormatName, Format] = {
    "coco": Format(
        "pycocotools.coco.COCO for each .json in OUT/annotations; most tools for annotation too",
        unsplit="default",
    ),
    "coco-polygons": Format(
        "Label Studio and others, which do not take run lengths: OUT/annotations", unsplit="default"
    ),
    "yolo": Format(
        "yolo segment train data=OUT/data.yaml",
        images="copy",
        unsplit="train",
        per_image=True,
        # Ultralytics finds labels by replacing the last folder of this name in an image's path.
        reserved=("images",),
    ),
    "yolo-detect": Format(
        "yolo detect train data=OUT/data.yaml; Datumaro and others too",
        images="copy",
        unsplit="train",
        per_image=True,
        reserved=("images",),
    ),
    "voc": Format(
        "torchvision, MMSegmentation and others; OUT is laid out as VOC2012 is",
        images="copy",
        folder="JPEGImages",
        unsplit="trainval",
        kinds=("JPEG",),
        otherwise="JPEG",
        any_suffix=False,
        per_image=True,
    ),
    "labelme": Format(
        "labelme OUT", images="copy", folder="{split}", per_image=True, reserved=("crops",)
    ),
    "csv": Format('pandas.read_csv("OUT/objects.csv"), any spreadsheet'),
    "parquet": Format('pandas.read_parquet("OUT/objects.parquet"); it has the vectors too'),
    "masks": Format("any reader of PNGs; OUT/labels.csv says what the values are", per_image=True),
}
