"""What the fuzzers share.

Usually a few examples are tried, the same every time. `FUZZ_EXAMPLES=1000` tries that many, other
ones each time; `make soak` does so for an hour.
"""

import atexit
import os
import sys
from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
SAME = "FUZZ_EXAMPLES" not in os.environ
"""Whether the same is tried every time."""
UNSHRUNK = (Phase.explicit, Phase.generate)
"""What is tried is short, and looking for something shorter takes minutes."""
SEEDS = st.integers(0, 2**62)
"""Of mutations: an example can be had again from its seed."""


_COUNT = count()
"""Counts what was tried, in all tests."""
if not SAME:
    atexit.register(lambda: sys.stdout.write(f"{next(_COUNT)} examples were tried\n"))


def tries(times: int = 1) -> Callable[[Callable[..., None]], Any]:
    """Let a fuzzer try `times` as many examples as usual."""
    chosen = settings(
        max_examples=times * EXAMPLES,
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=SAME,
        phases=UNSHRUNK,
    )

    def counted(check: Callable[..., None]) -> Any:
        @wraps(check)
        def tried(*arguments: Any, **values: Any) -> None:
            next(_COUNT)
            check(*arguments, **values)

        return chosen(tried)

    return counted


def mutated(data: bytes, draw: np.random.Generator) -> bytes:
    """The same bytes with one to four mutations, half of them near the beginning."""
    for _ in range(int(draw.integers(1, 5))):
        data = _mutated_once(data, draw)
    return data


def _mutated_once(data: bytes, draw: np.random.Generator) -> bytes:
    reach = len(data) if draw.random() < 0.5 else min(len(data), 200)
    at, count = int(draw.integers(0, reach + 1)), int(draw.integers(1, 33))
    rest = data[at:]
    match draw.integers(8):
        case 0:
            return (
                data[:at] + bytes([rest[0] ^ 1 << int(draw.integers(8))]) + rest[1:]
                if rest
                else data
            )
        case 1:
            return data[:at] + draw.bytes(min(count, len(rest))) + rest[count:]
        case 2:
            return data[:at] + draw.bytes(count) + rest
        case 3:
            return data[:at] + rest[count:]
        case 4:
            return data[:at] + rest[:count] + rest
        case 5:
            return data[:at]
        case 6:
            extreme = (b"\0", b"\xff", b"\x7f", b"\x80")[int(draw.integers(4))]
            width = int(draw.choice([1, 2, 4, 8]))
            return data[:at] + extreme * width + rest[width:]
        case _:
            other = int(draw.integers(0, len(data) + 1))
            return data[:at] + data[other : other + count] + rest[count:]


ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, -(10**30), 0.5, -0.0, 1e308, -1e308,
    float("nan"), float("inf"), "", "0", "a", "\0", "\ud800", "\udce9", "../..", "/etc/passwd",
    "x" * 3000, "é\u202f\U0001f600", [], [[]], {}, {"__class__": "x"}, [1, 2], ["a"], [None],
]  # fmt: skip


def mutated_tree(value: Any, draw: np.random.Generator) -> Any:
    """A copy of plain JSON in which one to three places hold something odd, or are gone."""
    for _ in range(int(draw.integers(1, 4))):
        value = _mutated_place(value, draw)
    return value


def _mutated_place(value: Any, draw: np.random.Generator) -> Any:
    if not isinstance(value, dict | list) or not value or draw.random() < 0.15:
        return ODD_VALUES[int(draw.integers(len(ODD_VALUES)))]
    places = list(value) if isinstance(value, dict) else list(range(len(value)))
    place = places[int(draw.integers(len(places)))]
    copy = value.copy()
    match draw.integers(8):
        case 0:
            del copy[place]
        case 1 if isinstance(copy, dict):
            copy["unheard of"] = copy[place]
        case 1 if isinstance(copy, list):
            copy.append(copy[place])
        case _:
            copy[place] = _mutated_place(copy[place], draw)
    return copy
