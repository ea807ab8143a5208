"""The readers on real data, where it is at hand."""

from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from heap.benchmark.datasets import open_dataset
from heap.benchmark.datasets.planes import upright_size
from heap.benchmark.truth import Dataset

DATA = Path(__file__).parents[4] / "../shared/data"


def opened(name: str, folder: str) -> Dataset:
    if not (DATA / folder).is_dir():
        pytest.skip(f"{folder} is not on this machine")
    return open_dataset(f"{name}:{DATA / folder}")


def test_voc_animals() -> None:
    dataset = opened("voc2012-seg", "voc12-animals")
    splits = [example.split for example in dataset.examples]
    assert (splits.count("train"), splits.count("val")) == (232, 243)
    for example in dataset.examples[::25]:
        picture = example.picture()
        truth = example.truth(picture)
        assert truth.classes is not None
        assert truth.foreground is not None
        assert truth.void is not None
        assert truth.classes.shape == (picture.height, picture.width)
        assert np.array_equal(truth.foreground | truth.void, truth.classes > 0)
    detection = opened("voc2012", "voc12-animals")
    assert {example.split for example in detection.examples} == {"trainval"}
    assert len(detection.examples) == 475
    boxes = [each.read(*upright_size(each.image)).boxes for each in detection.examples]
    assert sum(map(len, boxes)) == 1016


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_coco_val() -> None:
    dataset = opened("coco", "coco-val100")
    assert len(dataset.examples) == 100
    assert (len(dataset.classes), dataset.classes[1]) == (73, "person")
    oracle = COCO(str(DATA / "coco-val100" / "instances.json"))
    by_name = {image["file_name"]: image for image in oracle.imgs.values()}
    objects = 0
    for example in dataset.examples:
        image = by_name[example.key]
        theirs = oracle.loadAnns(oracle.getAnnIds(imgIds=image["id"]))
        truth = example.read(*upright_size(example.image))
        assert truth.instances is not None
        objects += len(truth.boxes)
        for box, mask, each in zip(truth.boxes, truth.instances, theirs, strict=True):
            x, y, width, height = each["bbox"]
            assert box.tolist() == [x, y, x + width, y + height]
            assert np.array_equal(mask, oracle.annToMask(each))
    assert objects == 712


@pytest.mark.parametrize("folder", ["ecssd500", "duts-tr/tune"])
def test_saliency(folder: str) -> None:
    dataset = opened("folder", folder)
    assert len(dataset.examples) == 500
    for example in dataset.examples[::50]:
        truth = example.truth(example.picture())
        assert truth.foreground is not None
        assert 0 < truth.foreground.mean() < 1
        assert len(truth.boxes)
