"""Guards against bad solutions: which side is the foreground, and is there one at all.

The losses of HEAP are symmetric in foreground and background. A prior breaks the symmetry during
training; without one, a border test on the fitted head does so afterwards.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from heap.base.errors import FitError
from heap.model.head import Grouping, GroupingHead


def border_cells(grid: tuple[int, int]) -> Bool[Tensor, " patch"]:
    """True on the outermost ring of the grid."""
    border = torch.ones(grid, dtype=torch.bool)
    border[1:-1, 1:-1] = False
    return border.flatten()


@dataclass(frozen=True)
class Monitor:
    """Numbers that show a collapsed, constant or inverted head."""

    regions: float
    """Regions in an image, on average."""
    largest_share: float
    """Share of all patches in the group that has most of them."""
    spread: float
    """Standard deviation of the saliency inside an image."""
    border: float
    """Mean saliency on the border of the images."""
    interior: float
    """Mean saliency elsewhere."""

    @classmethod
    @torch.no_grad()
    def of(cls, grouping: Grouping, border: Bool[Tensor, "batch patch"]) -> "Monitor":
        """Look at one batch; `border` marks the patches on the border of their image."""
        chosen = grouping.assignment.argmax(dim=-1)
        counts = torch.nn.functional.one_hot(chosen, grouping.area.shape[1]).sum(dim=1)
        saliency = grouping.saliency
        return cls(
            regions=float((counts > 0).sum(dim=1).float().mean()),
            largest_share=float(counts.sum(dim=0).max() / counts.sum()),
            spread=float(saliency.std(dim=1).mean()),
            border=float(saliency[border].mean()),
            interior=float(saliency[~border].mean()),
        )

    def check(self) -> None:
        """Refuse a head that says the same of everything.

        Raises:
            FitError: saying what is wrong and what may help.
        """
        # Written so that a number that is not one is refused as well.
        if not self.regions >= 1.5:
            problem = f"collapsed: {self.regions:.2f} regions in an image, on average"
        elif not self.spread >= 0.02:
            problem = f"is constant: the saliency inside an image varies by {self.spread:.3f}"
        elif not abs(self.border - self.interior) >= 0.02:
            problem = (
                "cannot tell foreground from background: the saliency is "
                f"{self.border:.2f} on the border and {self.interior:.2f} inside"
            )
        else:
            return
        raise FitError(
            f"the fitted head {problem}; use more or more varied images, another encoder, layer or "
            "seed, or a stronger prior"
        )


def orient(head: GroupingHead, monitor: Monitor) -> bool:
    """Turn the head round if it calls the border foreground; says whether it did."""
    if not monitor.border > monitor.interior:
        return False
    head.invert()
    return True
