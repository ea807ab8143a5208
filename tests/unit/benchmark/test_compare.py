from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heap.base.errors import InputError, StoreError
from heap.benchmark.protocols import PROTOCOLS
from heap.benchmark.results import Results, write_results
from heap.benchmark.results.compare import Comparison, compare, compare_files
from heap.benchmark.results.estimate import Estimate, Means, OfSums, Values

from . import made

FOUND = "saliency-found-v1"
SOD = "saliency-sod-v1"


def of_found(*ious: float, **about: Any) -> Results:
    rows = [{"iou": iou, "accuracy": 0.5, "max_f_found": 1 - iou} for iou in ious]
    return made.results(rows={FOUND: rows}, **about)


def by_metric(found: Sequence[Comparison]) -> dict[str, Comparison]:
    return {each.metric: each for each in found}


class TestMeans:
    def test_the_images_are_paired(self) -> None:
        # The images differ by far more than the methods do: paired, the difference is certain.
        base = np.linspace(0, 0.5, 20)
        found = by_metric(compare([of_found(*(base + 0.25))], [of_found(*base)], PROTOCOLS))
        assert set(found) == {"iou", "accuracy", "max_f_found"}
        iou = found["iou"]
        assert (iou.protocol, iou.images) == (FOUND, 20)
        assert (iou.our_value, iou.their_value) == pytest.approx((0.5, 0.25))
        gap = iou.difference
        assert (gap.value, gap.low, gap.high) == pytest.approx((0.25, 0.25, 0.25))
        assert found["accuracy"].difference == Estimate(0.0, 0.0, 0.0)

    def test_the_interval_of_a_hit_by_hand(self) -> None:
        # Differences are 1, -1, 0, 0, ...: the mean of 100 has a deviation of sqrt(2) / 100.
        ours, theirs = np.zeros(100), np.zeros(100)
        ours[0], theirs[1] = 1, 1
        gap = by_metric(compare([of_found(*ours)], [of_found(*theirs)], PROTOCOLS))[
            "iou"
        ].difference
        assert gap.value == 0
        assert gap.high == pytest.approx(1.96 * 2**0.5 / 100, abs=0.005)
        assert gap.low == pytest.approx(-gap.high, abs=0.005)

    def test_the_other_way_round_the_sign_turns(self) -> None:
        ours, theirs = of_found(0.1, 0.9, 0.4), of_found(0.3, 0.2, 0.8)
        one = by_metric(compare([ours], [theirs], PROTOCOLS))["iou"].difference
        other = by_metric(compare([theirs], [ours], PROTOCOLS))["iou"].difference
        assert (one.value, one.low) == pytest.approx((-other.value, -other.high))

    def test_seeds_are_averaged(self) -> None:
        ours = [of_found(0.5, 0.7), of_found(0.7, 0.9)]
        found = by_metric(compare(ours, [of_found(0.5, 0.7)], PROTOCOLS))["iou"]
        assert found.our_value == pytest.approx(0.7)
        assert found.difference.value == pytest.approx(0.1)
        assert found.difference.low == pytest.approx(0.1)

    def test_rows_may_come_in_another_order(self) -> None:
        one = of_found(0.1, 0.9)
        turned = replace(one, rows=one.rows[::-1])
        found = by_metric(compare([one], [turned], PROTOCOLS))["iou"].difference
        assert found == Estimate(0.0, 0.0, 0.0)


