import re
from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

import pytest

from heap.errors import InputError
from heap.evaluation.protocols import PROTOCOLS
from heap.evaluation.results import Failure, Metric, Results
from heap.evaluation.tables import KINDS, Table, make_tables, tables
from tests.unit.evaluation import made

FOUND = "saliency-found-v1"
CORLOC = "corloc-found-v1"
LOSSES = {"losses": {"inter": 1.0, "prior": "found"}, "head": {"groups": 12}}


def scored(
    iou: float | tuple[float, float, float], corloc: float = 0.5, **about: Any
) -> Results:
    return made.results(
        {FOUND: made.metrics(iou=iou), CORLOC: made.metrics(corloc=corloc)}, **about
    )


def heap(seed: int, iou: float, corloc: float = 0.5, **settings: Any) -> Results:
    told = {**LOSSES, "fit": {"steps": 200, "seed": seed}, **settings}
    return scored(iou, corloc, method=made.method("heap", seed, **told))


def table(text: str, title: str) -> dict[str, list[str]]:
    """The cells of the table with a title, by its first two columns."""
    part = re.split(r"^### ", text, flags=re.MULTILINE)
    (found,) = (each for each in part if each.startswith(title + "\n"))
    rows = [line.strip("| ").split(" | ") for line in found.splitlines() if line.startswith("|")]
    assert len({len(row) for row in rows}) == 1
    return {f"{row[0]}/{row[1]}": row[2:] for row in rows if row[0] != "---"}


class TestNumbers:
    def test_one_seed_has_its_interval(self) -> None:
        found = table(tables([scored((0.6543, 0.6, 0.7001))]), "Saliency, half")
        assert found["tokencut/embedded"] == [r"65.4 \[60.0, 70.0]"]

    def test_several_seeds_have_mean_and_deviation(self) -> None:
        found = table(tables([heap(0, 0.6), heap(1, 0.7), heap(2, 0.5)]), "Saliency, half")
        assert found["heap/embedded"] == ["60.0 ± 10.0"]

    def test_a_value_without_interval_stands_alone_and_a_missing_one_is_a_dash(self) -> None:
        one = made.results({FOUND: {"iou": Metric(value=0.5), "accuracy": Metric(value=None)}})
        assert table(tables([one]), "Saliency, half")["tokencut/embedded"] == ["–", "50.0"]

    def test_columns_are_in_one_order_and_name_their_protocol(self) -> None:
        one = made.results({
            FOUND: made.metrics(max_f_found=0.1, iou=0.2, accuracy=0.3),
            "saliency-sod-v1": made.metrics(s_measure=0.4, mae=0.5, max_f_sod=0.6, novel=0.7),
        })  # fmt: skip
        found = table(tables([one]), "Saliency, half")
        assert found["method/encoder"] == [
            f"Acc<br>{FOUND}", f"IoU<br>{FOUND}", f"maxF as FOUND<br>{FOUND}",
            "maxF, classic<br>saliency-sod-v1", "MAE ↓<br>saliency-sod-v1",
            "S<br>saliency-sod-v1", "novel<br>saliency-sod-v1",
        ]  # fmt: skip
        assert found["tokencut/embedded"] == [
            "30.0", "20.0", "10.0", "60.0", "50.0", "40.0", "70.0"
        ]  # fmt: skip

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
        found = table(tables(seeds), "Saliency, half")["heap/embedded"]
        assert found == ["50.0 ± 0.0", told, "70.0 ± 0.0"]
        assert told == "43.8 ± 26.5"


