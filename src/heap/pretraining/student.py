"""Network that is pretrained: a model of transformers, and the heads that it is trained by."""

import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from heap.base.errors import InputError
from heap.encoder.stages import STRIDE, join_stages, pool
from heap.model.whitening import Whitening
from heap.pretraining.architectures import MEAN, STD
from heap.pretraining.config import PretrainConfig
from heap.pretraining.objective import ProjectionHead


@dataclass(frozen=True)
class StudentOutput:
    """Output of the network for a batch of crops; None where there is no head for it."""

    image: Float[Tensor, "batch prototype"] | None
    """Cosines to the image prototypes."""
    patch: Float[Tensor, "batch patch prototype"] | None
    """Cosines to the patch prototypes."""
    dense: Float[Tensor, "batch patch"] | None
    """Logits of being foreground."""
    tokens: Float[Tensor, "batch patch dim"]
    """Patch features of length √dim, which the heads take."""
    distill: Float[Tensor, "batch patch predicted"] | None = None
    """Prediction of the patches of a stronger encoder."""
    distill_embedding: Float[Tensor, "batch predicted_embedding"] | None = None
    """Prediction of the embedding of a stronger encoder."""
    embedding: Float[Tensor, "batch embedding"] | None = None
    """Embedding of the crop, as of `Encoder.embed`."""


@dataclass(frozen=True)
class Widths:
    """Widths of the features of a stronger encoder."""

    patch: int
    embedding: int


