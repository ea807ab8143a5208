"""Registry of the encoders that have an alias, and resolution of a name to a folder or hub name."""

import difflib
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from safetensors import SafetensorError, safe_open

from heap.base.errors import InputError
from heap.config import FeatureConfig, FitConfig, HeadConfig, LossConfig
from heap.encoder import hub
from heap.encoder.architecture import PyramidKind
from heap.encoder.files import CONFIG, FOREGROUND_WEIGHT, HEADS, read_json

PACKAGE_WEIGHTS = Path(__file__).parents[1] / "weights"
"""Folder with one folder for each encoder of the package: `encoder`, and the `head` on it."""
PACKAGED = ("embedded", "embedded-medium", "embedded-small")
"""Aliases of the encoders of the package; the first is the default of `heap discover`."""

_HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_APACHE = "Apache-2.0"
_DINOV3 = "DINOv3 License"


@dataclass(frozen=True)
class Recipe:
    """Settings that serve an encoder best; defaults are those of the package."""

    feature_config: FeatureConfig = field(default_factory=FeatureConfig)
    """Settings of the features, but for the name of the encoder."""
    head: HeadConfig = field(default_factory=HeadConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    fit: FitConfig = field(default_factory=FitConfig)

    def features(self, encoder: str) -> FeatureConfig:
        """Settings of the features of `encoder` by this recipe."""
        return replace(self.feature_config, encoder=encoder)


OUTPUT = Recipe(
    FeatureConfig(facet="output"),
    head=HeadConfig(centred=False),
    losses=LossConfig(intra=3.0, inter=0.2),
    fit=FitConfig(steps=150, batch=24, patches=512),
)
"""Recipe for networks whose patches are trained as they come out of the last LayerNorm: DINOv2 and
DINOv3. There cosines have a meaning as they are; keys all look alike until their mean is taken off.
The numbers were chosen on `duts-tr/tune`, see docs/quality.md."""
PACKAGE = replace(OUTPUT, losses=replace(OUTPUT.losses, prior="none"))
"""Recipe for the encoder of the package: by the three losses alone, which on `duts-tr/tune` are
within a point of the other priors and take a tenth of the time (docs/quality.md)."""
MAPS = Recipe(FeatureConfig(facet="token"))
"""Recipe for pyramids, which have no keys."""
_SMALL_HEAD = HeadConfig(groups=16, min_score=0.1)
SMALL = Recipe(
    FeatureConfig(resolution=160, square=True),
    head=_SMALL_HEAD,
    losses=LossConfig(prior="boundary"),
)
"""Recipe for encoders that `heap pretrain` made: trained for hours only, on crops of small squares.
"""
SMALL_PYRAMID = replace(
    SMALL,
    feature_config=replace(SMALL.feature_config, facet="token"),
    losses=LossConfig(prior="encoder"),
    fit=FitConfig(empty=0.125),
)
_BY_KIND = {
    **dict.fromkeys(("dinov2", "dinov2_with_registers", "dinov3_vit"), OUTPUT),
    **dict.fromkeys(get_args(PyramidKind), MAPS),
}
"""Recipes by the `model_type` of config.json, for types with a recipe of their own."""

TAUGHT_PYRAMID = replace(
    MAPS, feature_config=replace(MAPS.feature_config, resolution=224, square=True)
)
"""Recipe for pyramids that learned from a stronger encoder alone, and know no foreground."""
TAUGHT_TRANSFORMER = PACKAGE
"""The same for vision transformers, which learn its patches as they come out."""


@dataclass(frozen=True)
class Card:
    """Facts about an encoder that are known before it is loaded."""

    alias: str
    repo: str | None
    """Name on the hub; None for those of the package."""
    family: str
    parameters: float
    """Number of weights, in millions."""
    patch: int
    """Side of a patch, in pixels."""
    dim: int
    licence: str
    note: str
    recipe: Recipe = field(default_factory=Recipe)


def _facebook(
    alias: str,
    repo: str,
    family: str,
    size: tuple[float, int, int],
    note: str,
) -> Card:
    parameters, patch, dim = size
    licence = _DINOV3 if family == "DINOv3" else _APACHE
    usual = MAPS if "convnext" in alias else Recipe() if family == "DINO" else OUTPUT
    return Card(alias, f"facebook/{repo}", family, parameters, patch, dim, licence, note, usual)


_CLASSIC = "what the literature of the field uses"
_DENSE = "strong features; a few patches of plain background stand out"
_REGISTERS = "as DINOv2, without the patches that stand out"
_GATED = "its licence has to be accepted on the hub first"

_CARDS = (
    Card(
        "embedded",
        None,
        "DINOv2",
        22.1,
        14,
        384,
        _APACHE,
        "inside the package: DINOv2-S, restored; no network",
        PACKAGE,
    ),
    Card(
        "embedded-medium",
        None,
        "DINOv2",
        7.9,
        14,
        384,
        _APACHE,
        "inside the package; four blocks that learned to be the whole of embedded",
        TAUGHT_TRANSFORMER,
    ),
    Card(
        "embedded-small",
        None,
        "ResNet",
        2.8,
        8,
        448,
        _APACHE,
        "inside the package; ten times as fast, knows little",
        SMALL_PYRAMID,
    ),
    _facebook("dino-vits8", "dino-vits8", "DINO", (21.7, 8, 384), _CLASSIC),
    _facebook("dino-vits16", "dino-vits16", "DINO", (21.7, 16, 384), _CLASSIC),
    _facebook("dino-vitb8", "dino-vitb8", "DINO", (85.8, 8, 768), _CLASSIC),
    _facebook("dino-vitb16", "dino-vitb16", "DINO", (85.8, 16, 768), _CLASSIC),
    _facebook("dinov2-vits14", "dinov2-small", "DINOv2", (22.1, 14, 384), _DENSE),
    _facebook("dinov2-vitb14", "dinov2-base", "DINOv2", (86.6, 14, 768), _DENSE),
    _facebook("dinov2-vitl14", "dinov2-large", "DINOv2", (304.4, 14, 1024), _DENSE),
    _facebook(
        "dinov2-vits14-reg", "dinov2-with-registers-small", "DINOv2", (22.1, 14, 384), _REGISTERS
    ),
    _facebook(
        "dinov2-vitb14-reg", "dinov2-with-registers-base", "DINOv2", (86.6, 14, 768), _REGISTERS
    ),
    _facebook(
        "dinov2-vitl14-reg", "dinov2-with-registers-large", "DINOv2", (304.4, 14, 1024), _REGISTERS
    ),
    _facebook(
        "dinov3-vits16", "dinov3-vits16-pretrain-lvd1689m", "DINOv3", (21.6, 16, 384), _GATED
    ),
    _facebook(
        "dinov3-vitb16", "dinov3-vitb16-pretrain-lvd1689m", "DINOv3", (85.7, 16, 768), _GATED
    ),
    _facebook(
        "dinov3-convnext-tiny",
        "dinov3-convnext-tiny-pretrain-lvd1689m",
        "DINOv3",
        (27.8, 8, 1344),
        _GATED,
    ),
)

CARDS: dict[str, Card] = {card.alias: card for card in _CARDS}
"""Cards by alias."""


def card_of(name: str) -> Card | None:
    """Card of an encoder by its alias or its name on the hub; None if it has none."""
    return CARDS.get(name) or next((card for card in CARDS.values() if card.repo == name), None)


def recipe(encoder: str) -> Recipe:
    """Recipe of an encoder by alias, hub name, folder or original checkpoint.

    A hub name that has no alias, and is not on this machine yet, gets the default.

    Raises:
        WeightsError: if there is a config.json or a checkpoint that cannot be read.
    """
    card = card_of(encoder)
    if card is not None:
        return card.recipe
    place: Path | None = Path(encoder)
    if Path(encoder).is_file():
        # Imported here, for this alone needs torch.
        from heap.encoder.original import read_original

        return _BY_KIND.get(read_original(Path(encoder))[0]["model_type"], Recipe())
    if not Path(encoder).is_dir():
        named = is_hub_name(encoder)
        place = (_provided(encoder, encoder) or hub.cached_folder(encoder)) if named else None
    if place is None or not (place / CONFIG).is_file():
        return Recipe()
    kind = read_json(place / CONFIG).get("model_type")
    pyramid = kind in get_args(PyramidKind)
    # Only `heap pretrain` saves heads beside an encoder.
    if not (place / HEADS).is_file():
        return _BY_KIND.get(str(kind), Recipe())
    if has_foreground(place / HEADS):
        return SMALL_PYRAMID if pyramid else SMALL
    return TAUGHT_PYRAMID if pyramid else TAUGHT_TRANSFORMER


def packaged_encoder(alias: str) -> Path:
    """Folder of an encoder that comes with the package."""
    return PACKAGE_WEIGHTS / alias / "encoder"


def packaged_head(alias: str) -> Path:
    """Folder of the head on an encoder that comes with the package."""
    return PACKAGE_WEIGHTS / alias / "head"


def has_foreground(heads: Path) -> bool:
    """Whether heads that `heap pretrain` trained hold the layer that predicts foreground."""
    try:
        with safe_open(heads, framework="np") as file:
            return FOREGROUND_WEIGHT in file.keys()  # noqa: SIM118 - it is no dict
    except (SafetensorError, OSError):
        # Whoever reads the layer for use reports the damage, with what to do.
        return True


def resolve(name: str) -> Path | str:
    """Turn an alias, folder, file or hub name into the folder or file, or else the hub name.

    An alias goes before a folder of the same name; write ./name for the folder. Looks into the
    folder that the environment's HEAP_WEIGHTS_DIR names; never asks the network.

    Raises:
        InputError: if `name` is none of these.
    """
    card = CARDS.get(name)
    if name in PACKAGED:
        return packaged_encoder(name)
    if card is None and name and Path(name).exists():
        return Path(name)
    # What has the form of a hub name is taken for one: whether it exists, only the hub knows.
    repo = card.repo if card is not None else name if is_hub_name(name) else None
    if repo is None:
        raise InputError(_unknown(name))
    return _provided(name, repo) or repo


def is_hub_name(name: str) -> bool:
    """Whether a name has the form owner/name; a path that begins with a dot or slash has not."""
    return _HUB_NAME.fullmatch(name) is not None


def is_local(card: Card) -> bool:
    """Whether the encoder can be loaded without the network."""
    place = resolve(card.alias)
    if isinstance(place, Path):
        return (place / CONFIG).is_file()
    return hub.cached_folder(place) is not None


def _provided(name: str, repo: str) -> Path | None:
    root = os.environ.get("HEAP_WEIGHTS_DIR")
    if not root:
        return None
    # By the name that was asked for, or by the last part of the hub name, as downloads have it.
    folders = (Path(root) / name, Path(root) / repo.rpartition("/")[2])
    return next((folder for folder in folders if folder.is_dir()), None)


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, CARDS, n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ";"
    return (
        f"there is no encoder {name!r}{hint} `heap models` lists the aliases; "
        "a local folder, a .pth file of DINO or DINOv2, or a hub name such as facebook/dino-vits8 "
        "will do too"
    )
