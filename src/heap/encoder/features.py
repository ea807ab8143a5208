"""What an encoder says about a batch of images."""

from dataclasses import dataclass

from jaxtyping import Float32
from torch import Tensor


@dataclass(frozen=True)
class Features:
    """Patch features and CLS attention of one layer."""

    patches: Float32[Tensor, "batch patch dim"]
    """Row-major over the grid. Keys are those of all heads, one head after the other."""
    cls_attention: Float32[Tensor, "batch head patch"]
    """Share of the CLS token's attention that each patch gets; CLS and registers get the rest.

    A pyramid has no such token; what stands for it is said there.
    """
    grid: tuple[int, int]
    """Rows and columns of patches."""

    @property
    def heads(self) -> int:
        """Attention heads: `patches.unflatten(-1, (heads, -1))` are the keys of each."""
        return self.cls_attention.shape[1]


@dataclass(frozen=True)
class Outputs:
    """The last thing that an encoder says of a batch of images, for another to learn from."""

    patches: Float32[Tensor, "batch patch dim"]
    """Row-major over the grid, as `Features.patches`."""
    whole: Float32[Tensor, "batch width"]
    """What `Encoder.embed` gives."""
