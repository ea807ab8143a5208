"""Objectness: probability that a piece of an image shows a thing, whatever else the image shows.

The head compares the regions of one image with each other, so something is foreground in every
image. This layer has one yardstick for all images. It is linear in whitened features, which are
compared by direction, and it is no part of the published method.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from torch import Tensor, nn

SHARE = 0.5
"""Share of objectness in the saliency once it has learned; docs/quality.md, "Nothing here"."""
PENALTY = 0.1
"""Penalty on the squared length of the weights of the regression, 1 / C in scikit-learn."""


class Objectness(nn.Module):
    """Logistic regression of "is a thing" on the direction of whitened features.

    Before it has learned it changes nothing: everything is a thing, and its share is 0.
    """

    weight: Tensor
    bias: Tensor
    lift: Tensor
    """Added to the logits of single patches, see `calibrate`."""
    share: Tensor
    """Share of objectness in the saliency, the rest being the foreground probability of regions."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(dim))
        self.register_buffer("bias", torch.zeros(()))
        self.register_buffer("lift", torch.zeros(()))
        self.register_buffer("share", torch.zeros(()))

    def forward(self, whitened: Float[Tensor, "*any dim"]) -> Float[Tensor, "*any"]:
        """Probability that patches, or means of them, show a thing; 1 before it has learned."""
        return torch.where(self.share > 0, self._logits(whitened).sigmoid(), 1.0)

    def blend(
        self, saliency: Float[Tensor, "*any patch"], whitened: Float[Tensor, "*any patch dim"]
    ) -> Float[Tensor, "*any patch"]:
        """Saliency of patches by the head, blended with their objectness by its share."""
        return saliency.lerp((self._logits(whitened) + self.lift).sigmoid(), self.share)

    def _logits(self, whitened: Float[Tensor, "*any dim"]) -> Float[Tensor, "*any"]:
        logits: Tensor = F.normalize(whitened, dim=-1) @ self.weight + self.bias
        return logits

    @torch.no_grad()
    def learn(
        self, things: Float[Tensor, "thing dim"], background: Float[Tensor, "piece dim"]
    ) -> None:
        """Learn from mean whitened features of things and of pieces of background.

        Both kinds count the same, however many there are. Without any of a kind nothing is learned.
        """
        if not len(things) or not len(background):
            return
        # Imported here: nothing but a fit needs it, and it is slow to import.
        from sklearn.linear_model import LogisticRegression

        directions = F.normalize(torch.cat([things, background]), dim=-1).double().cpu().numpy()
        labels = [1] * len(things) + [0] * len(background)
        regression = LogisticRegression(C=1 / PENALTY, class_weight="balanced", max_iter=1000)
        regression.fit(directions, labels)
        weight: Float64[Tensor, " dim"] = torch.from_numpy(regression.coef_[0])
        self.weight.copy_(weight)
        self.bias.fill_(float(regression.intercept_[0]))
        self.share.fill_(SHARE)

    @torch.no_grad()
    def calibrate(self, images: Iterable[Float[Tensor, "_ dim"]], share: float) -> None:
        """Lift the whitened patches of images so far that `share` of them are at a half or above.

        A patch on the rim of a thing is less like a thing than the mean of all of it, which this
        layer has learned from. Unlifted, masks would end before their things do.
        """
        if self.share > 0:
            logits = torch.cat([self._logits(patches) for patches in images])
            above = max(1, round(share * len(logits)))
            self.lift.copy_(-logits.topk(above).values[-1])
