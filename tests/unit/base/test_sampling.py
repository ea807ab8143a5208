from heap.base.sampling import spread_evenly


def test_evenly_by_hand() -> None:
    assert spread_evenly(range(10), 4) == [0, 2, 5, 7]
    assert spread_evenly(iter("abc"), 3) == spread_evenly("abc", 100) == ["a", "b", "c"]
    assert spread_evenly(range(5), 1) == [0]
    assert spread_evenly([], 5) == []
