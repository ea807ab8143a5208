"""Catalogue of the data sets that are known by name. Nothing is ever downloaded."""

from dataclasses import dataclass

from heap.benchmark.datasets.coco import Coco, Coco20k
from heap.benchmark.datasets.empty import Empty
from heap.benchmark.datasets.layout import Layout
from heap.benchmark.datasets.pairs import Pairs
from heap.benchmark.datasets.voc import Voc

_VOC = "http://host.robots.ox.ac.uk/pascal/VOC"
_FLICKR = "photos of Flickr users under its terms; for research"
_UNSTATED = "no licence is stated; for research"


@dataclass(frozen=True)
class Split:
    """Images of a data set that belong together."""

    name: str
    images: int | None = None
    """Official number; None where that depends on the data."""
    verified: bool = False
    """Whether we counted them on the data or on a list that others evaluate with."""
    sha256: str | None = None
    """SHA-256 of the names of its image files, sorted, each ended by a line feed."""
    opened: bool = True
    """Whether it is read even where it is not asked for by name."""


@dataclass(frozen=True)
class Checksum:
    """Checksum of a published file, checked if the file lies in the folder of the data set."""

    file: str
    algorithm: str
    value: str
    verified: bool = False
    """Whether we know it from the file itself and not only from others' code."""


@dataclass(frozen=True)
class Entry:
    """A data set that can be opened by its name."""

    name: str
    about: str
    tree: str
    """Its layout, as text."""
    layout: Layout
    splits: tuple[Split, ...]
    """Empty where the data decide which there are."""
    url: str = ""
    licence: str = ""
    checksums: tuple[Checksum, ...] = ()


_VOC_TREE = """\
PATH is VOC{year}, VOCdevkit, or the folder that VOCdevkit is in:
VOCdevkit/VOC{year}/
  JPEGImages/NAME.jpg
  Annotations/NAME.xml
"""
_VOC07_TREE = _VOC_TREE.format(year=2007)
_VOC12_TREE = _VOC_TREE.format(year=2012)
_VOC12_TAR = Checksum(
    "VOCtrainval_11-May-2012.tar", "md5", "6cd6e144f989b92b3379bac3b3de84fd"
)  # fmt: skip
_DUTS_TREE = "PATH/\n  {name}-Image/NAME.jpg\n  {name}-Mask/NAME.png"