class TestWhatIsNoMean:
    def test_the_classic_f_by_hand(self) -> None:
        def of_sod(*pairs: tuple[float, float]) -> Results:
            rows = [
                {"mae": 0.1, "s_measure": 0.5, "precision": precision, "recall": recall}
                for precision, recall in pairs
            ]
            return made.results(rows={SOD: rows})

        ours, theirs = of_sod((1.0, 0.5), (0.5, 0.5)), of_sod((0.5, 1.0), (0.5, 0.5))
        found = by_metric(compare([ours], [theirs], PROTOCOLS))["max_f_sod"]
        # Mean precision and recall are 0.75 and 0.5 for ours, 0.5 and 0.75 for theirs.
        expected = 1.3 * 0.375 / (0.3 * 0.75 + 0.5), 1.3 * 0.375 / (0.3 * 0.5 + 0.75)
        assert (found.our_value, found.their_value) == pytest.approx(expected)
        assert found.difference.value == pytest.approx(expected[0] - expected[1])
        assert found.difference.low == 0  # both images the second one
        assert found.difference.high > found.difference.value

    def test_notes_of_each_file_go_to_its_protocol(self) -> None:
        class Shifted:
            def values(self, rows: Sequence[dict[str, Any]], notes: dict[str, Any]) -> list[Values]:
                scores = np.array([[row["x"] + notes["shift"]] for row in rows])
                sums = OfSums(("square",), scores, lambda total: [total[0] ** 2], 10)
                return [Means(("x",), scores), sums]

        files = [
            made.results(rows={"x-v1": [{"x": 1.0}, {"x": 2.0}]}, notes={"shift": shift})
            for shift in (0.0, 1.0)
        ]
        found = by_metric(compare(files[1:], files[:1], {"x-v1": Shifted()}))
        assert found["x"].difference.value == pytest.approx(1)
        assert found["square"].difference.value == pytest.approx(25 - 9)


class TestRefusals:
    def test_other_data(self) -> None:
        with pytest.raises(InputError, match=r"different data: half \(a{12}\).* whole \(b{12}\)"):
            compare(
                [of_found(0.5)],
                [of_found(0.5, data=made.data("whole", sha="b" * 16))],
                PROTOCOLS,
            )

    def test_no_shared_protocol(self) -> None:
        other = made.results(rows={SOD: [{"mae": 0.1}]})
        with pytest.raises(InputError, match=f"share no protocol.*{FOUND}.*{SOD}"):
            compare([of_found(0.5)], [other], PROTOCOLS)

    def test_only_shared_protocols_are_compared(self) -> None:
        row = {"iou": 0.5, "accuracy": 0.5, "max_f_found": 0.5}
        both = made.results(rows={FOUND: [row], "corloc-any-v1": [{"corloc": True}]})
        assert {each.protocol for each in compare([both], [of_found(0.5)], PROTOCOLS)} == {FOUND}

    def test_other_images_are_named(self) -> None:
        with pytest.raises(
            InputError, match=r"5 images are scored .* only one .*: 2, 3, 4, \.\.\.;"
        ):
            compare([of_found(*[0.5] * 7)], [of_found(0.5, 0.5)], PROTOCOLS)
        with pytest.raises(InputError, match=r"1 images are scored .*: 1;"):
            compare([of_found(0.5), of_found(0.5, 0.5)], [of_found(0.5)], PROTOCOLS)

    def test_an_unknown_protocol(self) -> None:
        future = made.results(rows={"saliency-found-v9": [{"iou": 0.5}]})
        with pytest.raises(InputError, match="does not know the protocol saliency-found-v9"):
            compare([future], [future], PROTOCOLS)


class TestFiles:
    def test_the_first_is_compared_with_each_other(self, tmp_path: Path) -> None:
        paths = []
        for number, name in enumerate(("heap", "tokencut", "lost")):
            paths.append(tmp_path / f"{name}.json")
            write_results(of_found(0.75 - number / 4, method=made.method(name)), paths[-1])
        found = [each for each in compare_files(paths, PROTOCOLS) if each.metric == "iou"]
        assert [(each.ours, each.theirs, each.difference.value) for each in found] == [
            ("heap, embedded", "tokencut, embedded", 0.25),
            ("heap, embedded", "lost, embedded", 0.5),
        ]

    def test_one_is_not_enough(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="at least two"):
            compare_files([tmp_path / "a.json"], PROTOCOLS)

    def test_damaged_ones_are_named(self, tmp_path: Path) -> None:
        write_results(of_found(0.5), tmp_path / "a.json")
        (tmp_path / "b.json").write_text("{}")
        with pytest.raises(StoreError, match=r"b\.json"):
            compare_files([tmp_path / "a.json", tmp_path / "b.json"], PROTOCOLS)
