"""FOUND (Siméoni et al., CVPR 2023): the background seed, and the linear layer that it teaches.

Written from the description of the method. Training works on features that are there already, so
FOUND's image augmentation is left out; everything else is its recipe.
"""

from dataclasses import dataclass as plain_dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic.dataclasses import dataclass
from safetensors.torch import save
from torch import Tensor, nn

from heap.base.errors import ConfigError, FitError, InputError, WeightsError
from heap.base.files import replacing
from heap.base.progress import OnProgress, silent
from heap.config import CHECKED, Cosine, Count, Positive
from heap.encoder.state import read_state
from heap.features.describe import PatchFeatures
from heap.methods.finding import Finding, Observed
from heap.methods.lessons import (
    Images,
    Lesson,
    Lessons,
    Pixels,
    SampledLessons,
    SolvedLessons,
    SolvedMasks,
)

STAGE = "found"
EPS = 1e-10
"""Keeps the logarithm of a head's weight finite if none of its patches is above the mean."""
SEED_STEPS = 100
"""Steps in which the seed teaches; after them the layer teaches itself. This and the numbers below
are those of FOUND's published recipe."""
SEED_WEIGHTS = (1.0, 1.5)
"""Weights of the losses in those steps: against the seed, and against the improved prediction."""
SELF_WEIGHTS = (4.0, 1.5)
"""Weights afterwards: against the prediction itself, and against the improved one."""
BATCH = 50
"""Images in a step."""
DECAY_STEPS, DECAY = 50, 0.95
"""Steps after which the learning rate is multiplied by `DECAY`, again and again."""


def background_seed(
    keys: Float[Tensor, "batch patch dim"],
    cls_attention: Float[Tensor, "batch head patch"],
    threshold: float = 0.3,
) -> Bool[Tensor, "batch patch"]:
    """True where a patch is like the least attended one of its image: the background.

    Heads that attend to little weigh more: with Q_h the share of patches above the mean attention,
    β_h = log(Σ_h Q_h / Q_h) weighs both the attention and the head's part of the key; a single
    head, which has nothing to be weighed against, counts as it is. The seed is
    argmin_p Σ_h β_h a_hp, and the background is cos(key_p, key_seed) > `threshold`.

    Raises:
        ConfigError: if the channels cannot be divided among the heads.
    """
    heads = cls_attention.shape[1]
    if keys.shape[-1] % heads:
        raise ConfigError(
            f"features of {keys.shape[-1]} channels do not divide among {heads} attention heads; "
            "FOUND's seed needs the encoder's features without joined cues"
        )
    beta = _head_weights(cls_attention)
    # The least attended patch: CLS attends to objects, so this one is surely background.
    seed = torch.einsum("bh,bhp->bp", beta, cls_attention).argmin(dim=1)
    # A key is the keys of all heads in a row; each head's part takes the weight of the head.
    weighted = keys.unflatten(-1, (heads, -1)) * beta[:, None, :, None]
    directions = F.normalize(weighted.flatten(2), dim=-1)
    chosen = directions[torch.arange(len(seed), device=seed.device), seed]
    return torch.einsum("bpd,bd->bp", directions, chosen) > threshold


def _head_weights(
    cls_attention: Float[Tensor, "batch head patch"],
) -> Float[Tensor, "batch head"]:
    # The mean over all heads together, as in the paper, not of each head.
    above = cls_attention > cls_attention.mean(dim=(1, 2), keepdim=True)
    share = above.float().mean(dim=2) + EPS
    if share.shape[1] == 1:
        # log(Q / Q) would be 0 and all directions undefined.
        return torch.ones_like(share)
    return (share.sum(dim=1, keepdim=True) / share).log()


def _background(image: PatchFeatures, threshold: float) -> Bool[Tensor, " patch"]:
    patches, attention = image.patches.cpu().float(), image.cls_attention.cpu().float()
    return background_seed(patches[None], attention[None], threshold)[0]


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class FoundSeed:
    """FOUND's first stage: all that is not background is foreground. It learns nothing."""

    threshold: Cosine = 0.3
    """Patches are background where their cosine with the seed is above this."""

    def __call__(self, image: Observed) -> Finding:
        """Foreground of one image, yes or no."""
        background = _background(image.features, self.threshold)
        return Finding.of_mask(~background.reshape(image.features.grid).numpy())


