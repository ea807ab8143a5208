from collections.abc import Sequence
from statistics import mean, stdev

import pytest

from heap.base.errors import InputError
from heap.benchmark.protocols import PROTOCOLS
from heap.benchmark.results import Failure, Metric, Results
from heap.benchmark.tables import KINDS, make_tables, to_markdown_page

from . import made
from .made import CORLOC, FOUND, heap, scored, table


class TestNumbers:
    def test_one_seed_has_its_interval(self) -> None:
        found = table(to_markdown_page([scored((0.6543, 0.6, 0.7001))]), "Saliency, half")
        assert found["tokencut/embedded"] == [r"65.4 \[60.0, 70.0]"]

    def test_several_seeds_have_mean_and_deviation(self) -> None:
        found = table(
            to_markdown_page([heap(0, 0.6), heap(1, 0.7), heap(2, 0.5)]), "Saliency, half"
        )
        assert found["heap/embedded"] == ["60.0 ± 10.0"]

    def test_a_value_without_interval_stands_alone_and_a_missing_one_is_a_dash(self) -> None:
        one = made.results({FOUND: {"iou": Metric(value=0.5), "accuracy": Metric(value=None)}})
        assert table(to_markdown_page([one]), "Saliency, half")["tokencut/embedded"] == [
            "–",
            "50.0",
        ]

    def test_columns_are_in_one_order_and_name_their_protocol(self) -> None:
        one = made.results({
            FOUND: made.metrics(max_f_found=0.1, iou=0.2, accuracy=0.3),
            "saliency-sod-v1": made.metrics(s_measure=0.4, mae=0.5, max_f_sod=0.6, novel=0.7),
        })  # fmt: skip
        found = table(to_markdown_page([one]), "Saliency, half")
        assert found["method/encoder"] == [
            f"Acc<br>{FOUND}", f"IoU<br>{FOUND}", f"maxF as FOUND<br>{FOUND}",
            "maxF, classic<br>saliency-sod-v1", "MAE ↓<br>saliency-sod-v1",
            "S<br>saliency-sod-v1", "novel<br>saliency-sod-v1",
        ]  # fmt: skip
        assert found["tokencut/embedded"] == [
            "30.0", "20.0", "10.0", "60.0", "50.0", "40.0", "70.0"
        ]  # fmt: skip

    def test_false_alarms_are_told_of_each_kind_and_few_are_best(self) -> None:
        alarms = [made.metrics(alarms=all_, alarms_sky=sky) for all_, sky in ((0.3, 0), (0.2, 1))]
        found = table(
            to_markdown_page([
                made.results({"false-alarms-v1": each}, method=made.method(str(number)))
                for number, each in enumerate(alarms)
            ]),
            "Discovery, half",
        )  # fmt: skip
        assert found["method/encoder"] == [
            "false alarms ↓<br>false-alarms-v1", "false alarms, sky ↓<br>false-alarms-v1",
        ]  # fmt: skip
        assert (found["0/embedded"], found["1/embedded"]) == (
            ["30.0", "**0.0**"], ["**20.0**", "100.0"],
        )  # fmt: skip

    def test_f_measures_of_three_definitions_never_share_a_column(self) -> None:
        one = made.results({
            f"saliency-{name}-v1": made.metrics(**{f"max_f_{name}": 0.5})
            for name in ("found", "tokencut", "sod")
        })  # fmt: skip
        (found,) = (each for each in make_tables([one]) if each.name == "saliency-half")
        assert len({column.heading for column in found.columns}) == 3

    def test_the_mean_of_a_table_is_that_of_the_rows(self) -> None:
        rows = [
            [{"iou": 0.25, "accuracy": 0.5, "max_f_found": 0.7}] * 2,
            [{"iou": iou, "accuracy": 0.5, "max_f_found": 0.7} for iou in (0.5, 0.75)],
        ]
        seeds = []
        for seed, each in enumerate(rows):
            (values,) = PROTOCOLS[FOUND].values(each, {})
            summary = {name: Metric.of(found) for name, found in values.estimate().items()}
            seeds.append(
                made.results({FOUND: summary}, {FOUND: each}, method=made.method("heap", seed))
            )
        by_hand = [mean(row["iou"] for row in each) for each in rows]
        assert by_hand == [0.25, 0.625]
        told = f"{100 * mean(by_hand):.1f} ± {100 * stdev(by_hand):.1f}"
        found = table(to_markdown_page(seeds), "Saliency, half")["heap/embedded"]
        assert found == ["50.0 ± 0.0", told, "70.0 ± 0.0"]
        assert told == "43.8 ± 26.5"


