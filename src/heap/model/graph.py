"""Graph of a model: encoder and head as one function of tensors, for other runtimes than torch."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from heap.encoder.base import Encoder
from heap.features.cues import CUE_WIDTHS
from heap.model.heap import Heap


class GraphOutputs(NamedTuple):
    """Outputs of a graph: all that objects are made from, see `heap.model.analysis.Analysis`."""

    saliency: Float[Tensor, "batch grid_h grid_w"]
    """Foreground probability of each patch."""
    objectness: Float[Tensor, "batch grid_h grid_w"]
    """Probability that a patch shows a thing."""
    patches: Float[Tensor, "batch patch dim"]
    """Features relative to the mean of the training images, row-major over the grid."""
    whitened: Float[Tensor, "batch patch dim"]
    """The same after the head's whitening, which removes what most images have in common."""
    discriminant: Float[Tensor, "batch patch dim"]
    """The same after the head's discriminant: cosines tell whether pieces are one thing."""
    groups: Int64[Tensor, "batch grid_h grid_w"]
    """Group that has the largest share of each patch. Regions are merged by a hierarchy, which no
    graph can hold: these are the regions that there are before it."""
    group_embeddings: Float[Tensor, "batch group dim"]
    """Mean feature of the patches of each group."""
    group_foreground: Float[Tensor, "batch group"]
    """Foreground probability of each group."""
    group_areas: Float[Tensor, "batch group"]
    """Share of the image of each group."""
    foreground: Float[Tensor, "batch dim"]
    background: Float[Tensor, "batch dim"]
    """Image-level embeddings F^f and F^b."""


class Graph(nn.Module):
    """Encoder and head of a model, from pixels to what objects are made from.

    It holds no pictures, files or settings; what goes in has the size that the model sees, see
    `heap.images.geometry`.
    """

    def __init__(self, heap: Heap) -> None:
        super().__init__()
        self.encoder: Encoder = heap.encoder
        self.head = heap.head
        self._features = heap.config.features

    @property
    def cue_width(self) -> int:
        """Number of hand-made channels of each patch, the second input; 0 if there is none."""
        return sum(CUE_WIDTHS[name] for name in self._features.cues)

    def forward(
        self,
        pixels: UInt8[Tensor, "batch height width 3"],
        cues: Float[Tensor, "batch grid_h grid_w channel"] | None = None,
    ) -> tuple[Tensor, ...]:
        """`GraphOutputs` for upright RGB images, whose sides are multiples of the patch.

        As a plain tuple, for a file of torch would ask for the class to be there when it is read.
        """
        rows, cols = (side // self.encoder.patch for side in pixels.shape[1:3])
        features = self.encoder(
            pixels.permute(0, 3, 1, 2).float() / 255, self._features.layer, self._features.facet
        ).patches
        if cues is not None:
            # As in `heap.features.describe`.
            weighted = self._features.cue_weight * cues.flatten(1, 2)
            features = torch.cat([F.normalize(features, dim=-1), weighted], dim=-1)
        grouping: Any = self.head(features)
        centred = self.head.subtract_centre(features)
        whitened = self.head.whitening(centred)
        saliency = self.head.objectness.blend(grouping.saliency, whitened)
        outputs = GraphOutputs(
            saliency.unflatten(1, (rows, cols)),
            self.head.objectness(whitened).unflatten(1, (rows, cols)),
            centred,
            whitened,
            self.head.discriminant(whitened),
            grouping.assignment.argmax(dim=-1).unflatten(1, (rows, cols)),
            grouping.embeddings,
            grouping.foreground,
            grouping.area,
            grouping.image_foreground,
            grouping.image_background,
        )
        return tuple(outputs)
