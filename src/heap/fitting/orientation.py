"""Guards against bad solutions: a head without a foreground, or with the sign turned.

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
    """Measurements that show a collapsed, constant or inverted head."""

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
    def measure(cls, grouping: Grouping, border: Bool[Tensor, "batch patch"]) -> "Monitor":
        """Measure one batch; `border` marks the patches on the border of their image."""
        # Groups as at inference, the largest share of each patch; unused ones do not count.
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
        """Refuse a head that gives the same for everything.

        Raises:
            FitError: with the fault and what may help.
        """
        # With `not ... >=`, so that NaN is refused as well. A useful head is far above these: 9 to
        # 23 regions in docs/quality.md.
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
    """Invert the head if it calls the border foreground; returns whether it did."""
    # Photos show background along most of their border.
    if not monitor.border > monitor.interior:
        return False
    head.invert()
    return True
