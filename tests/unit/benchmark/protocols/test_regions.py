"""Regions by hand, and against loops over all pairs of regions."""

from dataclasses import replace
from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples

from heap.base.errors import InputError
from heap.benchmark.protocols import PROTOCOLS, Row
from heap.benchmark.protocols.outcome import Outcome
from heap.benchmark.protocols.regions import RegionRetrieval
from heap.benchmark.truth import VOID
from heap.methods.finding import Finding

from .scenes import marked, scored, seen

CAR, CAT, DOG = 7, 8, 12
ORACLE = PROTOCOLS["region-oracle-v1"]


def retrieval(k: int = 10) -> RegionRetrieval:
    protocol = PROTOCOLS["regions-voc12-v1"]
    assert isinstance(protocol, RegionRetrieval)
    return replace(protocol, k=k)


def found(labels: np.ndarray, embeddings: np.ndarray | None = None) -> Finding:
    """Regions and no objects."""
    if embeddings is not None:
        embeddings = embeddings.astype(np.float32)
    return Finding(np.zeros(labels.shape, dtype=np.float32), (), labels, embeddings)


def at(degrees: list[float]) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def strip(classes: list[int], features: list[float], head: list[float]) -> Outcome:
    """Regions side by side, each a patch of 2 x 2 pixels; of embeddings the direction is given."""
    labels = np.arange(len(classes))[None]
    cells = np.array([classes], dtype=np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    return seen(found(labels, 3 * at(head)), cell=2, features=5 * at(features), classes=cells)


def measured(*outcomes: Outcome, k: int = 10) -> list[Row]:
    return [retrieval(k).measure(each, "val") for each in outcomes]


THREE = (
    strip([CAT, 0, VOID], [0, 4, 1], [0, 90, 1]),
    strip([CAT, DOG], [9, 60], [5, 60]),
    strip([DOG, 0, CAT], [2, 50, 180], [60, 90, 30]),
)


class TestRetrieval:
    def test_by_hand(self) -> None:
        values, final, _ = scored(retrieval(2), measured(*THREE, k=2))
        assert values == pytest.approx(
            {
                # The two nearest of the cat at 0: a dog, a cat; at 9: the background, a dog;
                # of the dog at 60: the background twice; at 2: a cat, the background; of the cat
                # at 180: a dog, a cat.
                "recall_1_features": 0,
                "recall_2_features": 2 / 5,
                "precision_2_features": 2 * (1 / 2) / 5,
                # Two cats, two cats; a dog and the background, the same; two cats.
                "recall_1_head": 1,
                "recall_2_head": 1,
                "precision_2_head": 4 / 5,
            }
        )
        assert [row["queries"] for row in final] == [1, 2, 2]
        assert [row["precision_2_head"] for row in final] == [1, 1.5, 1.5]

    def test_values_are_means_over_queries_and_intervals_of_images(self) -> None:
        names = [f"{score}_{kind}" for kind in ("features", "head")
                 for score in ("recall_1", "recall_10", "precision_10")]  # fmt: skip
        rows = [
            {"queries": count} | dict.fromkeys(names, hits)
            for count, hits in ((1, 1.0), (3, 0.0), (0, 0.0))
        ]
        (values,) = retrieval().values(rows, {})
        assert values.value() == dict.fromkeys(names, 1 / 4)
        drawn = values.at(np.array([[3.0, 0, 0], [2, 1, 0], [0, 0, 3]]))
        assert drawn[0].tolist() == [1] * 6
        assert drawn[1].tolist() == [2 / 5] * 6
        assert np.isnan(drawn[2]).all(), "an image without a query says nothing"

    def test_notes_say_what_was_looked_for(self) -> None:
        rows = measured(*THREE, strip([0, CAR], [0, 1], [0, 1]), k=2)
        _, _, notes = scored(retrieval(2), rows)
        assert notes == {
            "regions": 9,
            "queries": {"car": 1, "cat": 3, "dog": 2},
            "in_one_image": ["car"],
            # Alike are of the cats 2 of 7, 7 and 6 others, of the dogs 1 of 7 and 6, of the car 0.
            "recall_2_by_chance": pytest.approx(
                (5 - 2 * 10 / 21 - 6 / 15 - 15 / 21 - 10 / 15) / 6, abs=1e-5
            ),
        }

    def test_what_is_not_there_is_not_defined_or_not_found(self) -> None:
        for nothing in ([0, 0], [VOID, VOID]):
            values, *_ = scored(retrieval(), measured(strip(nothing, [0, 1], [0, 1])))
            assert all(map(isnan, values.values()))
        values, *_ = scored(retrieval(), measured(strip([CAT, CAT], [0, 1], [0, 1])))
        assert set(values.values()) == {0}

    def test_a_number_without_a_patch_is_no_region(self) -> None:
        labels, classes = np.array([[0, 0, 2]]), np.array([[CAT, CAT, DOG]], dtype=np.uint8)
        made = seen(found(labels, np.ones((4, 2))), features=np.ones((3, 2)), classes=classes)
        assert measured(made)[0]["classes"] == [CAT, DOG]

    def test_methods_that_report_no_regions_or_no_embeddings_are_refused(self) -> None:
        classes = np.zeros((1, 2), dtype=np.uint8)
        for finding in (Finding.of_mask(marked("#.")), found(np.array([[0, 1]]))):
            with pytest.raises(InputError, match="regions-voc12-v1 needs regions"):
                retrieval().measure(seen(finding, classes=classes), "val")

    @settings(max_examples=examples(40))
    @given(st.integers(0, 2**32 - 1), st.integers(1, 12))
    def test_equals_loops_over_all_pairs(self, seed: int, k: int) -> None:
        random = np.random.default_rng(seed)
        outcomes = [scene(random) for _ in range(random.integers(1, 6))]
        values, *_ = scored(retrieval(k), measured(*outcomes, k=k))
        for kind in ("features", "head"):
            expected = looped(outcomes, kind, k)
            ours = [values[f"{name}_{kind}"] for name in ("recall_1", f"recall_{k}")]
            ours.append(values[f"precision_{k}_{kind}"])
            assert ours == pytest.approx(expected, nan_ok=True)


def scene(random: np.random.Generator) -> Outcome:
    """3 x 4 patches of 2 x 2 pixels in at most five regions, one of the numbers left out."""
    labels = random.choice([0, 1, 2, 3, 5], size=(3, 4))
    cells = random.choice([0, 0, CAT, CAT, DOG, VOID], size=(6, 8)).astype(np.uint8)
    return seen(
        found(labels, random.normal(size=(6, 7))),
        cell=2,
        features=random.normal(size=(12, 5)),
        classes=cells,
    )


def looped(outcomes: list[Outcome], kind: str, k: int) -> list[float]:
    """Pixel by pixel, patch by patch and pair by pair."""
    regions: list[tuple[int, int, np.ndarray]] = []
    for image, outcome in enumerate(outcomes):
        labels, head = outcome.finding.label_map, outcome.finding.region_embeddings
        classes = outcome.truth.classes
        assert labels is not None
        assert head is not None
        assert classes is not None
        patches = outcome.observed.features.patches.numpy()
        for number in np.unique(labels):
            pixels = [
                int(value)
                for (row, col), value in np.ndenumerate(classes)
                if labels[row // 2, col // 2] == number and value != VOID
            ]
            if not pixels:
                continue
            most = max(set(pixels), key=pixels.count)
            mean = np.mean([patches[at] for at in np.flatnonzero(labels == number)], axis=0)
            embedding = mean if kind == "features" else head[number]
            regions.append((image, most if 2 * pixels.count(most) > len(pixels) else 0, embedding))
    hits = []
    for image, name, query in regions:
        others = [each for each in regions if each[0] != image]
        others.sort(
            key=lambda each: -each[2] @ query / np.linalg.norm(each[2]) / np.linalg.norm(query)
        )
        alike = [each[1] == name for each in others[:k]]
        if name:
            hits.append([bool(alike) and alike[0], any(alike), sum(alike) / k])
    return [float(each) for each in np.mean(hits, axis=0)] if hits else [float("nan")] * 3


class TestOracle:
    def test_by_hand(self) -> None:
        labels = np.array([[0, 1], [2, 2]])
        truth = marked("###.", "##..", "....", "....")
        row = ORACLE.measure(seen(found(labels), cell=2, foreground=truth), "all")
        assert row == {"iou_oracle": 4 / 5}
        void = marked("..#.", "....", "....", "....")
        row = ORACLE.measure(seen(found(labels), cell=2, foreground=truth, void=void), "all")
        assert row == {"iou_oracle": 1}
        assert scored(ORACLE, [row, {"iou_oracle": 0.5}])[0] == {"iou_oracle": 0.75}

    def test_no_saliency_and_no_other_regions_are_better_than_those_of_the_truth(self) -> None:
        truth = marked(".##.", "....")
        for labels, best in ((np.array([[0, 1, 1, 0], [0] * 4]), 1), (np.zeros((2, 4), int), 0)):
            row = ORACLE.measure(seen(found(labels), foreground=truth), "all")
            assert row == {"iou_oracle": best}

    def test_methods_without_regions_are_refused(self) -> None:
        with pytest.raises(InputError, match="region-oracle-v1 needs regions"):
            ORACLE.measure(seen(marked("#.").astype(np.float32), foreground=marked("#.")), "all")
