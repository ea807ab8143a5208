"""Retrieval by hand, on rows, and of whole images against dense label maps."""

from collections import Counter
from dataclasses import replace
from math import isnan

import numpy as np
import pytest
from scipy.ndimage import label

from heap.base.errors import InputError
from heap.benchmark.protocols import PROTOCOLS, Row
from heap.benchmark.protocols.outcome import Outcome
from heap.benchmark.protocols.retrieval import Retrieval
from heap.benchmark.truth import VOID

from .scenes import scored, seen

CAT, CAR, PERSON = 8, 7, 15
SEVEN = {"aeroplane": 1, "bottle": 5, "bus": 6, "car": 7, "cat": 8, "cow": 10, "person": 15}
ANIMALS = {"cat": 8, "cow": 10, "dog": 12, "horse": 13, "person": 15, "sheep": 17}
NUMBERS = {"7": [*SEVEN.values()], "animals": [*ANIMALS.values()], "21": [*range(21)]}
SIDE = 512


def at(degrees: float) -> list[float]:
    return [float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))]


def row(
    split: str, *segments: tuple[float, dict[int, int]], rest: dict[int, int] | None = None
) -> Row:
    """An image; of each segment the direction of its embedding, and its pixels by class."""

    def counted(pixels: dict[int, int]) -> dict[str, int]:
        return {str(number): count for number, count in pixels.items()}

    found = [{"embedding": at(angle), "pixels": counted(pixels)} for angle, pixels in segments]
    return {"split": split, "segments": found, "rest": counted(rest or {})}


def retrieval(name: str = "21", k: int = 1) -> Retrieval:
    protocol = PROTOCOLS[f"retrieval-voc12-{name}-v1"]
    assert isinstance(protocol, Retrieval)
    return replace(protocol, k=k)


def names(rows: list[Row], k: int = 1) -> list[int]:
    """Those that the segments of the queries get."""
    final, _ = retrieval(k=k).finish(rows)
    return [name for row in final for (name,), _ in row.get("segments", [])]


QUERIES = row("val", (5, {}), (80, {}))


class TestMemory:
    def test_an_object_has_the_class_of_most_of_its_pixels(self) -> None:
        memory = row("train", (0, {0: 90, CAT: 6, PERSON: 4}), (90, {PERSON: 3, CAT: 2, 0: 1}))
        assert names([memory, QUERIES]) == [CAT, PERSON]

    def test_an_object_without_a_class_is_dropped(self) -> None:
        memory = row("train", (5, {0: 50}), (80, {}), (40, {CAT: 1, 0: 99}))
        assert names([memory, QUERIES]) == [CAT, CAT]
        _, notes = retrieval().finish([memory, QUERIES])
        assert notes["memory"] == 1

    def test_where_it_is_empty_all_is_background(self) -> None:
        query = row("val", (5, {CAT: 4, 0: 1}), rest={0: 15})
        for memory in (row("train"), row("train", (0, {0: 9}))):
            value, _, notes = scored(retrieval(), [memory, query])
            assert notes["memory"] == 0
            assert value["miou"] == pytest.approx((16 / 20 + 0) / 2)

    def test_of_its_rows_only_a_number_is_kept(self) -> None:
        rows = [row("val", (5, {CAT: 1})), row("train", (0, {CAT: 1}), (1, {0: 1})), row("val")]
        final, _ = retrieval().finish(rows)
        assert final == [
            {"segments": [[[CAT], {"8": 1}]], "rest": {}},
            {"memory": 2},
            {"segments": [], "rest": {}},
        ]


class TestNeighbours:
    MEMORY = row("train", (0, {CAT: 1}), (20, {PERSON: 1}), (25, {PERSON: 1}), (90, {CAR: 1}))

    def test_the_nearest_by_angle(self) -> None:
        queries = row("val", (8, {}), (12, {}), (-60, {}), (200, {}))
        assert names([self.MEMORY, queries]) == [CAT, PERSON, CAT, CAR]

    def test_queries_are_no_memory(self) -> None:
        assert names([self.MEMORY, row("val", (44, {CAR: 1}), (45, {CAR: 1}))]) == [PERSON] * 2

    @pytest.mark.parametrize(("k", "name"), [(1, CAT), (2, CAT), (3, PERSON), (9, PERSON)])
    def test_several_vote_and_of_equals_the_nearest_wins(self, k: int, name: int) -> None:
        assert names([self.MEMORY, row("val", (3, {}))], k=k) == [name]

    def test_a_tie_for_the_most_votes_is_won_by_the_nearest_of_these(self) -> None:
        memory = row("train", (0, {CAR: 1}), (1, {PERSON: 1}), (2, {CAT: 1}), (3, {CAT: 1}),
                     (4, {PERSON: 1}))  # fmt: skip
        assert names([memory, row("val", (0, {}))], k=5) == [PERSON]


