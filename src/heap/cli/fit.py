"""`heap fit`."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from heap.base.device import process_number
from heap.base.lock import refuse_busy
from heap.cli.about import hint_at_stronger
from heap.cli.app import err_console
from heap.cli.bars import Bars
from heap.cli.options import ANY_ENCODER, ANY_MACHINE, EncoderOptions, MachineOptions, Seconds
from heap.cli.printing import say_failed, say_skipped
from heap.cli.reading import Images, Seed, read_sections, set_options
from heap.config import (
    Cue,
    FeatureConfig,
    FitConfig,
    HeadConfig,
    LossConfig,
    Prior,
    from_dict,
)

LEAST_FIT = 0.1
"""Masks that follow their images less than this are seldom of use: 0 is what chance gives."""


def fit(
    images: Images,
    /,
    *,
    out: Path,
    features: EncoderOptions = ANY_ENCODER,
    cues: list[Cue] | None = None,
    groups: int | None = None,
    prior: Prior | None = None,
    steps: int | None = None,
    seed: Seed | None = None,
    settings: Path | None = None,
    timeout: Seconds = 60.0,
    machine: MachineOptions = ANY_MACHINE,
) -> None:
    """Fit a head on unlabelled images.

    Features are computed once and kept; the same command goes on where an earlier one was stopped.
    Copies and images without contrast are left out. A fit that collapsed, or that has nothing to
    learn from, says so and exits with 1. Several GPUs share the pass of the encoder.

    Example: heap fit photos/ --out model
    Example: accelerate launch -m heap fit photos/ --out model

    Args:
        images: Files, folders, globs, .txt lists or URLs.
        out: Folder of the model; new, empty, or that of an earlier fit.
        features: The encoder, and its features.
        cues: Hand-made channels to join: colour, boundary, position.
        groups: Group tokens, the largest number of regions in an image.
        prior: What tells foreground from background: none is a border test afterwards, auto tries
            several and keeps the one whose masks follow their images best.
        steps: Training steps.
        seed: Seed of everything that is drawn: 0.
        settings: JSON file with more settings under features, head, losses and fit; options win.
        machine: Where the work is done.
        timeout: Seconds that reading an image may take, and decoding it.
    """
    configs = _configs(
        features.encoder,
        read_sections(settings, ("features", "head", "losses", "fit")),
        features=features.chosen() | set_options(cues=cues),
        losses=set_options(prior=prior),
        head=set_options(groups=groups),
        fit=set_options(steps=steps, seed=seed),
    )
    # Of several processes, the others have the lock of the first to expect, and nothing to say.
    first = process_number() == 0
    if first:
        refuse_busy(out)
        hint_at_stronger(features.encoder)
    # Only now: this imports torch, and settings with a fault are to be refused at once.
    from heap.fitting.command import fit as run_fit

    with Bars(err_console) as progress:
        model = run_fit(
            images,
            out,
            features=configs.features,
            head=configs.head,
            losses=configs.losses,
            config=configs.fit,
            device=machine.device,
            precision=machine.precision,
            cache=machine.cache,
            timeout=timeout,
            on_skipped=say_skipped,
            on_progress=progress,
        )
    if not first:
        return
    print_priors(model.config.provenance)
    left = model.config.provenance["left_out"]
    if any(left.values()):
        err_console.print(
            f"Left out: {left['without_contrast']} images without contrast, {left['copies']} copies"
        )
    say_failed(out / "failed.jsonl")
    err_console.print(f"Model in {out}. Try: heap discover IMAGES --model {out} --out run")


class _Configs(NamedTuple):
    features: FeatureConfig
    head: HeadConfig
    losses: LossConfig
    fit: FitConfig


def _configs(
    encoder: str, settings: dict[str, dict[str, Any]], **options: dict[str, Any]
) -> _Configs:
    """Settings of a fit: those of the recipe, over them the settings file, over them options."""
    from heap.encoder.registry import recipe

    usual = recipe(encoder)

    def merge(part: str, recipe_values: Any) -> dict[str, Any]:
        return asdict(recipe_values) | settings[part] | options[part]

    return _Configs(
        from_dict(FeatureConfig, merge("features", usual.features(encoder))),
        from_dict(HeadConfig, merge("head", usual.head)),
        from_dict(LossConfig, merge("losses", usual.losses)),
        from_dict(FitConfig, merge("fit", usual.fit)),
    )


def print_priors(provenance: dict[str, Any]) -> None:
    """Say which prior was chosen among which; warn where none leads to masks that fit."""
    tried: dict[str, float | str] = provenance["priors"]
    if not tried:
        return
    scores = ", ".join(
        f"{prior} {100 * score:.1f}" if isinstance(score, float) else f"{prior} refused"
        for prior, score in tried.items()
    )
    chosen = provenance["losses"]["prior"]
    err_console.print(f"Prior: {chosen}. How well masks follow their images: {scores}")
    best = tried[chosen]
    if isinstance(best, float) and best < LEAST_FIT:
        err_console.print(
            "These masks hardly follow their images. Try another --encoder (`heap models`), "
            "--facet or --layer, or more varied images",
        )
