"""What all protocols have in common: names, choices, and rows that are plain JSON."""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from heap.base.errors import InputError
from heap.benchmark.protocols import PROTOCOLS, Protocol, find_protocol
from heap.benchmark.protocols.abstention import ABSTENTION, FalseAlarms
from heap.benchmark.protocols.clustering import CLUSTERING
from heap.benchmark.protocols.discovery import DISCOVERY
from heap.benchmark.protocols.outcome import Outcome
from heap.benchmark.protocols.regions import REGIONS
from heap.benchmark.protocols.retrieval import RETRIEVAL
from heap.benchmark.protocols.saliency import SALIENCY
from heap.benchmark.protocols.separation import SEPARATION
from heap.benchmark.protocols.several import SEVERAL
from heap.benchmark.truth import VOID, Dataset, Example, Truth
from heap.methods.finding import Finding

from .scenes import drawn, scored, seen

EVERY = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
VOC_CLASSES = ("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat",
               "chair", "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant",
               "sheep", "sofa", "train", "tvmonitor")  # fmt: skip


def no_truth(width: int, height: int) -> Truth:
    raise AssertionError("a protocol is checked without reading an annotation")


def data(*splits: str, classes: tuple[str, ...] = VOC_CLASSES) -> Dataset:
    examples = (Example(split, Path(f"{split}.jpg"), split, no_truth) for split in splits)
    return Dataset("toy", Path("/data/toy"), tuple(examples), classes)


def in_regions(saliency: np.ndarray) -> Finding:
    """The objects of a map, and each patch as a region."""
    labels = np.arange(saliency.size).reshape(saliency.shape)
    embeddings = np.eye(saliency.size, dtype=np.float32)
    found = Finding.of_saliency(saliency)
    return replace(found, label_map=labels, region_embeddings=embeddings)


def scene(seed: int) -> Outcome:
    """Something found by a noisy method in a noisy picture, with all kinds of annotation."""
    random = np.random.default_rng(seed)
    classes = random.choice([0, 0, 6, 8, 13, 15, VOID], size=(3, 4)).astype(np.uint8)
    classes = classes.repeat(8, axis=0).repeat(8, axis=1)
    here = [classes == number for number in np.unique(classes) if 0 < number < VOID]
    instances = np.array(here, dtype=bool).reshape(-1, *classes.shape)
    corners = random.integers(0, 16, size=(len(instances), 2))
    return seen(
        in_regions(random.random((3, 4), dtype=np.float32)),
        cell=8,
        pixels=random.integers(0, 256, (*classes.shape, 3), dtype=np.uint8),
        features=random.normal(size=(12, 5)),
        boxes=np.concatenate([corners, corners + 8], axis=1).astype(np.float64),
        crowds=random.random(len(instances)) < 0.2,
        foreground=(classes > 0) & (classes != VOID),
        void=classes == VOID,
        classes=classes,
        instances=instances,
        box_classes=tuple(str(number) for number in range(len(instances))),
    )


def suited(outcome: Outcome, protocol: Protocol) -> Outcome:
    """The same without an object, for the protocol that takes no other images."""
    if not isinstance(protocol, FalseAlarms):
        return outcome
    return replace(outcome, truth=Truth(np.zeros((0, 4)), np.zeros(0, dtype=bool)))


def in_range(values: dict[str, float]) -> bool:
    """All are fractions, but for numbers: of patches there are twelve in a scene."""
    numbers = {"objects": 12, "regions": 12}
    most = {
        name: int(name[6:]) if name.startswith("boxes_") else numbers.get(name, 1)
        for name in values
    }
    return all(0 <= value <= most[name] for name, value in values.items())


class TestNames:
    def test_those_that_were_promised_are_there(self) -> None:
        saliency = [
            *("saliency-found-v1" + part for part in ("", "-single")),
            *("saliency-tokencut-v1", "saliency-sod-v1"),
        ]
        retrieval = [f"retrieval-voc12-{classes}-v1" for classes in ("7", "21", "animals")]
        assert set(PROTOCOLS) == {
            *("corloc-found-v1", "corloc-lost-v1", "corloc-any-v1", "odap-v1"),
            *("ap-box-v1", "ap-box-v1-guided", "ap-mask-v1", "ap-mask-v1-guided"),
            *("several-v1", "separation-v1", "false-alarms-v1", "recall-v1"),
            *(name + refine for name in saliency for refine in ("", "-guided", "-solver")),
            *(name + way for name in retrieval for way in ("", "-single", "-parts", "-own")),
            *("clustering-voc12-v1", "clustering-voc12-v1-single"),
            *("regions-voc12-v1", "region-oracle-v1"),
        }

    def test_no_name_is_given_twice(self) -> None:
        kinds = (
            *(*DISCOVERY, *ABSTENTION, *SALIENCY, *RETRIEVAL, *CLUSTERING),
            *(*REGIONS, *SEVERAL, *SEPARATION),
        )
        assert len(PROTOCOLS) == len(kinds)
        assert [*PROTOCOLS.items()] == [(each.name, each) for each in kinds]

    def test_a_wrong_name_is_answered_with_similar_ones(self) -> None:
        assert find_protocol("odap-v1") is PROTOCOLS["odap-v1"]
        with pytest.raises(InputError, match=r"'saliency-found'; did you mean .*saliency-found-v1"):
            find_protocol("saliency-found")
        with pytest.raises(InputError, match=r"'zzz'; `heap protocols` lists them"):
            find_protocol("zzz")


