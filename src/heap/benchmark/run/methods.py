"""Methods that can be evaluated, with their settings and those that `heap tune` tries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from heap.base.errors import ConfigError
from heap.base.lookup import find
from heap.benchmark.run.learning import (
    HeapRecipe,
    Learned,
    Setup,
    learn_found,
    learn_heap,
)
from heap.config import from_dict
from heap.methods.deepspectral import DeepSpectral
from heap.methods.found import FoundRecipe, FoundSeed
from heap.methods.lost import Lost
from heap.methods.maskcut import MaskCut
from heap.methods.simple import Boundary, CentreBox, WholeImage
from heap.methods.tokencut import TokenCut

Settings = Mapping[str, Any]

CONFIGURATIONS = 8
"""Settings to try of every method that has any, so that all have the same budget.

Facets, layers and sizes are options of the encoder's features and not tried here. The similarity of
patches depends on them, so thresholds go from values for weak features up to values for keys of a
strong encoder, any two of which have a cosine of 0.8."""


@dataclass(frozen=True)
class MethodCard:
    """Description of a method, from which it is made."""

    name: str
    label: str
    """Name in tables."""
    about: str
    kind: Any
    """Class with the settings as fields; its objects are the method itself, unless it learns."""
    grid: tuple[Settings, ...] = ()
    """Settings that `heap tune` tries, the defaults first; empty where there are none."""
    learn: Callable[[Any, Setup], Learned] | None = None
    """Function that makes the method from settings, for one that learns from images first."""
    fixed: Settings = field(default_factory=dict)
    """Settings that distinguish this method from another of the same class."""
    regions: bool = False
    """Whether the method reports regions."""

    def settings(self, values: Settings) -> Any:
        """Make an object of `kind`.

        Raises:
            ConfigError: if a setting is unknown or out of range, or would make it another method.
        """
        for name, value in self.fixed.items():
            if values.get(name, value) != value:
                raise ConfigError(f"method {self.name} is the one with {name} = {value!r}")
        return from_dict(self.kind, {**values, **self.fixed})


_HEAPS: tuple[Settings, ...] = (
    {},
    {"head": {"groups": 24, "temperature": 0.05}},
    {"losses": {"prior_weight": 10.0}},
    {"head": {"groups": 8}},
    {"losses": {"inter": 0.0}},
    {"head": {"groups": 16}},
    {"losses": {"prior_weight": 3.0}},
    {"losses": {"negative": 0.0}},
)
_FOUND_GRID: tuple[Settings, ...] = (
    {},
    {"threshold": 0.4},
    {"threshold": 0.2},
    {"threshold": 0.5},
    {"threshold": 0.8},
    {"threshold": 0.6},
    {"threshold": 0.7},
    {"threshold": 0.4, "learning_rate": 0.01},
)
_CARDS = (
    MethodCard(
        "heap-alone",
        "HEAP, three losses alone",
        "HEAP without a prior; a border test turns the fitted head (AAAI 2024)",
        HeapRecipe,
        ({}, *({"head": {"groups": groups}} for groups in (8, 16, 4, 12, 24, 10, 20))),
        partial(learn_heap, fixed={"prior": "none"}),
        regions=True,
    ),
    MethodCard(
        "heap-self",
        "HEAP, self-trained",
        "HEAP whose prior is what its three losses alone have found, taught to itself; no peer's",
        HeapRecipe,
        _HEAPS,
        partial(learn_heap, fixed={"prior": "self"}),
        regions=True,
    ),
    MethodCard(
        "heap",
        "HEAP with prior",
        "HEAP with the prior of the encoder's recipe: FOUND's layer, or the encoder's own",
        HeapRecipe,
        _HEAPS,
        partial(learn_heap, fixed={}),
        regions=True,
    ),
    MethodCard(
        "lost",
        "LOST",
        "LOST (Simeoni et al., BMVC 2021): expands from the patch with the fewest correlations",
        Lost,
        (
            {},
            {"threshold": 0.1, "whole": True},
            {"threshold": 0.2, "whole": True},
            {"threshold": 0.3, "whole": True},
            {"threshold": 0.2, "patches": 25, "whole": True},
            {"threshold": 0.5, "whole": True},
            {"threshold": 0.85, "whole": True},
            {"threshold": 0.3},
        ),
    ),
    MethodCard(
        "tokencut",
        "TokenCut",
        "TokenCut (Wang et al., CVPR 2022): cuts the graph of the patches in two",
        TokenCut,
        (
            {},
            {"threshold": 0.4},
            {"threshold": 0.9},
            *({"threshold": value, "whole": True} for value in (0.2, 0.1, 0.3, 0.4, 0.6)),
        ),
    ),
    MethodCard(
        "deepspectral",
        "DeepSpectral",
        "Deep Spectral Methods (Melas-Kyriazi et al., CVPR 2022): first eigenvector above zero",
        DeepSpectral,
        ({}, *({"colour": value} for value in (0.0, 3.0, 30.0, 100.0, 1.0, 5.0, 20.0))),
    ),
    MethodCard(
        "maskcut",
        "MaskCut",
        "MaskCut (CutLER, Wang et al., CVPR 2023): cuts again and again, without its CRF",
        MaskCut,
        (
            {},
            {"threshold": 0.15, "largest": True},
            {"threshold": 0.25, "largest": True},
            {"threshold": 0.4, "largest": True},
            {"oriented": True},
            {"threshold": 0.3, "oriented": True},
            {"threshold": 0.5},
            {"threshold": 0.9, "oriented": True},
        ),
    ),
    MethodCard(
        "found-seed",
        "FOUND, seed",
        "FOUND's background seed (Simeoni et al., CVPR 2023), nothing learned",
        FoundSeed,
        ({}, *({"threshold": value} for value in (0.2, 0.4, 0.5, 0.6, 0.8, 0.7, 0.9))),
    ),
    MethodCard(
        "found",
        "FOUND, trained",
        "FOUND's linear layer, taught by the seed and then by itself, without the solver",
        FoundRecipe,
        _FOUND_GRID,
        learn_found,
        {"solver": False},
    ),
    MethodCard(
        "found-solver",
        "FOUND, trained with solver",
        "FOUND's linear layer, its targets refined by the bilateral solver",
        FoundRecipe,
        _FOUND_GRID,
        learn_found,
        {"solver": True},
    ),
    MethodCard(
        "boundary",
        "colour prior",
        "boundary prior from colour alone, no network",
        Boundary,
        ({}, *({"threshold": value} for value in (0.2, 0.25, 0.35, 0.4, 0.15, 0.45, 0.5))),
    ),
    MethodCard(
        "centre",
        "centre box",
        "the middle of the image",
        CentreBox,
        ({}, *({"share": value} for value in (0.4, 0.5, 0.7, 0.8, 0.3, 0.65, 0.9))),
    ),
    MethodCard(
        "whole",
        "whole image",
        "everything is one object; for retrieval by whole images",
        WholeImage,
    ),
)

METHODS: dict[str, MethodCard] = {card.name: card for card in _CARDS}
"""All methods by name."""


def find_method(name: str) -> MethodCard:
    """Return the method of this name.

    Raises:
        InputError: if there is none.
    """
    return find("method", name, METHODS, "heap methods")