class TestBest:
    def results(self, *ious: float, metric: str = "iou") -> list[Results]:
        return [
            made.results({FOUND: made.metrics(**{metric: iou})}, method=made.method(str(number)))
            for number, iou in enumerate(ious)
        ]

    def bold(self, results: Sequence[Results]) -> list[str]:
        found = table(tables(results), "Saliency, half")
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
        found = [each for each in make_tables(results, ["saliency"]) if "published" not in each.name]
        assert [each.title for each in found] == [
            f"Saliency, {label}{told}"
            for label in ("one", "other")
            for told in ("", ": guided filter", ": largest part only, bilateral solver")
        ]
        assert found[2].columns[0].protocol == f"{FOUND}-single-solver"

    def test_protocols_data_and_images_are_told(self) -> None:
        text = tables([scored(0.5, data=made.data("ecssd500", images=1500))])
        assert "- data: ecssd500, 1,500 images, SHA-256 aaaaaaaaaaaa\n" in text
        assert f"- protocols: {FOUND}\n" in text

    def test_other_data_of_the_same_label_are_not_put_together(self) -> None:
        results = [scored(0.5), scored(0.6, data=made.data(sha="b" * 16))]
        found = [each for each in make_tables(results, ["saliency"]) if each.name == "saliency-half"]
        assert [len(each.lines) for each in found] == [1, 1]

    def test_failed_images_are_told(self) -> None:
        failed = (Failure(image="7", stage="decode", reason="empty"),)
        text = tables([scored(0.5, data=made.data(failed=failed))], ["saliency"])
        assert "- tokencut, embedded: 1 images could not be used\n" in text

    def test_commands_are_listed_once(self) -> None:
        results = [
            scored(0.5, method=made.method(name), command=command)
            for name, command in (("a", "heap evaluate b"), ("b", "heap evaluate b"),
                                  ("c", "heap evaluate a"))
        ]  # fmt: skip
        text = tables(results)
        assert text.endswith("### Commands\n\n```\nheap evaluate b\nheap evaluate a\n```\n")

    def test_labels_cannot_break_the_table(self) -> None:
        text = tables([scored(0.5, method=made.method("a", label="a|b\n<i>*x*"))])
        assert r"a\|b \<i>\*x\* " in text

    def test_only_what_is_asked_for(self) -> None:
        assert {each.kind for each in make_tables([scored(0.5)], ["cost"])} == {"cost"}
        kinds = [each.kind for each in make_tables([scored(0.5)], ["cost", "discovery"])]
        assert kinds == sorted(kinds, key=KINDS.index)

    def test_unknown_tables_are_refused(self) -> None:
        with pytest.raises(InputError, match=r"no table speed; there are discovery, saliency"):
            tables([scored(0.5)], ["cost", "speed"])

    def test_the_same_twice_is_refused(self) -> None:
        with pytest.raises(InputError, match=f"2 results are of heap on half by {FOUND} with seed 1"):
            tables([heap(1, 0.5), heap(2, 0.5), heap(1, 0.6)])

    def test_protocols_of_a_seed_may_come_in_several_files(self) -> None:
        parts = [made.results({FOUND: made.metrics(iou=0.5)}),
                 made.results({CORLOC: made.metrics(corloc=0.25)})]  # fmt: skip
        text = tables(parts)
        assert table(text, "Saliency, half")["tokencut/embedded"] == ["50.0"]
        assert table(text, "Discovery, half")["tokencut/embedded"] == ["25.0"]

    def test_settings_that_differ_are_told(self) -> None:
        results = [scored(0.5, method=made.method(threshold=t)) for t in (0.2, 0.3)]
        found = table(tables(results), "Saliency, half")
        assert list(found) == [
            "method/encoder", "tokencut/embedded", "tokencut (threshold (0.2 -> 0.3))/embedded"
        ]  # fmt: skip

    def test_retrieval(self) -> None:
        names = ("retrieval-voc12-animals-v1", "retrieval-voc12-animals-v1-parts",
                 "clustering-voc12-v1")  # fmt: skip
        text = tables([made.results({name: made.metrics(miou=0.5) for name in names})])
        assert table(text, "Retrieval, half: objects as found")["method/encoder"] == [
            "mIoU<br>retrieval-voc12-animals-v1", "mIoU<br>clustering-voc12-v1"
        ]  # fmt: skip
        assert table(text, "Retrieval, half: connected parts as objects")


class TestPublished:
    def test_stand_beside_what_was_measured_on_the_same_data_and_encoder(self) -> None:
        whole = made.data("ECSSD", images=1000)
        results = [
            scored(0.8, data=whole, encoder=made.encoder(label))
            for label in ("embedded", "dino-vits8")
        ]
        found = table(tables(results), "Saliency, ECSSD")
        assert list(found) == [
            "method/encoder", "tokencut/embedded", "tokencut/dino-vits8", "FOUND multi/dino-vits8"
        ]  # fmt: skip
        assert found["tokencut/dino-vits8"] == ["–", "80.0", "–", "measured"]
        assert found["FOUND multi/dino-vits8"] == ["94.9", "80.7", "95.5", "FOUND, Table 2"]
        others = [
            line
            for each in make_tables(results, ["saliency"])
            if each.name == "saliency-published-ecssd"
            for line in each.lines
        ]
        assert ("FOUND multi", "") not in {(line.method, line.variant) for line in others}
        assert ("FOUND multi", "bilateral solver") in {(li.method, li.variant) for li in others}

    @pytest.mark.parametrize("changed", [{"images": 500}, {"name": "duts-te"}])
    def test_do_not_stand_beside_a_part_of_the_data_or_other_data(
        self, changed: dict[str, Any]
    ) -> None:
        about = {"name": "ecssd", "images": 1000} | changed
        results = [scored(0.8, data=made.data("x", **about), encoder=made.encoder("dino-vits8"))]
        assert list(table(tables(results), "Saliency, x")) == [
            "method/encoder", "tokencut/dino-vits8"
        ]  # fmt: skip

    def test_have_tables_of_their_own_with_source_and_encoder(self) -> None:
        text = tables([scored(0.5)])
        found = table(text, "Discovery, published, other encoder or data: VOC 2007 trainval")
        assert found["method/encoder"] == [
            "CorLoc<br>corloc-found-v1", "CorLoc<br>corloc-lost-v1", "source"
        ]  # fmt: skip
        assert found["LOST/DINO ViT-S/16"] == ["61.9", "61.9", "FOUND, Table 1; LOST README"]
        assert found["LOST/DINO ViT-B/16"] == ["–", "60.1", "LOST README"]
        assert found["MOVE/not stated"] == ["76.0", "–", "recalled, not checked"]
        assert "**" not in "".join(map("".join, found.values()))

    def test_none_is_said_to_be_of_heap(self) -> None:
        lines = [
            line
            for each in make_tables([scored(0.5)])
            for line in each.lines
            if line.source is not None
        ]
        assert lines
        assert not [line for line in lines if "heap" in line.method.casefold()]


