"""Splits of the images, such as train, val and test."""

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import fsum, isclose

from heap.base.errors import InputError

_SEEDS = 20
"""Seeds that are tried, to advise one with which no split is empty."""
_NAME = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True)
class Splits:
    """Shares of the splits; the key of an image decides where it belongs.

    Nothing else does, so that an image stays in its split when others are added.
    """

    shares: Mapping[str, float] = field(default_factory=dict)
    """Share of the images by name of the split, together 1; empty: no splits."""
    seed: int = 0
    """Another seed gives other splits."""

    @classmethod
    def parse(cls, text: str, seed: int = 0) -> "Splits":
        """Read `train=0.8,val=0.1,test=0.1`.

        Raises:
            InputError: if it says something else, or the shares are not 1 together.
        """
        shares: dict[str, float] = {}
        for part in text.split(","):
            name, _, share = part.strip().partition("=")
            if not _NAME.fullmatch(name) or name in shares:
                raise InputError(
                    f"--split {text}: {name!r} is no name of a split, or named twice; write lower "
                    "case names as in train=0.8,val=0.1,test=0.1"
                )
            shares[name] = _share(text, share)
        if not isclose(total := fsum(shares.values()), 1, abs_tol=1e-6):
            raise InputError(f"--split {text}: the shares are {total:g} together; let them be 1")
        return cls(shares, seed)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the splits; one empty name if there are none."""
        return tuple(self.shares) or ("",)

    def check(self, keys: Collection[str]) -> None:
        """Raise InputError if a split has no image, for trainers stop at one without.

        Raises:
            InputError: if one of several splits would have none of the images.
        """
        if empty := self._empty(keys):
            others = (Splits(self.shares, seed) for seed in range(_SEEDS))
            better = next((other.seed for other in others if not other._empty(keys)), None)
            advice = "" if better is None else f"--seed {better}, which gives every split some, "
            raise InputError(
                f"{empty[0]} would have none of the {len(keys)} images: which split an image is in "
                f"is drawn for each by itself; choose {advice}larger shares, or no --split"
            )

    def _empty(self, keys: Collection[str]) -> list[str]:
        drawn = set(map(self.of, keys))
        return [name for name in self.shares if name not in drawn]

    def of(self, key: str) -> str:
        """The split of an image; an empty name if there are none."""
        digest = hashlib.blake2b(f"{self.seed}/{key}".encode(), digest_size=8).digest()
        # A number in [0, 1) that depends on the key and the seed alone.
        place, reached = int.from_bytes(digest) / 2**64, 0.0
        for name, share in self.shares.items():
            reached += share
            if place < reached:
                return name
        return self.names[-1]


def _share(text: str, share: str) -> float:
    try:
        value = float(share)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise InputError(f"--split {text}: {share!r} is no share above 0 and at most 1")
    return value
