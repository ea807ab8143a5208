"""The parts of the protocol against loops, and by hand."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples

from heap.benchmark.metrics.separation import own_pixels, pair_iou, pairs_of, purity


def test_pairs_differ_in_class_and_each_is_there_once() -> None:
    assert pairs_of(("cat", "dog", "cat")) == [(0, 1), (1, 2)]
    assert pairs_of(("cat", "cat")) == pairs_of(()) == []


@settings(max_examples=examples(50))
@given(st.integers(0, 2**32 - 1), st.integers(0, 5))
def test_iou_of_a_pair_is_the_best_of_all_choices_of_two_objects(seed: int, objects: int) -> None:
    iou = np.random.default_rng(seed).random((objects, 2))
    choices = [min(iou[a, 0], iou[b, 1]) for a in range(objects) for b in range(objects) if a != b]
    assert pair_iou(iou, 0, 1) == max(choices, default=0)


@settings(max_examples=examples(50))
@given(st.integers(0, 2**32 - 1))
def test_purity_counts_the_pixels_of_one_class_only(seed: int) -> None:
    random = np.random.default_rng(seed)
    names = tuple(random.choice(["a", "b", "c"], size=4).tolist())
    places, regions = random.random((4, 5, 6)) < 0.3, random.integers(0, 3, size=(5, 6))
    counted: dict[int, list[str]] = {}
    for at in np.ndindex(5, 6):
        here = {name for name, place in zip(names, places, strict=True) if place[at]}
        if len(here) == 1:
            counted.setdefault(int(regions[at]), []).extend(here)
    everything = [name for each in counted.values() for name in each]
    most = sum(max(map(each.count, each)) for each in counted.values())
    pure, floor = purity(regions, own_pixels(places, names), names)
    if not everything:
        assert np.isnan(pure)
        assert np.isnan(floor)
        return
    assert pure == most / len(everything)
    assert floor == max(map(everything.count, everything)) / len(everything)