class TestAblation:
    def tables(self, *results: Results) -> list[Table]:
        return make_tables(results, ["ablation"])

    def test_rows_say_what_was_changed_from_the_settings_most_alike_all_others(self) -> None:
        without = {"losses": {"inter": 0.0, "prior": "found"}}
        alone = {"losses": {"inter": 1.0, "prior": "none"}}
        results = [
            *(heap(seed, 0.5 + seed / 10, 0.4, **without) for seed in range(2)),
            heap(0, 0.6, 0.3, head={"groups": 6}),
            heap(0, 0.7, 0.9),
            heap(1, 0.9, 0.7),
            heap(0, 0.65, 0.3, **alone),
        ]
        text = tables(results, ["ablation"])
        assert table(text, "Ablation of heap, embedded, half") == {
            "settings changed/encoder": [f"IoU<br>{FOUND}", f"CorLoc<br>{CORLOC}"],
            "nothing/embedded": ["**80.0 ± 14.1**", "**80.0 ± 14.1**"],
            "losses.inter (1.0 -> 0.0)/embedded": ["55.0 ± 7.1", "40.0 ± 0.0"],
            "head.groups (12 -> 6)/embedded": ["60.0", "30.0"],
            "losses.prior ('found' -> 'none')/embedded": ["65.0", "30.0"],
        }

    def test_other_tables_show_the_method_as_it_is(self) -> None:
        results = [heap(0, 0.7), heap(0, 0.6, head={"groups": 6}), heap(0, 0.5, head={"groups": 4})]
        assert table(tables(results), "Saliency, half")["heap/embedded"] == ["70.0"]
        assert len(table(tables(results), "Cost, half")) == 2

    def test_there_is_none_where_nothing_or_something_else_was_changed(self) -> None:
        other = heap(0, 0.6, fit={"steps": 100, "seed": 0})
        assert self.tables(heap(0, 0.7), heap(1, 0.7)) == []
        assert self.tables(heap(0, 0.7), other) == []
        found = table(tables([heap(0, 0.7), other]), "Saliency, half")
        assert found["heap (fit.steps (200 -> 100))/embedded"] == ["60.0"]


class TestCost:
    def test_by_hand(self) -> None:
        found = table(tables([scored(0.5), heap(0, 0.5), heap(1, 0.5)]), "Cost, half")
        assert found == {
            "method/encoder": ["parameters", "fit, s", "features, ms per image",
                               "method, ms per image ↓", "peak memory, MB ↓"],
            "tokencut/embedded": ["–", "–", "40.0", "**12.5**", "**812**"],
            "heap/embedded": ["385", "100.5", "40.0", "**12.5**", "**812**"],
        }  # fmt: skip

    def test_machines_are_told_and_not_put_together(self) -> None:
        results = [
            scored(0.5, method=made.method(name), machine={"cores": cores, "processor": "abacus"})
            for name, cores in (("a", 2), ("b", 4), ("c", 2))
        ]
        found = make_tables(results, ["cost"])
        assert [each.about[-1] for each in found] == [
            "machine: cores 2, processor abacus", "machine: cores 4, processor abacus"
        ]  # fmt: skip
        assert [len(each.lines) for each in found] == [2, 1]


def test_the_order_is_that_of_the_results() -> None:
    results = [
        scored(0.5, method=made.method(name), encoder=made.encoder(encoder))
        for name, encoder in (("b", "y"), ("a", "x"), ("c", "y"))
    ]
    (found,) = (each for each in make_tables(results) if each.name == "saliency-half")
    assert [(line.method, line.encoder) for line in found.lines] == [
        ("b", "y"), ("c", "y"), ("a", "x")
    ]  # fmt: skip