class Student(nn.Module):
    """Backbone and heads; its moving average is of the same class.

    `taught` are the widths of a stronger encoder's features, where there is one.

    Raises:
        InputError: if the backbone gives no feature for each patch, or none that could be the
            stronger encoder's.
    """

    def __init__(
        self, backbone: PreTrainedModel, config: PretrainConfig, taught: Widths | None = None
    ) -> None:
        super().__init__()
        self.backbone = backbone
        parameters = inspect.signature(backbone.forward).parameters
        self.options = {"output_hidden_states": True}
        # Some transformers refuse crops of another size than that of their position embeddings.
        if "interpolate_pos_encoding" in parameters:
            self.options["interpolate_pos_encoding"] = True
        # That of a transformer; of a pyramid it is set in `_probe`.
        patch = getattr(backbone.config, "patch_size", STRIDE)
        self.patch = patch if isinstance(patch, int) else STRIDE
        dim, width = self._probe(bool(config.class_weight + config.alike_weight))
        if taught and config.same_weight and dim != taught.patch:
            raise InputError(
                f"features of {dim} numbers cannot be the teacher's, which have {taught.patch}: "
                "set same_weight to 0"
            )
        prototypes = config.prototypes
        self.image_head = ProjectionHead(dim, prototypes) if config.image_weight else None
        self.patch_head = ProjectionHead(dim, prototypes) if config.patch_weight else None
        self.dense_head = nn.Linear(dim, 1) if config.dense_weight else None
        self.distill_head = (
            nn.Linear(dim, taught.patch) if taught and config.distill_weight else None
        )
        self.class_head = (
            nn.Linear(width, taught.embedding) if taught and config.class_weight else None
        )

    def forward(
        self,
        views: Sequence[Float[Tensor, "batch 3 _ _"]],
        masks: Sequence[Bool[Tensor, "batch _"]] = (),
    ) -> list[StudentOutput]:
        """Outputs for several batches of crops, in one call, as several devices need it.

        Crops are colours in [0, 1]. There are masks for the first batches: the patches under a mask
        are painted in the mean colour.
        """
        return [self._predict(pixels, mask) for pixels, mask in zip_longest(views, masks)]

    def _predict(self, pixels: Tensor, mask: Tensor | None) -> StudentOutput:
        inputs = (pixels - MEAN) / STD
        if mask is not None:
            # The mask of patches at the size of pixels; the mean colour is 0 after normalisation.
            rows = pixels.shape[-2] // self.patch
            hidden = mask.unflatten(1, (rows, -1)).repeat_interleave(self.patch, 1)
            inputs = inputs * ~hidden.repeat_interleave(self.patch, 2)[:, None]
        tokens, whole, embedding = self._extract(inputs)
        return StudentOutput(
            None if self.image_head is None else self.image_head(whole),
            None if self.patch_head is None else self.patch_head(tokens),
            None if self.dense_head is None else self.dense_head(tokens)[..., 0].float(),
            tokens,
            None if self.distill_head is None else self.distill_head(tokens),
            None if self.class_head is None else self.class_head(embedding),
            embedding,
        )

    def _extract(
        self, inputs: Float[Tensor, "batch 3 height width"]
    ) -> tuple[
        Float[Tensor, "batch patch dim"],
        Float[Tensor, "batch dim"],
        Float[Tensor, "batch embedding"],
    ]:
        """Patch features of length √dim, CLS or their mean, and the embedding of the crops."""
        height, width = inputs.shape[-2:]
        # Convolutions on a CPU are faster when the channels of a pixel lie together.
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        output = self.backbone(inputs, **self.options)
        if output.hidden_states[-1].ndim == 4:  # maps, not tokens: it is a pyramid
            maps = join_stages(output.hidden_states, height, width)
            # Joined maps have length 1; √dim, so that a value is of size 1 on average.
            tokens = maps.flatten(2).transpose(1, 2) * maps.shape[1] ** 0.5
            return tokens, tokens.mean(dim=1), pool(output).float()
        count = (height // self.patch) * (width // self.patch)
        states = output.last_hidden_state.float()
        if states.shape[1] < count:
            raise ValueError(f"{states.shape[1]} features for {count} patches")
        # Patches come last, after CLS and registers, if there are any.
        tokens = F.normalize(states[:, -count:], dim=-1) * states.shape[-1] ** 0.5
        whole = states[:, 0] if states.shape[1] > count else tokens.mean(dim=1)
        return tokens, whole, whole

    @torch.enable_grad()
    def _probe(self, embedded: bool) -> tuple[int, int]:
        """Widths of the features and of the embedding; freezes the weights that do not matter.

        Those are weights that features do not depend on, nor, if it is trained, the embedding.
        """
        was_training = self.backbone.training
        self.backbone.train(False)
        blank = torch.zeros(1, 3, 16 * self.patch, 16 * self.patch)
        try:
            if self.backbone(blank, **self.options).hidden_states[-1].ndim == 4:
                self.patch = STRIDE
            tokens, whole, embedding = self._extract(blank)
        except (TypeError, ValueError, RuntimeError, LookupError, AttributeError) as error:
            raise InputError(
                f"a {self.backbone.config.model_type} cannot be pretrained: it gives no feature "
                "for each patch of an image"
            ) from error
        self.backbone.train(was_training)
        weights = list(self.backbone.parameters())
        total = tokens.sum() + whole.sum() + (embedding.sum() if embedded else 0)
        for weight, gradient in zip(
            weights, torch.autograd.grad(total, weights, allow_unused=True), strict=True
        ):
            # Several devices would wait for a gradient that never comes.
            weight.requires_grad_(gradient is not None)
        return tokens.shape[-1], embedding.shape[-1]

    @torch.no_grad()
    def begin_as_teacher(self, patch: Whitening, embedding: Whitening, length: float) -> None:
        """Let the heads take the features for those of the stronger encoder, and standardise them.

        For a student that begins as a part of it, and is to become the whole: heads stay as they
        are, so that features have to learn. `length` is the mean of the stronger encoder's patches.
        """
        # Our patches have the length √dim; embeddings are as they come out in both.
        scale = length / len(patch.mean) ** 0.5
        heads = ((self.distill_head, patch, scale), (self.class_head, embedding, 1.0))
        for head, standard, factor in heads:
            if head is not None:
                head.weight.copy_(factor * standard.matrix.mT)
                head.bias.copy_(-standard.mean @ standard.matrix)
                head.requires_grad_(False)

    def make_teacher(self) -> "Student":
        """Frozen copy, for the moving average."""
        return copy.deepcopy(self).requires_grad_(False).eval()

    @torch.no_grad()
    def follow(self, student: "Student", momentum: float) -> None:
        """Move towards the student: θ ← momentum · θ + (1 - momentum) · θ_student.

        The statistics of batch normalisation follow in the same way.
        """
        ours, theirs = self.state_dict(), student.state_dict()
        for name, value in ours.items():
            if value.is_floating_point():
                value.lerp_(theirs[name], 1 - momentum)