class TestValue:
    MEMORY = row("train", (0, {CAT: 1}), (90, {PERSON: 1}))
    QUERY = (
        row("val", (1, {CAT: 6, 0: 4}), rest={0: 88, CAT: 2}),
        row("val", (89, {CAT: 4}), (91, {PERSON: 3}), rest={0: 9}),
    )
    """Cat: 6 right, 4 too many, 2 + 4 missing. Person: 3 right, 4 too many. Background: 97 right,
    2 too many, 4 missing."""

    def test_by_hand(self) -> None:
        rows = [self.MEMORY, *self.QUERY]
        assert scored(retrieval("7"), rows)[0] == pytest.approx({"miou": (6 / 16 + 3 / 7) / 2})
        with_background = (6 / 16 + 3 / 7 + 97 / 103) / 3
        assert scored(retrieval("21"), rows)[0] == pytest.approx({"miou": with_background})

    def test_classes_that_are_not_there_are_named_and_left_out(self) -> None:
        _, _, notes = scored(retrieval("7"), [self.MEMORY, *self.QUERY])
        assert set(notes["absent"]) == SEVEN.keys() - {"cat", "person"}
        assert notes["memory"] == 2
        # A wrong name that nothing has only takes pixels away.
        wrong = row("val", (1, {PERSON: 5, 0: 3}), rest={PERSON: 5})
        value, _, notes = scored(retrieval("animals"), [self.MEMORY, wrong])
        assert value == {"miou": 0}
        assert set(notes["absent"]) == ANIMALS.keys() - {"person"}

    def test_where_no_class_is_there_it_is_not_defined(self) -> None:
        assert isnan(scored(retrieval("7"), [self.MEMORY, row("val", rest={0: 9})])[0]["miou"])

    def test_no_image_to_name_is_refused(self) -> None:
        with pytest.raises(InputError, match=r"not one image of the split val could be used"):
            retrieval().finish([self.MEMORY])

    def test_an_interval_is_of_images(self) -> None:
        final, notes = retrieval("7").finish([self.MEMORY, *self.QUERY])
        (values,) = retrieval("7").values(final, notes)
        # Either image alone, drawn twice: only cats there 6 / 12; or cats 0 / 4, persons 3 / 7.
        assert values.at(np.array([[2.0, 0], [0, 2]])).ravel() == pytest.approx([1 / 2, 3 / 14])


def photos(seed: int) -> list[tuple[str, Outcome, np.ndarray]]:
    """Images of 4 x 8 patches, whose features tell the class of most patches, and its map."""
    random = np.random.default_rng(seed)
    prototypes = random.normal(size=(21, 6))
    found = []
    for split in ["train"] * 5 + ["val"] * 6:
        coarse = random.choice([0, 0, 0, 1, CAR, CAT, 10, 12, PERSON], size=(2, 4))
        cells = coarse.repeat(2, axis=0).repeat(2, axis=1)
        classes = cells.repeat(6, axis=0).repeat(6, axis=1).astype(np.uint8)
        classes[random.random(classes.shape) < 0.05] = VOID
        features = prototypes[cells.ravel()] + 0.6 * random.normal(size=(32, 6))
        saliency = 0.5 * (cells > 0) + 0.6 * random.random(cells.shape)
        made = seen(
            saliency.clip(0, 1).astype(np.float32), cell=6, features=features, classes=classes
        )
        found.append((split, made, classes))
    return found


def squeezed(plane: np.ndarray) -> np.ndarray:
    rows, cols = (((np.arange(SIDE) + 0.5) * length / SIDE).astype(int) for length in plane.shape)
    found: np.ndarray = plane[rows][:, cols]
    return found


def dense_miou(images: list[tuple[str, Outcome, np.ndarray]], name: str, objects: str) -> float:
    """Label maps of 512 x 512, made and compared pixel by pixel."""
    scored = NUMBERS[name]
    bank, queries = [], []
    for split, made, classes in images:
        truth = squeezed(np.where(np.isin(classes, [0, *scored]), classes, VOID))
        foreground = squeezed(made.smooth > 0.5)
        parts, count = label(foreground)
        masks = {
            "": [squeezed(mask) for mask in made.masks],
            "-single": [foreground],
            "-parts": [parts == number for number in range(1, count + 1)],
        }[objects]
        if objects != "-single":
            masks = [mask for mask in masks if mask.mean() >= 0.01]
        # All pixels of a patch have the feature of the patch: how many are in the mask?
        counts = [mask.reshape(4, SIDE // 4, 8, SIDE // 8).sum(axis=(1, 3)) for mask in masks]
        means = [
            count.ravel() @ made.observed.features.patches.double().numpy() for count in counts
        ]
        units = [mean / np.linalg.norm(mean) for mean in means]
        if split == "val":
            queries.append((truth, masks, units))
            continue
        for mask, unit in zip(masks, units, strict=True):
            votes = Counter(truth[mask][~np.isin(truth[mask], [0, VOID])].tolist())
            bank += [(unit, votes.most_common(1)[0][0])] if votes else []
    truths, maps = [], []
    for truth, masks, units in queries:
        predicted = np.zeros_like(truth)
        for mask, unit in zip(masks, units, strict=True):
            predicted[mask] = max(bank, key=lambda known: float(known[0] @ unit))[1]
        truths.append(truth[truth != VOID])
        maps.append(predicted[truth != VOID])
    there, found = np.concatenate(truths), np.concatenate(maps)
    return float(np.mean([
        np.count_nonzero((there == number) & (found == number))
        / np.count_nonzero((there == number) | (found == number))
        for number in scored if (there == number).any()
    ]))  # fmt: skip


@pytest.mark.parametrize("objects", ["", "-single", "-parts"])
@pytest.mark.parametrize("name", ["7", "21", "animals"])
def test_equals_what_dense_label_maps_give(name: str, objects: str) -> None:
    protocol = PROTOCOLS[f"retrieval-voc12-{name}-v1{objects}"]
    images = photos(len(protocol.name))
    rows = [protocol.measure(made, split) for split, made, _ in images]
    found = scored(protocol, rows)[0]["miou"]
    assert found == pytest.approx(dense_miou(images, name, objects), abs=1e-9)
    assert 0.05 < found < 1
