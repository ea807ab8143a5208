from typing import Any

import pytest

from heap.benchmark.results import Results
from heap.benchmark.tables import Table, make_tables, to_markdown_page

from . import made
from .made import CORLOC, FOUND, heap, scored, table


class TestPublished:
    def test_stand_beside_what_was_measured_on_the_same_data_and_encoder(self) -> None:
        whole = made.data("ECSSD", images=1000)
        results = [
            scored(0.8, data=whole, encoder=made.encoder(label))
            for label in ("embedded", "dino-vits8")
        ]
        found = table(to_markdown_page(results), "Saliency, ECSSD")
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
        about: dict[str, Any] = {"name": "ecssd", "images": 1000} | changed
        results = [scored(0.8, data=made.data("x", **about), encoder=made.encoder("dino-vits8"))]
        assert list(table(to_markdown_page(results), "Saliency, x")) == [
            "method/encoder", "tokencut/dino-vits8"
        ]  # fmt: skip

    def test_have_tables_of_their_own_with_source_and_encoder(self) -> None:
        text = to_markdown_page([scored(0.5)])
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
        text = to_markdown_page(results, ["ablation"])
        assert table(text, "Ablation of heap, embedded, half") == {
            "settings changed/encoder": [f"IoU<br>{FOUND}", f"CorLoc<br>{CORLOC}"],
            "nothing/embedded": ["**80.0 ± 14.1**", "**80.0 ± 14.1**"],
            "losses.inter (1.0 -> 0.0)/embedded": ["55.0 ± 7.1", "40.0 ± 0.0"],
            "head.groups (12 -> 6)/embedded": ["60.0", "30.0"],
            "losses.prior ('found' -> 'none')/embedded": ["65.0", "30.0"],
        }

    def test_regions_are_there_if_any_variant_was_evaluated_by_them(self) -> None:
        summaries = {
            "regions-voc12-v1": made.metrics(recall_10_features=0.5, recall_10_head=0.75),
            "region-oracle-v1": made.metrics(iou_oracle=0.8),
        }
        about = made.method("heap", 0, losses={"inter": 0.0, "prior": "found"}, head={"groups": 12})
        text = to_markdown_page(
            [made.results(summaries, method=about), heap(0, 0.7, fit={})], ["ablation"]
        )
        found = table(text, "Ablation of heap, embedded, half")
        assert [heading.partition("<br>")[2] for heading in found["settings changed/encoder"]] == [
            FOUND, CORLOC, "region-oracle-v1", "regions-voc12-v1", "regions-voc12-v1"
        ]  # fmt: skip
        assert ["–", "–", "80.0", "50.0", "75.0"] in found.values()

    def test_other_tables_show_the_method_as_it_is(self) -> None:
        results = [heap(0, 0.7), heap(0, 0.6, head={"groups": 6}), heap(0, 0.5, head={"groups": 4})]
        assert table(to_markdown_page(results), "Saliency, half")["heap/embedded"] == ["70.0"]
        assert len(table(to_markdown_page(results), "Cost, half")) == 2

    def test_there_is_none_where_nothing_or_something_else_was_changed(self) -> None:
        other = heap(0, 0.6, fit={"steps": 100, "seed": 0})
        assert self.tables(heap(0, 0.7), heap(1, 0.7)) == []
        assert self.tables(heap(0, 0.7), other) == []
        found = table(to_markdown_page([heap(0, 0.7), other]), "Saliency, half")
        assert found["heap (fit.steps (200 -> 100))/embedded"] == ["60.0"]


class TestCost:
    def test_by_hand(self) -> None:
        found = table(to_markdown_page([scored(0.5), heap(0, 0.5), heap(1, 0.5)]), "Cost, half")
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
