import re

import pytest

from heap.benchmark.datasets.catalogue import CATALOGUE
from heap.benchmark.protocols import PROTOCOLS
from heap.benchmark.results.published import read_published
from heap.benchmark.tables.words import split_name, task_of
from heap.encoder.registry import CARDS

ROWS = read_published()


def value(method: str, data: str, protocol: str, metric: str, encoder: str | None = None) -> float:
    (found,) = (
        row.values[metric]
        for row in ROWS
        if (row.method, row.data, row.protocol) == (method, data, protocol)
        and metric in row.values
        and encoder in (None, row.alias)
    )
    return found


@pytest.mark.parametrize(
    ("expected", "place"),
    [
        (0.619, ("LOST", "voc2007", "corloc-lost-v1", "corloc", "dino-vits16")),
        (0.640, ("LOST", "voc2012", "corloc-lost-v1", "corloc", "dino-vits16")),
        (0.507, ("LOST", "coco20k", "corloc-lost-v1", "corloc", "dino-vits16")),
        (0.688, ("TokenCut", "voc2007", "corloc-found-v1", "corloc", "dino-vits16")),
        (0.725, ("FOUND single", "voc2007", "corloc-found-v1", "corloc")),
        (0.629, ("FOUND single", "coco20k", "corloc-found-v1", "corloc")),
        (0.793, ("FOUND single", "ecssd", "saliency-found-v1-single", "iou")),
        (0.955, ("FOUND multi", "ecssd", "saliency-found-v1", "max_f_found")),
        (0.935, ("FOUND multi", "ecssd", "saliency-found-v1-solver", "max_f_found")),
        (0.874, ("TokenCut", "ecssd", "saliency-tokencut-v1-solver", "max_f_tokencut")),
        (0.903, ("TokenCut", "duts-te", "saliency-tokencut-v1", "accuracy")),
        (0.580, ("FOUND", "voc2012-seg", "retrieval-voc12-7-v1-parts", "miou")),
        (0.427, ("FOUND", "voc2012-seg", "retrieval-voc12-21-v1-parts", "miou")),
        (0.496, ("MaskContrast, supervised saliency", "voc2012-seg",
                 "retrieval-voc12-21-v1-single", "miou")),
    ],
)  # fmt: skip
def test_figures_that_were_read_in_the_sources(expected: float, place: tuple[str, ...]) -> None:
    assert value(*place) == pytest.approx(expected)


def test_none_is_called_a_figure_of_heap() -> None:
    assert not [row for row in ROWS if re.search(r"\bheap\b", row.method, re.IGNORECASE)]
    assert not [row for row in ROWS if re.search(r"\bheap\b", row.source, re.IGNORECASE)]


def test_every_one_has_a_source_and_what_is_not_checked_is_marked() -> None:
    assert all(row.source for row in ROWS)
    assert {row.method for row in ROWS if not row.verified} == {"MOVE", "WSCUOD"}


def test_fractions_of_known_data_by_known_protocols() -> None:
    assert all(0 < each < 1 for row in ROWS for each in row.values.values())
    assert all(row.values for row in ROWS)
    bases = {split_name(name)[0] for name in PROTOCOLS}
    for row in ROWS:
        assert split_name(row.protocol)[0] in bases
        assert task_of(row.protocol)
        splits = CATALOGUE[row.data].splits
        assert row.images == sum(split.images or 0 for split in splits if split.opened)


def test_encoders_are_those_that_the_registry_lists() -> None:
    named = {row.alias: row.encoder for row in ROWS}
    assert named.pop(None) is None
    assert {alias: f"{CARDS[alias].family} ViT-{alias[8].upper()}/{CARDS[alias].patch}"
            for alias in named if alias} == named  # fmt: skip


def test_the_f_measures_are_never_mixed() -> None:
    for row in ROWS:
        measures = {name for name in row.values if name.startswith("max_f")}
        if "FOUND" in row.method:
            assert measures <= {"max_f_found"}
        elif "TokenCut" in row.method:
            assert measures <= {"max_f_tokencut"}
        else:
            assert measures <= {"max_f_unknown"}


def test_one_figure_for_each_method_data_protocol_and_source() -> None:
    keys = [(r.method, r.alias, r.data, r.protocol, r.source, tuple(r.values)) for r in ROWS]
    assert len(keys) == len(set(keys))
    assert len([row for row in ROWS if task_of(row.protocol) == "discovery"]) == 86
    assert len([row for row in ROWS if task_of(row.protocol) == "saliency"]) == 56
    assert len([row for row in ROWS if task_of(row.protocol) == "retrieval"]) == 36
