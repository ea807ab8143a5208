"""What retrieval and clustering keep of an image: embeddings, and pixels of each class."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples

from heap.benchmark.protocols import PROTOCOLS, Row
from heap.benchmark.protocols.outcome import Outcome
from heap.benchmark.protocols.segments import (
    Objects,
    SegmentProtocol,
    confusion,
    embeddings_of,
    majority_class,
    name_segments,
)
from heap.benchmark.truth import VOID
from heap.methods.finding import Finding, GridObject

from .scenes import drawn, marked, seen

CAT, DOG, PERSON = 8, 12, 15
NAMES = [name for name, each in PROTOCOLS.items() if isinstance(each, SegmentProtocol)]
CLASSES = np.array([[PERSON, PERSON, 0, CAT], [PERSON, VOID, 0, 0]], dtype=np.uint8)


def native(objects: Objects = "as found", min_area: float = 0.01) -> SegmentProtocol:
    """At the size of the image, so that pixels can be counted by hand."""
    protocol = PROTOCOLS["clustering-voc12-v1"]
    assert isinstance(protocol, SegmentProtocol)
    return replace(protocol, objects=objects, min_area=min_area)


def two_things() -> Outcome:
    return seen(drawn("##.#", "##.."), classes=CLASSES)


def pixels(row: Row) -> list[dict[str, int]]:
    return [segment["pixels"] for segment in row["segments"]]


class TestPixels:
    def test_they_are_counted_by_object_and_class(self) -> None:
        row = native().measure(two_things(), "val")
        assert pixels(row) == [{"15": 3}, {"8": 1}]
        assert row["rest"] == {"0": 3}
        assert row["split"] == "val"

    def test_an_object_may_lie_on_several_classes_or_on_none(self) -> None:
        row = native().measure(seen(drawn(".###", "...."), classes=CLASSES), "val")
        assert pixels(row) == [{"0": 1, "8": 1, "15": 1}]
        row = native().measure(seen(drawn("....", ".#.."), classes=CLASSES), "val")
        assert pixels(row) == [{}]

    def test_where_nothing_is_found_all_is_rest(self) -> None:
        row = native().measure(seen(drawn("....", "...."), classes=CLASSES), "val")
        assert row == {"split": "val", "segments": [], "rest": {"0": 3, "8": 1, "15": 3}}

    def test_classes_that_are_not_scored_are_void(self) -> None:
        classes = np.array([[CAT, DOG, PERSON, 1]], dtype=np.uint8)
        made = seen(drawn("##.."), classes=classes)
        counted = {
            "7": ({"8"}, {"15", "1"}),
            "21": ({"8", "12"}, {"15", "1"}),
            "animals": ({"8", "12"}, {"15"}),
        }
        for name, (inside, rest) in counted.items():
            row = PROTOCOLS[f"retrieval-voc12-{name}-v1"].measure(made, "val")
            assert set(row["segments"][0]["pixels"]) == inside
            assert set(row["rest"]) == rest

    def test_all_is_squeezed_to_a_square(self) -> None:
        row = PROTOCOLS["retrieval-voc12-21-v1"].measure(two_things(), "train")
        each = 256 * 128
        assert pixels(row) == [{"15": 3 * each}, {"8": each}]
        assert row["rest"] == {"0": 3 * each}

    @settings(max_examples=examples(30))
    @given(st.integers(0, 2**32 - 1), st.sampled_from(NAMES))
    def test_every_scored_pixel_is_in_one_object_or_in_the_rest(self, seed: int, name: str) -> None:
        random = np.random.default_rng(seed)
        classes = random.choice([0, CAT, PERSON, VOID], size=(16, 32)).astype(np.uint8)
        made = seen(random.random((2, 4), dtype=np.float32), cell=8, classes=classes)
        row = PROTOCOLS[name].measure(made, "val")
        side = 16 if name.startswith("clustering") else 512
        for number in (0, CAT, PERSON):
            counts = [part.get(str(number), 0) for part in (*pixels(row), row["rest"])]
            share = np.count_nonzero(classes == number) / classes.size
            assert sum(counts) == share * side * (32 if side == 16 else 512)


class TestObjects:
    def test_all_as_one(self) -> None:
        row = native("all as one").measure(two_things(), "val")
        assert pixels(row) == [{"8": 1, "15": 3}]

    def test_as_found_and_connected_parts_differ_where_objects_touch(self) -> None:
        objects = (GridObject(marked("##..", "...."), 0.9), GridObject(marked("....", "##.."), 0.8))
        finding = Finding(drawn("##.#", "##.."), objects)
        made = seen(finding, classes=CLASSES)
        assert pixels(native().measure(made, "val")) == [{"15": 2}, {"15": 1}]
        assert pixels(native("connected parts").measure(made, "val")) == [{"15": 3}, {"8": 1}]

    def test_parts_meet_at_sides_and_not_at_corners(self) -> None:
        made = seen(drawn("#...", ".#.."), classes=np.zeros((2, 4), dtype=np.uint8))
        assert pixels(native("connected parts").measure(made, "val")) == [{"0": 1}] * 2

    @pytest.mark.parametrize("objects", ["as found", "connected parts"])
    def test_from_one_hundredth_on_they_count(self, objects: Objects) -> None:
        saliency = np.zeros((10, 10), dtype=np.float32)
        saliency[0, :2], saliency[5, 5] = 1, 1
        made = seen(saliency, classes=np.full((10, 10), CAT, dtype=np.uint8))
        assert pixels(native(objects).measure(made, "val")) == [{"8": 2}, {"8": 1}]
        row = native(objects, min_area=0.011).measure(made, "val")
        assert pixels(row) == [{"8": 2}]
        assert row["rest"] == {"8": 98}

    def test_the_whole_foreground_counts_however_small(self) -> None:
        protocol = native("all as one", min_area=0.5)
        assert pixels(protocol.measure(two_things(), "val")) == [{"8": 1, "15": 3}]

    def test_the_foreground_is_cut_in_pixels(self) -> None:
        # See the saliency protocols: of the first patch the last of ten columns is below one half.
        classes = np.full((10, 20), CAT, dtype=np.uint8)
        row = native("all as one").measure(seen(drawn("9."), cell=10, classes=classes), "val")
        assert pixels(row) == [{"8": 90}]


class TestEmbedding:
    def test_a_patch_counts_by_the_share_that_is_covered(self) -> None:
        # Saliency falls from 0.6 to 0 between the pixels 15 and 25: up to 17 it is above one half.
        made = seen(drawn("#6."), cell=10, features=np.eye(3), classes=np.zeros((10, 30), np.uint8))
        for objects in ("as found", "all as one", "connected parts"):
            (segment,) = native(objects).measure(made, "val")["segments"]
            expected = np.array([1, 0.7, 0]) / np.hypot(1, 0.7)
            assert segment["embedding"] == pytest.approx(expected)

    def test_features_are_not_scaled_before_they_are_averaged(self) -> None:
        features = np.array([[3.0, 0], [0, 4]])
        made = seen(drawn("##"), features=features, classes=np.zeros((1, 2), np.uint8))
        (segment,) = native().measure(made, "val")["segments"]
        assert segment["embedding"] == pytest.approx([0.6, 0.8])

    def test_a_few_pixels_of_a_large_patch_have_one(self) -> None:
        saliency = np.zeros((3, 3), dtype=np.float32)
        saliency[1, 1] = 0.51
        made = seen(saliency, cell=80, features=np.eye(9), classes=np.zeros((240, 240), np.uint8))
        (segment,) = native("all as one").measure(made, "val")["segments"]
        assert segment["pixels"] == {"0": 4}
        assert segment["embedding"] == pytest.approx(np.eye(9)[4])

    def test_features_of_length_zero_have_length_zero(self) -> None:
        made = seen(drawn("#."), features=np.zeros((2, 3)), classes=np.zeros((1, 2), np.uint8))
        (segment,) = native().measure(made, "val")["segments"]
        assert segment["embedding"] == [0, 0, 0]

    @settings(max_examples=examples(25))
    @given(st.integers(0, 2**32 - 1), st.sampled_from(NAMES))
    def test_a_mirror_image_has_the_same_objects(self, seed: int, name: str) -> None:
        random = np.random.default_rng(seed)
        saliency = random.random((4, 5), dtype=np.float32)
        features = random.normal(size=(4, 5, 3))
        classes = random.choice([0, CAT, PERSON, VOID], size=(24, 30)).astype(np.uint8)
        there = seen(saliency, cell=6, features=features.reshape(20, 3), classes=classes)
        here = seen(
            saliency[:, ::-1],
            cell=6,
            features=features[:, ::-1].reshape(20, 3),
            classes=classes[:, ::-1],
        )
        expected, found = (PROTOCOLS[name].measure(each, "val") for each in (there, here))
        assert found["rest"] == expected["rest"]

        def told(row: Row) -> list[list[float]]:
            return sorted(
                [*(each["pixels"].get(str(n), 0) for n in (0, CAT, PERSON)), *each["embedding"]]
                for each in row["segments"]
            )

        np.testing.assert_allclose(told(found), told(expected), atol=1e-5)


ROW: Row = {
    "segments": [{"embedding": [1, 0], "pixels": {"8": 3, "0": 1}},
                 {"embedding": [0, 1], "pixels": {"15": 2}}],
    "rest": {"0": 10, "8": 1},
}  # fmt: skip


class TestNaming:
    @pytest.mark.parametrize(
        ("counted", "number"),
        [
            ({"0": 90, "8": 4, "15": 6}, 15),
            ({"0": 90, "8": 1}, 8),
            ({"15": 5, "8": 5, "12": 5}, 8),
            ({"0": 100}, 0),
            ({}, 0),
        ],
    )
    def test_the_majority_is_of_classes_and_of_equals_the_first(
        self, counted: dict[str, int], number: int
    ) -> None:
        assert majority_class(counted) == number

    def test_names_take_the_place_of_embeddings(self) -> None:
        rows = [ROW, ROW | {"segments": []}, ROW]
        first, none, last = name_segments(rows, iter([(8, 7), (15, 0), (1, 2), (3, 4)]))
        assert first == {
            "segments": [[[8, 7], {"8": 3, "0": 1}], [[15, 0], {"15": 2}]],
            "rest": {"0": 10, "8": 1},
        }
        assert none["segments"] == []
        assert [names for names, _ in last["segments"]] == [[1, 2], [3, 4]]

    def test_confusion_by_hand(self) -> None:
        (row,) = name_segments([ROW], [(8, 7), (15, 0)])
        first, second = confusion(row, 0), confusion(row, 1)
        assert first.shape == (21, 21)
        assert {(t, p): first[t, p] for t, p in np.argwhere(first).tolist()} == {
            (0, 0): 10, (8, 0): 1, (8, 8): 3, (0, 8): 1, (15, 15): 2,
        }  # fmt: skip
        assert {(t, p): second[t, p] for t, p in np.argwhere(second).tolist()} == {
            (0, 0): 10, (8, 0): 1, (8, 7): 3, (0, 7): 1, (15, 0): 2,
        }  # fmt: skip

    def test_embeddings_are_in_the_order_of_the_segments(self) -> None:
        assert embeddings_of([ROW, {"segments": []}, ROW]).tolist() == [
            [1, 0], [0, 1], [1, 0], [0, 1]
        ]  # fmt: skip

    def test_there_may_be_no_segment_at_all(self) -> None:
        assert len(embeddings_of([])) == len(embeddings_of([{"segments": []}])) == 0


class TestFeatures:
    OWN = np.arange(16, dtype=np.float32).reshape(8, 2)

    def outcome(self, *, with_own: bool) -> Outcome:
        finding = Finding.of_saliency(drawn("##..", "...."))
        own = replace(finding, whitened=self.OWN) if with_own else finding
        return seen(own, classes=CLASSES)

    def embedding(self, outcome: Outcome, name: str) -> list[float]:
        protocol = PROTOCOLS[f"retrieval-voc12-21-v1{name}"]
        assert isinstance(protocol, SegmentProtocol)
        row = replace(protocol, size=None).measure(outcome, "val")
        (segment,) = row["segments"]
        found: list[float] = segment["embedding"]
        return found

    def test_those_of_the_method_where_it_has_any(self) -> None:
        mean = self.OWN[:2].mean(axis=0)
        expected = mean / np.linalg.norm(mean)
        own = self.outcome(with_own=True)
        assert self.embedding(own, "-own") == pytest.approx(expected.tolist())
        encoders = self.embedding(self.outcome(with_own=False), "")
        assert self.embedding(own, "") == encoders
        assert self.embedding(self.outcome(with_own=False), "-own") == encoders