class FoundLayer(nn.Module):
    """Linear layer on the features of a patch, FOUND's 1×1 convolution."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, 1)

    def forward(self, features: Float[Tensor, "*any dim"]) -> Float[Tensor, "*any"]:
        """Foreground logit of each patch."""
        logits: Tensor = self.linear(features)
        return logits[..., 0]


@plain_dataclass(frozen=True)
class Found:
    """FOUND trained: saliency is the foreground probability that its layer gives a patch."""

    layer: FoundLayer

    @torch.inference_mode()
    def __call__(self, image: Observed) -> Finding:
        """Soft saliency of one image.

        Raises:
            WeightsError: if the layer is for features of another width.
        """
        patches, dim = image.features.patches, self.layer.linear.in_features
        if patches.shape[-1] != dim:
            raise WeightsError(
                f"this layer of FOUND is for features of {dim} channels, and these have "
                f"{patches.shape[-1]}; use the encoder, layer and facet that it was trained on"
            )
        logits = self.layer(patches.cpu().float())
        return Finding.of_logits(logits.reshape(image.features.grid).numpy())

    def save(self, path: Path) -> None:
        """Write the weights as safetensors, whole or not at all.

        Raises:
            InputError: if the file cannot be written.
        """
        with replacing(path) as file:
            file.write(save(dict(self.layer.linear.state_dict())))

    @classmethod
    def load(cls, path: Path) -> "Found":
        """Read what `save` wrote, or a released decoder of FOUND: .safetensors, .pt or .pth.

        A decoder is the state dict of `Conv2d(dim, 1, 1)`. No code in a file is run.

        Raises:
            WeightsError: naming the file, if it holds anything else or is damaged.
        """
        state = {name: value.float() for name, value in read_state(path).items()}
        weight, bias = (state.get(name, torch.empty(0)) for name in ("weight", "bias"))
        dim = weight.numel()  # there is one output, so all weights are of input channels
        fits = weight.shape in ((1, dim), (1, dim, 1, 1)) and bias.shape == (1,)
        if not dim or not fits or len(state) != 2:
            held = ", ".join(f"{name} {tuple(value.shape)}" for name, value in state.items())
            raise WeightsError(
                f"{path} is no layer of FOUND: that is a weight (1, channels) or (1, channels, 1, "
                f"1) and a bias (1,), and the file holds {held[:200] or 'nothing'}"
            )
        if not (weight.isfinite().all() and bias.isfinite().all()):
            raise WeightsError(f"{path} holds NaN or infinite weights; train or fetch it again")
        layer = FoundLayer(dim)
        # A 1×1 convolution of shape (1, dim, 1, 1) is this linear layer at every patch.
        layer.linear.load_state_dict({"weight": weight.reshape(1, dim), "bias": bias})
        return cls(layer.requires_grad_(False))


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class FoundRecipe:
    """Training of FOUND's layer, on images without labels."""

    threshold: Cosine = 0.3
    """Threshold of the background seed, see `FoundSeed`."""
    learning_rate: Positive = 5e-2
    steps: Count = 500
    """Steps of 50 images each. In the first 100 the seed teaches."""
    solver: bool = False
    """Improve the masks that teach by the bilateral solver."""

    def fit(
        self,
        images: Images,
        pixels: Pixels | None = None,
        seed: int = 0,
        on_progress: OnProgress = silent,
    ) -> Found:
        """Train on the features of `images`; the solver also needs the `pixels` of each.

        Without the solver a sample of the patches of up to 3,000 images is read once; with it
        all patches of 50 images are read at every step.

        Raises:
            InputError: if there is no image.
            FitError: if the weights end up as no numbers.
        """
        if not len(images):
            raise InputError("there are no images to train FOUND's layer on")

        def background(image: PatchFeatures) -> Bool[Tensor, " patch"]:
            return _background(image, self.threshold)

        if not self.solver:
            return Found(self.teach(SampledLessons(images, background, seed), seed, on_progress))
        if pixels is None:
            raise ValueError("the bilateral solver needs the pixels of the images")
        lessons = SolvedLessons(images, SolvedMasks(pixels), background)
        return Found(self.teach(lessons, seed, on_progress))

    def teach(
        self, lessons: Lessons, seed: int = 0, on_progress: OnProgress = silent
    ) -> FoundLayer:
        """Teach a layer by the background seed for 100 steps, then by its own prediction.

        Raises:
            FitError: if the weights end up as no numbers.
        """
        generator = torch.Generator().manual_seed(seed)
        # Layers draw from torch's global generator, which is left as it was for the caller.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layer = FoundLayer(lessons.dim)
        optimizer = torch.optim.AdamW(layer.parameters(), lr=self.learning_rate)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, DECAY_STEPS, DECAY)
        for step in range(self.steps):
            # With replacement: a step has as many images even if there are fewer in all.
            chosen = torch.randint(len(lessons), (BATCH,), generator=generator)
            loss = _loss(layer, lessons(chosen.tolist()), step)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            on_progress(STAGE, step + 1, self.steps)
        if not all(weight.isfinite().all() for weight in layer.parameters()):
            raise FitError(
                "the trained layer of FOUND holds NaN or infinite weights; use a smaller learning "
                "rate, and features that are finite"
            )
        return layer.requires_grad_(False)


def _loss(layer: FoundLayer, lesson: Lesson, step: int) -> Float[Tensor, ""]:
    logits = layer(lesson.features)
    predicted = logits.detach() > 0  # a probability above 0.5; a target carries no gradient
    by_seed = step < SEED_STEPS
    weights = SEED_WEIGHTS if by_seed else SELF_WEIGHTS
    targets = (lesson.seed() if by_seed else predicted, lesson.improve(predicted))
    first, second = (
        F.binary_cross_entropy_with_logits(logits, target.float()) for target in targets
    )
    return weights[0] * first + weights[1] * second
