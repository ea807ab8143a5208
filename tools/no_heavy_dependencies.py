"""Fail if a dependency of ours, other than torch, brings CUDA packages, torchvision or timm.

They are gigabytes that nobody needs for this package, and two of them do not even import beside
the CPU build of torch.
"""

import re
import sys
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, requires

REFUSED = re.compile(r"torchvision|torchaudio|timm|triton|pytorch-triton|nvidia-.*|cuda-.*")
OURS = "heap"
EXTRAS = ("dev", "")


def main() -> int:
    """Walk what is installed, from our own requirements on, without looking into torch."""
    seen = closure(OURS, EXTRAS, closed=("torch",))
    wrong = sorted(name for name in seen if REFUSED.fullmatch(name))
    for name in wrong:
        sys.stderr.write(f"{name} is installed because a dependency of heap asks for it\n")
    sys.stdout.write(f"{len(seen)} packages looked at, {len(wrong)} refused\n")
    return 1 if wrong else 0


def closure(ours: str, extras: Collection[str], closed: Collection[str] = ()) -> set[str]:
    """Names of a package and of all that it needs with some extras, but not by way of `closed`."""
    waiting, seen = [ours], set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen and name not in closed:
            seen.add(name)
            waiting += needs(name, extras if name == ours else ("",))
    return seen


def needs(name: str, extras: Collection[str]) -> list[str]:
    """Normalised names of the installed requirements of a package."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(line) for line in requires(name) or ()]
    except PackageNotFoundError:
        return []
    return [
        re.sub(r"[-_.]+", "-", requirement.name).lower()
        for requirement in wanted
        if requirement.marker is None
        or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)
    ]


if __name__ == "__main__":
    sys.exit(main())
