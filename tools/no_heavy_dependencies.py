"""Fail if a dependency of ours, other than torch, brings CUDA packages, torchvision or timm.

They are gigabytes that nobody needs for this package, and two of them do not even import beside
the CPU build of torch.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, requires

REFUSED = re.compile(r"torchvision|torchaudio|timm|triton|pytorch-triton|nvidia-.*|cuda-.*")
OURS = "heap"
EXTRAS = ("dev", "")


def main() -> int:
    """Walk what is installed, from our own requirements on, without looking into torch."""
    waiting, seen = [OURS], set()
    while waiting:
        name = waiting.pop()
        if name in seen or name == "torch":
            continue
        seen.add(name)
        waiting += needs(name)
    wrong = sorted(name for name in seen if REFUSED.fullmatch(name))
    for name in wrong:
        sys.stderr.write(f"{name} is installed because a dependency of heap asks for it\n")
    sys.stdout.write(f"{len(seen)} packages looked at, {len(wrong)} refused\n")
    return 1 if wrong else 0


def needs(name: str) -> list[str]:
    """Normalised names of the installed requirements of a package."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(line) for line in requires(name) or ()]
    except PackageNotFoundError:
        return []
    extras = EXTRAS if name == OURS else ("",)
    return [
        re.sub(r"[-_.]+", "-", each.name).lower()
        for each in wanted
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras)
    ]


if __name__ == "__main__":
    sys.exit(main())
