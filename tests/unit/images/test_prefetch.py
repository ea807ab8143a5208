import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heap.images import ImageError, Picture, Source
from heap.images.prefetch import chunks, map_ahead, read_picture


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as workers:
        yield workers


def test_the_order_is_kept_whoever_is_ready_first(pool: ThreadPoolExecutor) -> None:
    def work(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number * number

    assert list(map_ahead(range(30), work, pool, 5)) == [number**2 for number in range(30)]


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6])
def test_short_lists(count: int, pool: ThreadPoolExecutor) -> None:
    assert list(map_ahead(range(count), str, pool, 5)) == list(map(str, range(count)))


def test_it_never_runs_further_ahead_than_it_may(pool: ThreadPoolExecutor) -> None:
    begun = 0
    lock = threading.Lock()

    def work(number: int) -> int:
        nonlocal begun
        with lock:
            begun += 1
        return number

    # The source never ends, so reading it to the end would hang.
    found = map_ahead(itertools.count(), work, pool, 3)
    for taken, number in enumerate(itertools.islice(found, 50), start=1):
        assert number == taken - 1
        assert begun <= taken + 3
    assert isinstance(found, Iterator)


def test_an_error_comes_where_its_item_is(pool: ThreadPoolExecutor) -> None:
    found = map_ahead([4, 2, 0, 1], lambda number: 8 // number, pool, 4)
    assert [next(found), next(found)] == [2, 4]
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_a_picture_that_is_damaged_is_returned_as_an_error(photos: Path, tmp_path: Path) -> None:
    good = read_picture(Source("good", str(photos / "00.png")))
    assert isinstance(good, Picture)
    assert good.key == "good"
    (tmp_path / "bad.png").write_bytes((photos / "00.png").read_bytes()[:100])
    bad = read_picture(Source("bad", str(tmp_path / "bad.png")))
    assert isinstance(bad, ImageError)
    assert bad.key == "bad"
    gone = read_picture(Source("gone", str(tmp_path / "gone.png")))
    assert isinstance(gone, ImageError)
    assert gone.stage == "read"


@given(st.lists(st.integers()), st.integers(1, 7))
def test_chunks_are_full_but_for_the_last(items: list[int], size: int) -> None:
    found = list(chunks(items, size))
    assert list(itertools.chain(*found)) == items
    assert all(len(chunk) == size for chunk in found[:-1])
    assert all(found)
