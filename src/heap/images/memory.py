"""Limit on the memory of all pictures that are being decoded at one time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
"""Bytes of a pixel in memory, by Pillow's mode."""
_FOUR = 4
"""Bytes of a pixel of any other mode; Pillow has four for RGB too."""


class Budget:
    """Bytes that several threads share; a thread that needs more than is left waits for others."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._left = total
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, amount: int) -> Iterator[None]:
        """Hold `amount` bytes to the end of the block, or all of them if `amount` is more."""
        mine = min(amount, self.total)
        with self._changed:
            self._changed.wait_for(lambda: self._left >= mine)
            self._left -= mine
        try:
            yield
        finally:
            with self._changed:
                self._left += mine
                self._changed.notify_all()


DECODING = Budget(2**30)
"""Budget of pictures that are decoded at the same time; one that needs more is decoded alone."""


def bytes_needed(image: Image.Image) -> int:
    """Bytes that decoding an opened picture takes: as it is stored, as RGB, and turned upright."""
    # The worst case: whether it has to be turned is known only when it is loaded.
    stored = _BYTES.get(image.mode, _FOUR)
    converted = 0 if image.mode == "RGB" else _FOUR
    return image.width * image.height * (stored + converted + _FOUR)