_ENTRIES = (
    Entry(
        name="voc2007",
        about="PASCAL VOC 2007, detection: boxes of 20 classes",
        tree=_VOC07_TREE + "  ImageSets/Main/{trainval,train,val,test}.txt",
        layout=Voc("2007", {name: f"Main/{name}" for name in ("trainval", "train", "val", "test")}),
        splits=(
            Split(
                "trainval", 5011, verified=True,
                sha256="a4d9db647d6172abdf93e8047fde305e53049296b7d3c3e2035a90868c864fba",
            ),
            Split("train", 2501, opened=False),
            Split("val", 2510, opened=False),
            Split("test", 4952, opened=False),
        ),
        url=f"{_VOC}/voc2007/",
        licence=_FLICKR,
    ),
    Entry(
        name="voc2012",
        about="PASCAL VOC 2012, detection: boxes of 20 classes",
        tree=_VOC12_TREE + "  ImageSets/Main/{trainval,train,val}.txt",
        layout=Voc("2012", {name: f"Main/{name}" for name in ("trainval", "train", "val")}),
        splits=(
            Split("trainval", 11540, verified=True),
            Split("train", 5717, opened=False),
            Split("val", 5823, opened=False),
        ),
        url=f"{_VOC}/voc2012/",
        licence=_FLICKR,
        checksums=(_VOC12_TAR,),
    ),
    Entry(
        name="voc2012-seg",
        about="PASCAL VOC 2012, segmentation: masks of 20 classes, boxes",
        tree=_VOC12_TREE
        + "  SegmentationClass/NAME.png\n  ImageSets/Segmentation/{train,val}.txt",
        layout=Voc(
            "2012",
            {"train": "Segmentation/train", "val": "Segmentation/val"},
            {"train": "SegmentationClass", "val": "SegmentationClass"},
        ),
        splits=(Split("train", 1464), Split("val", 1449)),
        url=f"{_VOC}/voc2012/",
        licence=_FLICKR,
        checksums=(_VOC12_TAR,),
    ),
    Entry(
        name="voc2012-seg-aug",
        about="The same with the training images and masks of SBD added: train is trainaug",
        tree=_VOC12_TREE
        + "  SegmentationClassAug/NAME.png      masks of train\n"
        + "  SegmentationClass/NAME.png         masks of val\n"
        + "  ImageSets/Segmentation/{trainaug,val}.txt",
        layout=Voc(
            "2012",
            {"train": "Segmentation/trainaug", "val": "Segmentation/val"},
            {"train": "SegmentationClassAug", "val": "SegmentationClass"},
        ),
        splits=(Split("train", 10582, verified=True), Split("val", 1449)),
        url="http://home.bharathh.info/pubs/codes/SBD/download.html",
        licence=_FLICKR,
        checksums=(_VOC12_TAR,),
    ),
    Entry(
        name="coco",
        about="Any COCO JSON file with its images: boxes, and masks if it has segmentations",
        tree=(
            "PATH/\n  instances.json\n  images/NAME.jpg\n"
            "or PATH is a JSON file, with the images in `images` beside it, in its own folder,\n"
            "or as COCO has them: annotations/instances_val2017.json and val2017/NAME.jpg"
        ),
        layout=Coco(),
        splits=(Split("all"),),
        url="https://cocodataset.org",
        licence="COCO's annotations CC BY 4.0; photos of Flickr users under its terms",
    ),
    Entry(
        name="coco20k",
        about="The images of COCO train2014 that LOST and its successors evaluate on: boxes, masks",
        tree=(
            "PATH/\n  coco_20k_filenames.txt                    from the repository of LOST\n"
            "  annotations/instances_train2014.json\n"
            "  train2014/NAME.jpg, or images/train2014/NAME.jpg"
        ),
        layout=Coco20k(),
        splits=(Split("all", 19817, verified=True),),
        url="https://cocodataset.org, https://github.com/valeoai/LOST",
        licence="COCO's annotations CC BY 4.0; photos of Flickr users under its terms",
        checksums=(
            Checksum(
                "coco_20k_filenames.txt", "sha256",
                "74637e9b4f93f2ebef9b1f664aff53edd1f41ef08dad97bd22ce8e455052b335", verified=True,
            ),
        ),
    ),
    Entry(
        name="ecssd",
        about="ECSSD, saliency: masks",
        tree="PATH/\n  images/NAME.jpg\n  ground_truth_mask/NAME.png",
        layout=Pairs("images", "ground_truth_mask"),
        splits=(Split("all", 1000),),
        url="https://www.cse.cuhk.edu.hk/leojia/projects/hsaliency/dataset.html",
        licence=_UNSTATED,
    ),
    Entry(
        name="dut-omron",
        about="DUT-OMRON, saliency: masks",
        tree="PATH/\n  DUT-OMRON-image/NAME.jpg\n  pixelwiseGT-new-PNG/NAME.png",
        layout=Pairs("DUT-OMRON-image", "pixelwiseGT-new-PNG"),
        splits=(Split("all", 5168),),
        url="http://saliencydetection.net/dut-omron/",
        licence=_UNSTATED,
    ),
    Entry(
        name="duts-te",
        about="DUTS, saliency, test images: masks",
        tree=_DUTS_TREE.format(name="DUTS-TE"),
        layout=Pairs("DUTS-TE-Image", "DUTS-TE-Mask"),
        splits=(Split("all", 5019),),
        url="http://saliencydetection.net/duts/",
        licence=_UNSTATED,
    ),
    Entry(
        name="duts-tr",
        about="DUTS, saliency, training images: masks",
        tree=_DUTS_TREE.format(name="DUTS-TR"),
        layout=Pairs("DUTS-TR-Image", "DUTS-TR-Mask"),
        splits=(
            Split(
                "all", 10553, verified=True,
                sha256="f72378521136a108e1261bd2a93b7415aa8e2ea720d3115b32e6022574b876fe",
            ),
        ),
        url="http://saliencydetection.net/duts/",
        licence=_UNSTATED,
    ),
    Entry(
        name="folder",
        about="Any folder of images with masks of what is in them: foreground is above 127",
        tree="PATH/\n  images/NAME.jpg       or any other image format\n  masks/NAME.png",
        layout=Pairs("images", "masks"),
        splits=(Split("all"),),
    ),
    Entry(
        name="empty",
        about="Any images without an object, in folders by kind, each a split: for false alarms",
        tree="PATH/\n  KIND/NAME.jpg         or any other image format",
        layout=Empty(),
        splits=(),
    ),
)  # fmt: skip

CATALOGUE = {entry.name: entry for entry in _ENTRIES}
"""Data sets by name, in the order in which they are listed."""
