"""Scores of categories and of whole images, by hand on a few objects."""

from typing import Any

import pytest
from benchmarks.category_scores import COUNTS, summarise, table
from benchmarks.whole_images import VARIANTS

SORTED = {"8": "1 1 2 2", "12": "1 2 2 1", "20": "0 1 2 2", "auto": "1 1 2 2"}
"""Two dogs are in the first image and in the second; two cats in the third."""


def rows_of(whole: dict[str, str]) -> list[dict[str, Any]]:
    objects = {"kind": "objects", "head": 0, "found": 6, "images": "0 1 2 2"}
    rows: list[dict[str, Any]] = [objects | {"classes": "dog dog cat cat"}]
    for count, clusters in SORTED.items():
        about = {"kind": "sorted", "head": 0, "k": count, "seed": 0, "number": 2, "apart": 1}
        rows.append(about | {"clusters": clusters})
    for variant, clusters in whole.items():
        about = {"kind": "whole", "variant": variant, "number": 2, "seed": 0}
        rows.append(about | {"clusters": clusters})
    images = {"kind": "images", "images": "a.jpg b.jpg c.jpg"}
    return [images, *({"encoder": "embedded"} | row for row in rows)]


ROWS = rows_of(
    dict.fromkeys(VARIANTS, "0 0 0") | {"whitened": "0 1 1", "mean": "0 0 0", "pooled": "1 1 0"}
)


def test_scores_by_hand() -> None:
    found = summarise(ROWS)["embedded"]
    assert found["matched"] == {"found": 6, "matched": 4, "apart_of_found": 1}
    eight = found["k"]["8"]
    assert eight["ours"]["together"]["nmi"] == pytest.approx(1)
    assert eight["ours"]["together"]["ari"] == 1
    assert found["k"]["12"]["ours"]["together"]["purity"] == 0.5
    assert eight["whole"]["whitened"]["purity"] == 0.75
    assert eight["whole"]["mean"]["nmi"] == 0
    assert eight["whole"]["pooled"]["ari"] == 1


def test_the_strongest_whole_image_is_the_opponent() -> None:
    for scores in summarise(ROWS)["embedded"]["k"].values():
        assert scores["strongest"] == "pooled"
    ahead = summarise(ROWS)["embedded"]["k"]["12"]["ahead_of"]
    assert ahead["pooled"]["purity"]["mean"] == -0.5
    # Each image weighs as often as it is drawn; the same ones are drawn for both.
    low, high = ahead["pooled"]["purity"]["interval"]
    assert low < -0.4
    assert high == 0


def test_objects_that_are_kept_apart_are_scored_in_three_ways() -> None:
    # Apart is the first dog: alone it is a cluster by itself in any case; left out all is right.
    ours = summarise(ROWS)["embedded"]["k"]["20"]["ours"]
    assert ours["together"] == ours["each alone"]
    assert ours["together"]["purity"] == 1
    assert ours["together"]["nmi"] < 1
    assert ours["left out"]["nmi"] == pytest.approx(1)
    two = rows_of(dict.fromkeys(VARIANTS, "0 0 0"))
    for row in two:
        if row["kind"] == "sorted":
            row["clusters"] = "0 1 0 2"
    found = summarise(two)["embedded"]["k"]["8"]["ours"]
    assert found["together"]["purity"] == 0.75
    assert found["each alone"]["purity"] == 1


def test_the_table_has_a_line_for_each_way_and_number() -> None:
    text = table(summarise(ROWS))
    for count in COUNTS:
        assert text.count(f"| {count} ") >= 10
    assert "| 8 | objects, those kept apart together | 100.0 ± 0.0 |" in text
    assert "pooled (strongest)" in text