class TestBest:
    def results(self, *ious: float, metric: str = "iou") -> list[Results]:
        return [
            made.results({FOUND: made.metrics(**{metric: iou})}, method=made.method(str(number)))
            for number, iou in enumerate(ious)
        ]

    def bold(self, results: Sequence[Results]) -> list[str]:
        found = table(to_markdown_page(results), "Saliency, half")
        return [name for name, cells in found.items() if "**" in cells[0]]

    def test_is_the_largest(self) -> None:
        assert self.bold(self.results(0.5, 0.7, 0.6)) == ["1/embedded"]

    def test_is_the_smallest_error(self) -> None:
        assert self.bold(self.results(0.5, 0.7, 0.6, metric="mae")) == ["0/embedded"]

    def test_are_all_that_print_alike(self) -> None:
        assert self.bold(self.results(0.5004, 0.4996, 0.4)) == ["0/embedded", "1/embedded"]

    def test_is_nothing_that_stands_alone(self) -> None:
        assert self.bold(self.results(0.5)) == []

    def test_is_told_for_each_encoder(self) -> None:
        results = [
            scored(iou, method=made.method(name), encoder=made.encoder(encoder))
            for encoder, name, iou in (
                ("tiny", "lost", 0.3), ("tiny", "heap", 0.2), ("big", "lost", 0.8),
                ("big", "heap", 0.9),
            )
        ]  # fmt: skip
        assert self.bold(results) == ["lost/tiny", "heap/big"]


