import sys
import threading
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from heap.images import decode_bytes
from heap.images.memory import Budget, bytes_needed


def test_who_needs_what_is_not_there_waits_for_the_others() -> None:
    budget, inside = Budget(10), threading.Event()

    def work() -> None:
        with budget.hold(6):
            inside.set()

    other = threading.Thread(target=work)
    with budget.hold(6):
        other.start()
        other.join(0.2)
        assert not inside.is_set()
    other.join()
    assert inside.is_set()
    with budget.hold(4), budget.hold(6):
        pass


def test_what_needs_more_than_all_is_done_alone() -> None:
    budget = Budget(10)
    with budget.hold(10_000):
        pass
    with pytest.raises(ZeroDivisionError), budget.hold(10_000):
        raise ZeroDivisionError
    with budget.hold(10):
        pass


def test_a_pixel_takes_its_own_bytes_and_those_of_its_upright_copy() -> None:
    assert bytes_needed(Image.new("1", (100, 50))) == 5000 * (1 + 4 + 4)
    assert bytes_needed(Image.new("RGB", (100, 50))) == 5000 * (4 + 4)
    assert bytes_needed(Image.new("RGBA", (100, 50))) == 5000 * (4 + 4 + 4)


def test_a_picture_is_decoded_within_the_budget_and_gives_it_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    budget = Budget(100)
    # The package has a function of the module's name.
    monkeypatch.setattr(sys.modules["heap.images.decode"], "DECODING", budget)
    file = BytesIO()
    Image.new("RGB", (30, 20), "red").save(file, "png")
    for _ in range(2):
        assert np.all(decode_bytes("a", file.getvalue()).pixels == [255, 0, 0])
    with budget.hold(100):
        pass