class TestChoices:
    @EVERY
    def test_all_are_told_as_plain_json(self, protocol: Protocol) -> None:
        choices = protocol.choices()
        assert {*choices, "name"} == {field.name for field in fields(protocol)}
        for name, value in json.loads(json.dumps(choices)).items():
            assert value == (list(choices[name]) if isinstance(value, list) else choices[name])
            assert value not in (None, True, False), "says nothing to a reader"

    def test_two_protocols_never_make_the_same(self) -> None:
        told = {f"{type(each)} {json.dumps(each.choices())}" for each in PROTOCOLS.values()}
        assert len(told) == len(PROTOCOLS)

    @EVERY
    def test_words_are_about_choices_that_there_are(self, protocol: Protocol) -> None:
        assert {name for name, _ in protocol.words} <= {field.name for field in fields(protocol)}

    def test_constants_of_a_refinement_are_told(self) -> None:
        told = PROTOCOLS["saliency-sod-v1-solver"].choices()["refine"]
        for constant in ("sigma 16 pixels, 16 luma, 8 chroma", "lambda 256", "25 steps", "0.5"):
            assert constant in told
        told = PROTOCOLS["ap-mask-v1-guided"].choices()["refine"]
        assert "radius 8 pixels at the area of 224 x 224, epsilon 0.001" in told

    def test_in_short_names_what_differs(self) -> None:
        assert (
            PROTOCOLS["saliency-found-v1-single-solver"]
            .in_short()
            .endswith("the mean of each image's own best F; select single; refine solver")
        )
        assert PROTOCOLS["corloc-lost-v1"].in_short() == (
            "Share of the images in which a box hits any object: IoU of at least 0.5; "
            "box part of the seed"
        )
        assert PROTOCOLS["odap-v1"].in_short().endswith("mean over the images")

    def test_in_short_no_two_of_a_kind_are_alike(self) -> None:
        for kind in {type(each) for each in PROTOCOLS.values()} - {type(RETRIEVAL[0])}:
            told = [each.in_short() for each in PROTOCOLS.values() if type(each) is kind]
            assert len(set(told)) == len(told)


class TestCheck:
    def test_a_missing_split_is_named(self) -> None:
        protocol = PROTOCOLS["retrieval-voc12-21-v1"]
        protocol.check(data("train", "val"))
        with pytest.raises(InputError, match=r"needs the splits train, val; toy has no train in"):
            protocol.check(data("val"))
        with pytest.raises(InputError, match=r"clustering-voc12-v1 needs the splits val; .* val"):
            PROTOCOLS["clustering-voc12-v1"].check(data("train", "all"))

    def test_most_take_any_split(self) -> None:
        PROTOCOLS["corloc-found-v1"].check(data("trainval"))
        assert PROTOCOLS["corloc-found-v1"].looks_at("anything")

    def test_others_look_at_theirs_only(self) -> None:
        protocol = PROTOCOLS["clustering-voc12-v1"]
        assert protocol.looks_at("val")
        assert not protocol.looks_at("train")

    @pytest.mark.parametrize(
        "name", ["retrieval-voc12-7-v1", "clustering-voc12-v1", "regions-voc12-v1"]
    )
    def test_other_classes_than_those_of_voc_are_refused(self, name: str) -> None:
        """Class 15 of COCO is no person."""
        coco = ("background", "person", "bicycle", "car")
        for classes in (coco, ()):
            with pytest.raises(InputError, match=rf"{name} needs class maps of PASCAL VOC"):
                PROTOCOLS[name].check(data("train", "val", classes=classes))

    @pytest.mark.parametrize(
        ("name", "part"),
        [
            ("saliency-found-v1", "foreground"),
            ("saliency-tokencut-v1", "foreground"),
            ("saliency-sod-v1", "foreground"),
            ("ap-mask-v1", "instances"),
            ("several-v1", "box_classes"),
            ("separation-v1", "box_classes"),
            ("retrieval-voc12-7-v1", "classes"),
            ("clustering-voc12-v1", "classes"),
            ("regions-voc12-v1", "classes"),
            ("region-oracle-v1", "foreground"),
        ],
    )
    def test_an_annotation_that_there_is_not_is_named(self, name: str, part: str) -> None:
        bare = seen(drawn("#."), cell=8)
        with pytest.raises(InputError, match=rf"{name} needs {part} in the annotation"):
            PROTOCOLS[name].measure(bare, "val")


class TestRows:
    @EVERY
    def test_they_go_through_json_and_give_values_in_range(self, protocol: Protocol) -> None:
        splits = ("train", "val", "val", "val")
        rows = [
            protocol.measure(suited(scene(seed), protocol), split)
            for seed, split in enumerate(splits)
        ]
        values, final, notes = scored(protocol, rows)
        straight, kept = protocol.finish(rows)
        assert (straight, kept) == (final, notes)
        assert values
        assert in_range(values)
        assert json.loads(json.dumps(notes)) == notes

    @EVERY
    def test_an_image_in_which_nothing_is_found_is_scored(self, protocol: Protocol) -> None:
        full, empty = scene(2), drawn("....", "....", "....")
        parts = ("boxes", "crowds", "foreground", "void", "classes", "instances", "box_classes")
        truth = {name: getattr(full.truth, name) for name in parts}
        nothing = seen(in_regions(empty), cell=8, **truth)
        row = protocol.measure(suited(nothing, protocol), "val")
        values, *_ = scored(protocol, [row])
        assert in_range(values)
        kinds = ("corloc", "iou", "AP", "AR100", "odap", "recall", "alarms", "alarms_val",
                 "max_f_found", "max_f_tokencut")  # fmt: skip
        for name in kinds:
            assert values.get(name, 0) == 0
