"""Clustering by hand on rows: what is there to be found, and the matching, one to one."""

from itertools import permutations

import numpy as np
import pytest

from heap.benchmark.protocols import PROTOCOLS, Row
from heap.benchmark.protocols.clustering import Clustering

from .scenes import drawn, scored, seen

PROTOCOL = PROTOCOLS["clustering-voc12-v1"]
CAT, PERSON, TRAIN = 8, 15, 19


def row(*segments: tuple[int, dict[int, int]], rest: dict[int, int] | None = None) -> Row:
    """An image; of each segment which embedding it has, and its pixels by class."""

    def counted(pixels: dict[int, int]) -> dict[str, int]:
        return {str(number): count for number, count in pixels.items()}

    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0]
    return {
        "split": "val",
        "segments": [
            {"embedding": directions[which].tolist(), "pixels": counted(pixels)}
            for which, pixels in segments
        ],
        "rest": counted(rest or {}),
    }


def noisy(seed: int, images: int = 30) -> list[Row]:
    """Many objects of three classes with embeddings that overlap."""
    random = np.random.default_rng(seed)
    centres = {CAT: 0.0, PERSON: 1.0, TRAIN: 2.0}
    rows = []
    for _ in range(images):
        number = int(random.choice([*centres]))
        rows.append(row((0, {number: int(random.integers(5, 20)), 0: 3}), rest={0: 40, number: 2}))
        embedding = random.normal(centres[number], 1, size=8)
        rows[-1]["segments"][0]["embedding"] = (embedding / np.linalg.norm(embedding)).tolist()
    return rows


def test_clusters_that_are_the_classes_score_one() -> None:
    rows = [
        row((0, {CAT: 5}), (1, {PERSON: 7}), rest={0: 20}),
        row((2, {TRAIN: 9}), (0, {CAT: 4}), rest={0: 20}),
        row((1, {PERSON: 3}), rest={0: 20}),
    ]
    value, final, notes = scored(PROTOCOL, rows)
    assert value == {"miou": 1}
    assert final[0]["segments"] == [[[CAT] * 5, {"8": 5}], [[PERSON] * 5, {"15": 7}]]
    assert len(notes["absent"]) == 17
    assert not {"cat", "person", "train", "background"} & {*notes["absent"]}


def test_background_in_an_object_and_objects_in_the_background_are_wrong() -> None:
    rows = [row((0, {CAT: 6, 0: 2}), rest={0: 9, CAT: 1})]
    assert scored(PROTOCOL, rows)[0]["miou"] == pytest.approx((6 / 9 + 9 / 12) / 2)


def test_a_class_takes_one_cluster_only() -> None:
    # Cats are two clusters; the other one goes to a class that there is not.
    rows = [row((0, {CAT: 6}), rest={0: 10}), row((1, {CAT: 4}), (2, {PERSON: 5}))]
    value, final, _ = scored(PROTOCOL, rows)
    assert value["miou"] == pytest.approx((6 / 10 + 1 + 1) / 3)
    (others, _), (persons, _) = final[1]["segments"]
    assert persons == [PERSON] * 5
    assert not {CAT, PERSON, 0} & {*others}


def test_a_cluster_takes_one_class_only() -> None:
    rows = [row((0, {CAT: 6}), (0, {PERSON: 4}), rest={0: 10})]
    assert scored(PROTOCOL, rows)[0]["miou"] == pytest.approx((6 / 10 + 0 + 1) / 3)


def test_the_matching_is_the_best_for_all_classes_together() -> None:
    # By most of its pixels the first cluster would be cats; so both are better off.
    rows = [row((0, {CAT: 10, PERSON: 9}), (1, {CAT: 8}), rest={0: 1})]
    assert scored(PROTOCOL, rows)[0]["miou"] == pytest.approx((9 / 19 + 8 / 18 + 1) / 3)


def dense_miou(rows: list[Row], which: int) -> float:
    """From lists with an entry for each pixel."""
    there, found = [], []
    for each in rows:
        for names, pixels in [*each["segments"], ([0] * 5, each["rest"])]:
            for number, count in pixels.items():
                there += [int(number)] * count
                found += [names[which]] * count
    truth, prediction = np.array(there), np.array(found)
    return float(np.mean([
        np.count_nonzero((truth == number) & (prediction == number))
        / np.count_nonzero((truth == number) | (prediction == number))
        for number in np.unique(truth)
    ]))  # fmt: skip


def test_the_value_is_the_mean_of_five_seeds() -> None:
    value, final, _ = scored(PROTOCOL, noisy(1))
    each = [dense_miou(final, which) for which in range(5)]
    assert value["miou"] == pytest.approx(np.mean(each))
    assert len({round(one, 4) for one in each}) > 1


def test_no_other_naming_of_the_clusters_is_better() -> None:
    """With three clusters, all ways in which they can take the three classes there are."""
    assert isinstance(PROTOCOL, Clustering)
    protocol = Clustering(name="three", clusters=3, seeds=1)
    final, _ = protocol.finish(noisy(2))
    given = {name for each in final for (name,), _ in each["segments"]}
    assert given == {CAT, PERSON, TRAIN}

    def sum_of_iou(order: tuple[int, ...]) -> float:
        names = dict(zip((CAT, PERSON, TRAIN), order, strict=True))
        again = [
            {
                "segments": [[[names[n]] * 5, p] for (n,), p in each["segments"]],
                "rest": each["rest"],
            }
            for each in final
        ]
        # The IoU of the background is the same in all of them.
        return dense_miou(again, 0)

    told = {order: sum_of_iou(order) for order in permutations((CAT, PERSON, TRAIN))}
    assert max(told.values()) == told[CAT, PERSON, TRAIN]
    assert len({*told.values()}) == 6


def test_the_same_rows_give_the_same() -> None:
    assert scored(PROTOCOL, noisy(3)) == scored(PROTOCOL, noisy(3))


def test_nothing_found_anywhere_is_all_background() -> None:
    rows = [row(rest={0: 6, CAT: 2}), row(rest={0: 8})]
    value, final, _ = scored(PROTOCOL, rows)
    assert value["miou"] == pytest.approx((14 / 16 + 0) / 2)
    assert final == [{"segments": [], "rest": {"0": 6, "8": 2}}, {"segments": [], "rest": {"0": 8}}]


def test_an_image_without_objects_among_others() -> None:
    rows = [row((0, {CAT: 2})), row(rest={0: 5}), row((1, {PERSON: 2}))]
    assert scored(PROTOCOL, rows)[0]["miou"] == 1


def test_single_has_one_object_for_each_image() -> None:
    classes = np.array([[CAT, 0, PERSON, 0]], dtype=np.uint8)
    made = seen(drawn("#.#."), classes=classes)
    single = PROTOCOLS["clustering-voc12-v1-single"].measure(made, "val")
    assert [segment["pixels"] for segment in single["segments"]] == [{"8": 1, "15": 1}]
    assert len(PROTOCOL.measure(made, "val")["segments"]) == 2


def test_an_interval_weighs_images() -> None:
    rows = [row((0, {CAT: 4})), row((1, {PERSON: 2}), rest={PERSON: 2})]
    final, notes = PROTOCOL.finish(rows)
    (values,) = PROTOCOL.values(final, notes)
    assert values.at(np.array([[1.0, 1], [2, 0], [0, 2]])).ravel() == pytest.approx(
        [3 / 4, 1, 1 / 2]
    )
    estimate = values.estimate()["miou"]
    assert estimate.low == pytest.approx(1 / 2)
    assert estimate.high == 1
