import weakref
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from heap.base.sampling import spread_evenly


def test_evenly_by_hand() -> None:
    assert spread_evenly(range(10), 4) == [0, 2, 5, 7]
    assert spread_evenly(iter("abc"), 3) == spread_evenly("abc", 100) == ["a", "b", "c"]
    assert spread_evenly(range(5), 1) == [0]
    assert spread_evenly([], 5) == []


@given(st.integers(0, 3000), st.integers(1, 20))
def test_gaps_between_the_chosen_are_alike_however_many_come(count: int, most: int) -> None:
    chosen = spread_evenly(iter(range(count)), most)

    assert len(chosen) == min(count, most)
    gaps = [after - before for before, after in zip(chosen, [*chosen[1:], count], strict=False)]
    # Each is of as many kept items as any other, or one more, of at least 4 for each chosen one.
    assert not gaps or max(gaps) <= 1.5 * count / len(chosen) + 1


def test_of_very_many_few_are_held() -> None:
    class Item:
        pass

    living = weakref.WeakSet[Item]()
    largest = 0

    def items() -> Iterator[Item]:
        nonlocal largest
        for _ in range(5000):
            item = Item()
            living.add(item)
            largest = max(largest, len(living))
            yield item

    assert len(spread_evenly(items(), 10)) == 10
    assert largest <= 8 * 10 + 2
