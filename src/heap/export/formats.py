"""The formats of exports: what they are called, and what reads them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

FormatName = Literal["coco", "coco-polygons", "yolo", "voc", "labelme", "csv", "parquet", "masks"]
ImageMode = Literal["copy", "link", "none"]
"""Whether an export holds copies of the original images, links to them, or neither."""


@dataclass(frozen=True)
class Format:
    """What is special to a format, but for how it is written."""

    reader: str
    """How to read an export in the folder OUT, in a line."""
    images: ImageMode = "none"
    """What becomes of the images unless the user says so."""
    folder: str = "images/{split}"
    """Where the images of a split lie in the export."""
    unsplit: str = ""
    """Name of the only split where there are none."""
    kinds: tuple[str, ...] = ("JPEG", "PNG", "BMP", "WEBP")
    """Image formats that readers take, by Pillow's names."""
    otherwise: Literal["JPEG", "PNG"] = "PNG"
    """What images of other formats become."""
    any_suffix: bool = True
    """Whether readers take .JPG and .jpeg as well as .jpg."""
    per_image: bool = False
    """Whether each image has a file of its own, but for the image itself."""
    reserved: Collection[str] = ()
    """What folders of photos may not be called here, in lower case."""


FORMATS: dict[FormatName, Format] = {
    "coco": Format("pycocotools.coco.COCO for each .json in OUT; most tools for annotation too"),
    "coco-polygons": Format("Label Studio, CVAT and others, which do not take run lengths"),
    "yolo": Format(
        "yolo segment train data=OUT/data.yaml",
        images="copy",
        unsplit="train",
        per_image=True,
        # It looks for labels where the last folder of this name in the path of an image is.
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
