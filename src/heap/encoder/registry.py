"""The encoders that have a short name, and how a name becomes a folder or a hub repository."""

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from heap.config import Cue, FeatureConfig, Prior
from heap.encoder import hub
from heap.encoder.files import CONFIG
from heap.errors import InputError

EMBEDDED = Path(__file__).parents[1] / "weights" / "encoder"
"""The encoder that comes with the package."""

_HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_APACHE = "Apache-2.0"
_DINOV3 = "DINOv3 License"


@dataclass(frozen=True)
class Recipe:
    """What serves an encoder best, where that is not the package's default."""

    layer: int = -1
    resolution: int = 448
    cues: tuple[Cue, ...] = ()
    cue_weight: float = 1.0
    prior: Prior = "found"

    def features(self, encoder: str) -> FeatureConfig:
        """The features of `encoder` by this recipe."""
        return FeatureConfig(
            encoder=encoder,
            layer=self.layer,
            resolution=self.resolution,
            cues=self.cues,
            cue_weight=self.cue_weight,
        )


@dataclass(frozen=True)
class Card:
    """What there is to know about an encoder before it is loaded."""

    alias: str
    repo: str | None
    """Its name on the hub; None for the one inside the package."""
    family: str
    parameters: float
    """In millions."""
    patch: int
    """Side of a patch, in pixels."""
    dim: int
    licence: str
    note: str
    recipe: Recipe = Recipe()


def _facebook(alias: str, repo: str, family: str, size: tuple[float, int, int], note: str) -> Card:
    parameters, patch, dim = size
    licence = _DINOV3 if family == "DINOv3" else _APACHE
    return Card(alias, f"facebook/{repo}", family, parameters, patch, dim, licence, note)


_CLASSIC = "what the literature of the field uses"
_DENSE = "strong features; a few patches of plain background stand out"
_REGISTERS = "as DINOv2, without the patches that stand out"
_GATED = "its licence has to be accepted on the hub first"

_CARDS = (
    Card(
        "embedded",
        None,
        "ViT",
        2.7,
        8,
        192,
        _APACHE,
        "inside the package; small, no network",
        Recipe(layer=4, resolution=224, cues=("colour", "boundary", "position"), prior="boundary"),
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
)

CARDS: dict[str, Card] = {card.alias: card for card in _CARDS}
"""The encoders with a short name, by it."""


def recipe(encoder: str) -> Recipe:
    """The recipe of an encoder with a short name, else the default one."""
    return CARDS[encoder].recipe if encoder in CARDS else Recipe()


def resolve(name: str) -> Path | str:
    """Turn an alias, folder or hub name into the folder or, if it is not here, the hub name.

    An alias goes before a folder of the same name; write ./name for the folder. Looks into the
    folder that the environment's HEAP_WEIGHTS_DIR names; never asks the network.

    Raises:
        InputError: if `name` is none of the three.
    """
    card = CARDS.get(name)
    if card is not None and card.repo is None:
        return EMBEDDED
    if card is None and name and Path(name).is_dir():
        return Path(name)
    repo = card.repo if card is not None else name if _HUB_NAME.fullmatch(name) else None
    if repo is None:
        raise InputError(_unknown(name))
    return _provided(name, repo) or repo


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
    folders = (Path(root) / name, Path(root) / repo.rpartition("/")[2])
    return next((folder for folder in folders if folder.is_dir()), None)


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, CARDS, n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ";"
    return (
        f"there is no encoder {name!r}{hint} `heap models` lists the aliases; "
        "a local folder or a hub name such as facebook/dino-vits8 will do too"
    )