class TestLayout:
    def test_there_is_a_table_for_each_data_set_and_variant(self) -> None:
        results = [
            made.results({name: made.metrics(iou=0.5)}, data=made.data(label))
            for label in ("one", "other")
            for name in (f"{FOUND}-single-solver", FOUND, f"{FOUND}-guided")
        ]
        found = [
            each for each in make_tables(results, ["saliency"]) if "published" not in each.name
        ]
        assert [each.title for each in found] == [
            f"Saliency, {label}{told}"
            for label in ("one", "other")
            for told in ("", ": guided filter", ": largest part only, bilateral solver")
        ]
        assert found[2].columns[0].protocol == f"{FOUND}-single-solver"

    def test_protocols_data_and_images_are_told(self) -> None:
        text = to_markdown_page([scored(0.5, data=made.data("ecssd500", images=1500))])
        assert "- data: ecssd500, 1,500 images, SHA-256 aaaaaaaaaaaa\n" in text
        assert f"- protocols: {FOUND}\n" in text

    def test_other_data_of_the_same_label_are_not_put_together(self) -> None:
        results = [scored(0.5), scored(0.6, data=made.data(sha="b" * 16))]
        found = [
            each for each in make_tables(results, ["saliency"]) if each.name == "saliency-half"
        ]
        assert [len(each.lines) for each in found] == [1, 1]

    def test_failed_images_are_told(self) -> None:
        failed = (Failure(image="7", stage="decode", reason="empty"),)
        text = to_markdown_page([scored(0.5, data=made.data(failed=failed))], ["saliency"])
        assert "- tokencut, embedded: 1 images could not be used\n" in text

    def test_commands_are_listed_once(self) -> None:
        results = [
            scored(0.5, method=made.method(name), command=command)
            for name, command in (("a", "heap evaluate b"), ("b", "heap evaluate b"),
                                  ("c", "heap evaluate a"))
        ]  # fmt: skip
        text = to_markdown_page(results)
        assert text.endswith("### Commands\n\n```\nheap evaluate b\nheap evaluate a\n```\n")

    def test_labels_cannot_break_the_table(self) -> None:
        text = to_markdown_page([scored(0.5, method=made.method("a", label="a|b\n<i>*x*"))])
        assert r"a\|b \<i>\*x\* " in text

    def test_only_what_is_asked_for(self) -> None:
        assert {each.kind for each in make_tables([scored(0.5)], ["cost"])} == {"cost"}
        kinds = [each.kind for each in make_tables([scored(0.5)], ["cost", "discovery"])]
        assert kinds == sorted(kinds, key=KINDS.index)

    def test_unknown_tables_are_refused(self) -> None:
        with pytest.raises(InputError, match=r"no table speed; there are discovery, saliency"):
            to_markdown_page([scored(0.5)], ["cost", "speed"])

    def test_the_same_twice_is_refused(self) -> None:
        with pytest.raises(
            InputError, match=f"2 results are of heap on half by {FOUND} with seed 1"
        ):
            to_markdown_page([heap(1, 0.5), heap(2, 0.5), heap(1, 0.6)])

    def test_protocols_of_a_seed_may_come_in_several_files(self) -> None:
        parts = [made.results({FOUND: made.metrics(iou=0.5)}),
                 made.results({CORLOC: made.metrics(corloc=0.25)})]  # fmt: skip
        text = to_markdown_page(parts)
        assert table(text, "Saliency, half")["tokencut/embedded"] == ["50.0"]
        assert table(text, "Discovery, half")["tokencut/embedded"] == ["25.0"]

    def test_settings_that_differ_are_told(self) -> None:
        results = [scored(0.5, method=made.method(threshold=t)) for t in (0.2, 0.3)]
        found = table(to_markdown_page(results), "Saliency, half")
        assert list(found) == [
            "method/encoder", "tokencut/embedded", "tokencut (threshold (0.2 -> 0.3))/embedded"
        ]  # fmt: skip

    def test_retrieval(self) -> None:
        names = ("retrieval-voc12-animals-v1", "retrieval-voc12-animals-v1-parts",
                 "clustering-voc12-v1")  # fmt: skip
        text = to_markdown_page([made.results({name: made.metrics(miou=0.5) for name in names})])
        assert table(text, "Retrieval, half: objects as found")["method/encoder"] == [
            "mIoU<br>retrieval-voc12-animals-v1", "mIoU<br>clustering-voc12-v1"
        ]  # fmt: skip
        assert table(text, "Retrieval, half: connected parts as objects")

    def test_separation(self) -> None:
        found = made.metrics(regions=4.5, pairs_separated=(0.5, 0.4, 0.6), purity=0.75,
                             purity_floor=0.6)  # fmt: skip
        results = [
            made.results({"separation-v1": found}, method=made.method(each)) for each in "ab"
        ]
        lines = table(to_markdown_page(results, ["several"]), "Several objects, half")
        assert lines["method/encoder"] == [
            f"{heading}<br>separation-v1"
            for heading in (
                *("pairs apart", "purity of regions"),
                *("purity of one region", "number of regions"),
            )
        ]
        # What data and numbers are is not ranked.
        assert lines["a/embedded"] == [r"**50.0 \[40.0, 60.0]**", "**75.0**", "60.0", "4.5"]

    def test_several_objects(self) -> None:
        name = "several-v1"
        found = made.metrics(recall_10=(0.5, 0.4, 0.6), AP=0.1, boxes_10=2.25, recall_2=0.25)
        results = [
            made.results({name: found}, method=made.method(each), notes={"scored": 1200})
            for each in ("tokencut", "lost")
        ]
        text = to_markdown_page(results, ["several"])
        assert "- several-v1 scores 1,200 of these images\n" in text
        lines = table(text, "Several objects, half")
        assert lines["method/encoder"] == [
            f"{heading}<br>{name}"
            for heading in ("AP", "recall@2", "recall@10", "number of boxes@10")
        ]
        # Numbers of boxes are not times 100, and none of them is the best.
        assert lines["lost/embedded"] == [
            "**10.0**", "**25.0**", r"**50.0 \[40.0, 60.0]**", "2.2"
        ]  # fmt: skip


def test_a_table_without_a_value_is_left_out() -> None:
    """AP has none where nothing is annotated."""
    results = [made.results({"ap-box-v1": made.metrics(AP=None)})]
    assert all(table.lines for table in make_tables(results))


def test_the_order_is_that_of_the_results() -> None:
    results = [
        scored(0.5, method=made.method(name), encoder=made.encoder(encoder))
        for name, encoder in (("b", "y"), ("a", "x"), ("c", "y"))
    ]
    (found,) = (each for each in make_tables(results) if each.name == "saliency-half")
    assert [(line.method, line.encoder) for line in found.lines] == [
        ("b", "y"), ("c", "y"), ("a", "x")
    ]  # fmt: skip
