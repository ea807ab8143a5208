"""Every default of the package, once.

The classes are frozen and checked when they are made: a wrong type or a value out of range is
refused, and `from_dict` refuses keys that do not exist. Settings are saved with every model and
every run, so that a result can be traced to the settings that made it.
"""

import json
from collections.abc import Mapping
from functools import wraps
from numbers import Integral, Real
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from heap.base.errors import ConfigError

C = TypeVar("C")

Facet = Literal["key", "token", "output"]
Cue = Literal["colour", "boundary", "position"]
IntraForm = Literal["ncut", "modularity", "correlation"]
Affinity = Literal["relu", "linear"]
Prior = Literal["auto", "none", "self", "seed", "found", "boundary", "encoder"]
Precision = Literal["auto", "fp32", "bf16"]
Saved = Literal["overlays", "regions", "masks"]
Engine = Literal["local", "ray"]

# Bounds are wide: they are there to catch typing errors and hostile files, not to give advice.
Weight = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Cosine = Annotated[float, Field(ge=-1, le=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Groups = Annotated[int, Field(ge=2, le=256)]
Resolution = Annotated[int, Field(ge=32, le=4096)]

CUT = 0.05
"""Default share, chosen on `duts-tr/tune` (docs/quality.md, "Things that touch")."""
MIN_SCORE = 0.13
"""Default score, chosen on `duts-tr/tune` (docs/quality.md, "Nothing here")."""
ORIGINALS = "originals"
"""Folder in that of a run, with copies of images that were in memory only."""
CHECKED = ConfigDict(extra="forbid", strict=True)
"""Option of dataclasses of settings: unknown keys and other types are refused, not converted."""

_WORDS = {
    "Input should be": "it has to be",
    "Unexpected keyword argument": "there is no such setting",
    "Value error, ": "",
}
"""Words of pydantic, and ours."""


def refuse_in_words(kind: type[C]) -> type[C]:
    """Let a class of settings take NumPy's numbers, and raise `ConfigError` for what it refuses."""
    checked: Any = kind.__init__

    @wraps(checked)
    def make(self: C, *args: Any, **values: Any) -> None:
        try:
            checked(self, *args, **{name: _plain(value) for name, value in values.items()})
        except ValidationError as error:
            raise ConfigError(explain(kind.__name__, error)) from None

    setattr(kind, "__init__", make)  # noqa: B010 - mypy takes no other form
    return kind


@refuse_in_words
@dataclass(frozen=True, kw_only=True, config=CHECKED)
class FeatureConfig:
    """Choice of the frozen encoder, of its layer and facet, and of the size of images."""

    encoder: str = "embedded"
    """Alias (`heap models`), hub name or local folder of an encoder."""
    layer: Annotated[int, Field(ge=-64, le=64)] = -1
    """Block that the features are taken from, from 0; negative counts from the last."""
    facet: Facet = "key"
    """`key`: the block's key projection; `token`: its output before the final LayerNorm, or the
    joined maps of a pyramid; `output`: the output after the final LayerNorm."""
    resolution: Resolution = 448
    """Side, in pixels, of a square to whose area images are resized, aspect ratio kept."""
    square: bool = False
    """Squeeze images to that square instead, as some evaluation protocols ask for."""
    native: bool = False
    """Leave images that are smaller than that at their own size, sides rounded to whole patches, as
    in the published evaluations."""
    cues: tuple[Cue, ...] = ()
    """Hand-made channels joined to the features of a weak encoder, see `heap.features.cues`."""
    cue_weight: Weight = 1.0
    """Length of the joined cues where the features have length 1."""

    @model_validator(mode="after")
    def _one_size(self) -> "FeatureConfig":
        if self.square and self.native:
            raise ValueError("square and native are two sizes for one image; choose one of them")
        return self


@refuse_in_words
@dataclass(frozen=True, kw_only=True, config=CHECKED)
class HeadConfig:
    """Shape of the grouping head."""

    groups: Groups = 24
    """Group tokens, by which foreground and background are told apart."""
    blocks: Annotated[int, Field(ge=0, le=24)] = 2
    """Cross-attention blocks in which the tokens adapt to the image."""
    heads: Annotated[int, Field(ge=1, le=64)] = 3
    width: Annotated[int, Field(ge=8, le=4096)] = 192
    """Width of the tokens inside the blocks."""
    mlp_ratio: Annotated[float, Field(gt=0, le=16)] = 2.0
    rounds: Annotated[int, Field(ge=0, le=100)] = 1
    """Rounds in which patches choose again, with the means of the groups for tokens."""
    temperature: Annotated[float, Field(gt=0, le=10)] = 0.05
    """τ of the assignment softmax."""
    centred: bool = True
    """Subtract the mean feature of the training images first."""
    regions: Groups = 12
    """Largest number of regions of an image, see `heap.model.regions`."""
    cut: Fraction = CUT
    """Share of the things in the images of the fit that would be cut in two; two halves that are
    less alike than those are two things, see `heap.model.discriminant`."""
    min_score: Fraction = MIN_SCORE
    """Least score of the best object of an image; below it the image has no objects."""

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "HeadConfig":
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self


@refuse_in_words
@dataclass(frozen=True, kw_only=True, config=CHECKED)
class LossConfig:
    """Weights and forms of the losses; the three of the paper, and the orientation prior."""

    intra: Weight = 1.0
    negative: Weight = 1.0
    inter: Weight = 1.0
    intra_form: IntraForm = "modularity"
    granularity: Positive = 1.25
    """γ of the `modularity` form: the higher, the more and smaller groups."""
    affinity: Affinity = "relu"
    """`relu`: max(0, cos), quadratic in patches; `linear`: (1 + cos) / 2, linear in them."""
    intra_patches: Count = 400
    """Patches of an image that L_intra sees, drawn anew at every step."""
    correlation_shift: Annotated[float, Field(ge=-1, le=1)] = 0.2
    """β of the `correlation` form."""
    rank_decay: Weight = 0.25
    """α, by which the weight exp(-α rank) of a pair of regions falls with its rank."""
    prior: Prior = "auto"
    """Orientation: `none` is HEAP's three losses and a border test on the fitted model; `self`
    begins with these, and learns from its own masks; `auto` fits by several, and keeps the one
    whose masks fit their images best, see `heap.fitting.choosing`."""
    prior_weight: Weight = 30.0
    """Weight of the cross-entropy to the prior, far above 1: the prior decides the foreground."""


@refuse_in_words
@dataclass(frozen=True, kw_only=True, config=CHECKED)
class FitConfig:
    """Training of the head on cached features."""

    steps: Count = 300
    batch: Annotated[int, Field(ge=2, le=4096)] = 32
    """Images in a step; the contrastive losses need at least two."""
    empty: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of these that are crops in which the prior has no foreground, see `heap.fitting.empty`:
    for encoders with which a head finds something in every image."""
    patches: Count = 1024
    """Largest number of patches of an image in a step, drawn anew."""
    learning_rate: Positive = 2e-3
    """Peak rate: it rises for a tenth of the steps, and falls to 0 as a cosine."""
    weight_decay: Weight = 0.01
    clip: Positive = 1.0
    """Largest norm of the gradient."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    images: Count = 20_000
    """Largest number of images that are used, spread evenly over those listed."""
    checkpoint_every: Count = 25
    """Steps between checkpoints, and between lines of the log."""


@refuse_in_words
@dataclass(frozen=True, kw_only=True, config=CHECKED)
class DiscoverConfig:
    """Settings of a run: size of the images, step from regions to objects, and files."""

    resolution: Resolution | None = None
    """Side in pixels of the square that an image has the area of, or is squeezed to, for the model;
    None: that of the fit. More shows smaller things, and takes longer."""
    threshold: Fraction = 0.5
    """Foreground probability above which a patch belongs to an object."""
    merge: Cosine = 0.6
    """Cosine, after the discriminant, above which two halves of a part are one thing. Heads learn
    their own, which is taken where no configuration is given; this is about that of `embedded`."""
    min_area: Fraction = 0.005
    """Least share of the image that a part has to have to be an object."""
    min_score: Fraction = MIN_SCORE
    """Score as in `HeadConfig`; without a configuration, that of the head."""
    proposals: Annotated[int, Field(ge=0, le=100)] = 0
    """Number of proposals for an image, see `heap.model.proposals`; they may overlap."""
    refine: bool = True
    """Upsample saliency and masks along the edges of the image instead of bilinearly."""
    crop: Resolution = 224
    """Side in pixels of the squares that boxes of objects become, to be compared (docs/quality.md,
    "Comparing objects")."""
    batch: Annotated[int, Field(ge=1, le=4096)] = 8
    """Images that go through the encoder together, if they have the same shape."""
    chunk: Count = 8
    """Images that are worked on and stored together, the most that a kill can cost."""
    save: tuple[Saved, ...] = ("overlays",)
    """Pictures to write for each image: objects drawn on it, regions, or 8-bit label maps."""


@refuse_in_words
@dataclass(frozen=True, kw_only=True, config=CHECKED)
class ClusterConfig:
    """Workers of `heap discover` on a cluster of Ray."""

    address: str | None = None
    """Address of the cluster, or "auto" for the one that this machine belongs to; without one, this
    machine is all of it."""
    workers: Count | None = None
    """Most workers; without a number, as many as fit, and more when machines are added."""
    cpus: Annotated[float, Field(gt=0, le=1024)] = 1.0
    """Cores of a worker."""
    gpus: Annotated[float, Field(ge=0, le=64)] = 0.0
    """GPUs of a worker; two of 0.5 share one."""


def from_dict(kind: type[C], values: Mapping[str, Any]) -> C:
    """Build the configuration `kind`; unknown keys, wrong types and bad values are refused.

    Raises:
        ConfigError: naming each offending key, its value and what is wrong with it.
    """
    try:
        # As JSON, which makes tuples of lists even in strict mode.
        return TypeAdapter(kind).validate_json(_to_json(values))
    except ValidationError as error:
        raise ConfigError(explain(kind.__name__, error)) from None


def differing_keys(old: Mapping[str, Any], new: Mapping[str, Any], at: str = "") -> list[str]:
    """Keys, dotted, at which two nested configurations differ, with both values.

    `at` is the path to them, with a dot at its end.
    """
    differences = []
    for key in sorted(old.keys() | new.keys()):
        ours, theirs = old.get(key), new.get(key)
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            differences += differing_keys(ours, theirs, f"{at}{key}.")
        elif ours != theirs:
            differences.append(f"{at}{key} ({ours!r} -> {theirs!r})")
    return differences


def _to_json(values: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(values), allow_nan=False, default=_plain_or_refuse)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the configuration is not plain JSON: {error}") from None


def _plain(value: Any) -> Any:
    """Python's own number for NumPy's, which register as numbers; anything else as it is."""
    if type(value) in (int, float, bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value


def _plain_or_refuse(value: Any) -> Any:
    plain = _plain(value)
    if plain is value:
        raise TypeError(f"{value!r} is of type {type(value).__name__}")
    return plain


def explain(name: str, error: ValidationError) -> str:
    """Faults that pydantic tells of what is called `name`, in the words of this package."""
    faults = (
        f"{'.'.join(map(str, fault['loc']))} = {fault['input']!r}: {_in_words(fault['msg'])}"
        if fault["loc"]
        else _in_words(fault["msg"])
        for fault in error.errors()
    )
    return f"{name}: " + "; ".join(faults)


def _in_words(message: str) -> str:
    """Message of pydantic in the words of this package."""
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    return message
