"""The `heap` command: thin commands over the Python functions; only this module prints."""

import json
import logging
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import cyclopts
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from heap.bars import Bars
from heap.config import (
    Cue,
    DiscoverConfig,
    Facet,
    FeatureConfig,
    FitConfig,
    HeadConfig,
    LossConfig,
    Precision,
    Prior,
    Saved,
    from_dict,
)
from heap.errors import ConfigError, HeapError, InputError
from heap.pretrain.config import PretrainConfig

app = App(
    name="heap",
    help="Find the objects in unlabelled images. Start with `heap discover PHOTOS --out RUN`, then "
    "open RUN/gallery.html. `--debug` after any command shows where an error came from.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)
out_console = Console()
err_console = Console(stderr=True)

Images = list[str]


# A single hyphen is standard input; `discover` refuses the other ones itself.
ImagesOrInput = Annotated[Images, Parameter(allow_leading_hyphen=True)]


@app.command
def discover(
    images: ImagesOrInput,
    /,
    *,
    out: Path = Path("heap-run"),
    model: str | None = None,
    encoder: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    limit: Annotated[int | None, Parameter(validator=cyclopts.validators.Number(gte=1))] = None,
    threshold: float = DiscoverConfig().threshold,
    min_area: float = DiscoverConfig().min_area,
    merge: float | None = None,
    refine: bool = True,
    save: list[Saved] | None = None,
    strict: bool = False,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> int:
    """Find the objects in images: masks, boxes, regions, overlays and a gallery.

    The same command goes on where an earlier one was stopped. Without --model the one inside the
    package is used, or, for another --encoder, one that is fitted on the given images first.

    Example: heap discover ~/Pictures --out run

    Args:
        images: Files, folders, globs, .txt lists, URLs, or - for one image on standard input.
        out: Folder of the run.
        model: Folder that `heap fit` has written, or owner/name on the hub.
        encoder: Encoder to fit on the images, or where that of --model is now.
        device: cpu, cuda, mps or auto.
        precision: auto uses bf16 where the processor has it.
        limit: Work on at most so many images.
        threshold: Foreground probability above which a patch belongs to an object.
        min_area: Objects smaller than this fraction of the image are left out.
        merge: Adjacent foreground regions with a higher cosine are one object; the model knows.
        refine: Let masks follow the edges of the image.
        save: Pictures to write: overlays, regions, masks.
        strict: Exit with 1 if any image failed.
        as_json: Print the summary as JSON on standard output.
    """
    if unknown := [image for image in images if image.startswith("-") and image != "-"]:
        raise InputError(f"unknown option {unknown[0]}; a file of this name is ./{unknown[0]}")
    chosen = _given(threshold=threshold, min_area=min_area, merge=merge, refine=refine, save=save)
    from_dict(DiscoverConfig, chosen)  # What is wrong with it is said before anything is loaded.
    from heap.device import choose_device
    from heap.discover import discover as run_discover
    from heap.fit.command import fit as run_fit
    from heap.model.heap import Heap

    where = choose_device(device)
    with Bars(err_console) as progress:
        if model is None and encoder not in (None, "embedded"):
            whole = out.resolve()
            fitted = whole.with_name(whole.name + "-model")
            err_console.print(
                f"No head was ever fitted on {encoder}: fitting one on these images in {fitted}"
            )
            found = run_fit(
                images,
                fitted,
                encoder=encoder,
                device=where,
                precision=precision,
                on_progress=progress,
            )
        else:
            found = Heap.from_pretrained(
                model or "embedded", encoder=encoder, device=where, precision=precision
            )
        config = from_dict(DiscoverConfig, asdict(found.defaults) | chosen)
        run = run_discover(found, images, out, config=config, limit=limit, on_progress=progress)
    _summarise(run, as_json)
    return 1 if strict and run.counts.failed else 0


@app.command
def fit(
    images: Images,
    /,
    *,
    out: Path,
    encoder: str = "embedded",
    layer: int | None = None,
    facet: Facet | None = None,
    resolution: int | None = None,
    square: bool | None = None,
    cues: list[Cue] | None = None,
    groups: int | None = None,
    prior: Prior | None = None,
    steps: int | None = None,
    seed: int = 0,
    settings: Path | None = None,
    cache: Path | None = None,
    device: str = "auto",
    precision: Precision = "auto",
) -> None:
    """Fit a head on unlabelled images.

    Features are computed once and kept; the same command goes on where an earlier one was stopped.
    A fit that collapsed says so and exits with 1.

    Example: heap fit photos/ --out model --encoder dino-vits16

    Args:
        images: Files, folders, globs, .txt lists or URLs.
        out: Folder of the model.
        encoder: Alias (`heap models`), hub name or folder.
        layer: Block of the encoder, from 0; negative counts from the last.
        facet: Key projection of the block, or its output token.
        resolution: Side of the square whose area images are resized to.
        square: Squeeze images to that square.
        cues: Hand-made channels to join: colour, boundary, position.
        groups: Group tokens, the largest number of regions in an image.
        prior: What tells foreground from background; none is a border test afterwards.
        steps: Training steps.
        seed: Seed of everything that is drawn.
        settings: JSON file with more settings under features, head, losses and fit.
        cache: Folder of the feature store.
        device: cpu, cuda, mps or auto.
        precision: auto uses bf16 where the processor has it.
    """
    from heap.device import choose_device
    from heap.encoder.registry import recipe

    more = _read_sections(settings, ("features", "head", "losses", "fit"))
    usual = recipe(encoder)
    chosen = _given(layer=layer, facet=facet, resolution=resolution, cues=cues, square=square)
    features = from_dict(FeatureConfig, asdict(usual.features(encoder)) | chosen | more["features"])
    head = from_dict(HeadConfig, asdict(usual.head) | _given(groups=groups) | more["head"])
    losses = from_dict(LossConfig, asdict(usual.losses) | _given(prior=prior) | more["losses"])
    training = _given(steps=steps, seed=seed)
    config = from_dict(FitConfig, asdict(usual.fit) | training | more["fit"])
    # Only now: this imports torch, and settings with a fault are to be refused at once.
    from heap.fit.command import fit as run_fit

    with Bars(err_console) as progress:
        run_fit(
            images,
            out,
            features=features,
            head=head,
            losses=losses,
            config=config,
            device=choose_device(device),
            precision=precision,
            cache=cache,
            on_progress=progress,
        )
    if (out / "failed.jsonl").stat().st_size:
        err_console.print(f"Some images could not be used: {out / 'failed.jsonl'}")
    err_console.print(f"Model in {out}. Try: heap discover IMAGES --model {out} --out run")


@app.command
def pretrain(
    images: Images,
    /,
    *,
    out: Path,
    architecture: str = PretrainConfig().architecture,
    start: str | None = None,
    steps: int = PretrainConfig().steps,
    minutes: float | None = None,
    batch: int = PretrainConfig().batch,
    learning_rate: float = PretrainConfig().learning_rate,
    quality: Path | None = None,
    quality_every: int = 1000,
    seed: int = 0,
    settings: Path | None = None,
) -> None:
    """Pretrain a small encoder on unlabelled images.

    Self-distillation: patches predict what is foreground, at first from colour and later from the
    teacher itself; with the settings image_weight and patch_weight also DINO's and iBOT's losses.
    The same command goes on where an earlier one was stopped. The result is a folder that `heap fit
    --encoder` takes, and transformers too.

    Example: heap pretrain photos/ --start embedded --learning-rate 5e-4 --steps 500 --out encoder
    Example: heap fit photos/ --encoder encoder --out model

    Args:
        images: Files, folders, globs, .txt lists or URLs, or packs that `heap pack` made.
        out: Folder of the encoder.
        architecture: resnet, vit or segformer, or a folder with a config.json of transformers.
        start: Go on from the weights of this encoder: embedded, or a folder.
        steps: Training steps.
        minutes: Stop after so long even if steps are left; the schedule follows the clock.
        batch: Images in a step, on each device.
        learning_rate: Peak rate; go on from trained weights with a quarter of the default.
        quality: Folder with images/ and masks/ to score TokenCut and a quick head on.
        quality_every: Steps between such scores.
        seed: Seed of everything that is drawn.
        settings: JSON file with more settings.
    """
    values: dict[str, Any] = {"steps": steps, "batch": batch, "seed": seed, "minutes": minutes}
    values |= {"architecture": architecture, "learning_rate": learning_rate}
    values |= _read_settings(settings)
    config = from_dict(PretrainConfig, values)
    from heap.pretrain.command import pretrain as run_pretrain

    with Bars(err_console) as progress:
        run_pretrain(
            images,
            out,
            config,
            start=start,
            quality=quality,
            quality_every=quality_every,
            on_progress=progress,
        )
    err_console.print(f"Encoder in {out}. Try: heap fit IMAGES --encoder {out} --out model")


@app.command
def pack(
    images: Images,
    /,
    *,
    out: Path,
    side: int = 128,
    megabytes: Annotated[float, Parameter(validator=cyclopts.validators.Number(gt=0))] = 60,
) -> None:
    """Pack images into few files that `heap pretrain` takes on another machine.

    Squares, decoded, with their colour priors: such a machine needs no more than torch,
    transformers, accelerate, safetensors, NumPy and jaxtyping, and runs
    `python -m heap.pretrain PACKS --out ENCODER --minutes 10`.

    Example: heap pack photos/ --out photos.pack

    Args:
        images: Files, folders, globs, .txt lists or URLs.
        out: What the packs are called: OUT-001.safetensors and so on.
        side: Side of the squares, in pixels.
        megabytes: Largest pack; more images go into more packs.
    """
    from heap.pretrain.command import pack as run_pack

    with Bars(err_console) as progress:
        paths = run_pack(
            images, out, side=side, most_bytes=int(megabytes * 1e6), on_progress=progress
        )
    for path in paths:
        out_console.print(str(path), markup=False, highlight=False, soft_wrap=True)


@app.command
def models() -> None:
    """List the encoders that have a short name, and whether they are on this machine."""
    from heap.encoder.registry import CARDS, is_local

    table = Table("alias", "family", "params", "patch", "dim", "licence", "here", box=None)
    for card in CARDS.values():
        here = "yes" if is_local(card) else "no"
        size = f"{card.parameters:g} M"
        table.add_row(
            card.alias, card.family, size, str(card.patch), str(card.dim), card.licence, here
        )
    out_console.print(table)


@app.command
def doctor(*, network: bool = False) -> int:
    """Check what this machine has: torch, bf16, codecs, weights, cache.

    Args:
        network: Also ask whether the hub can be reached.
    """
    from heap.doctor import check

    findings = check(network)
    table = Table("", "what", "found", "what to do")
    for each in findings:
        table.add_row("ok" if each.ok else "!!", each.what, each.value, each.hint)
    out_console.print(table)
    return 0 if all(each.ok for each in findings) else 1


def _summarise(run: Any, as_json: bool) -> None:
    counts = asdict(run.counts)
    if as_json:
        about = {**counts, "images_per_second": round(run.rate, 2), "run": str(run.folder)}
        sys.stdout.write(json.dumps(about) + "\n")
        return
    err_console.print(
        f"{counts['done']} images with {counts['objects']} objects, {counts['empty']} without, "
        f"{counts['failed']} failed; {run.rate:.1f} images per second"
    )
    if counts["failed"]:
        err_console.print(f"Why images failed: {run.folder / 'failed.jsonl'}")
    err_console.print(f"Open {run.folder / 'gallery.html'}; COCO: {run.folder / 'objects.json'}")


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given; for the others the recipe of the encoder decides."""
    return {name: value for name, value in options.items() if value is not None}


def _read_settings(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"--settings {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"--settings {path} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"--settings {path} must hold a JSON object")
    return values


def _read_sections(path: Path | None, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    values = _read_settings(path)
    if wrong := [key for key in values if key not in names or not isinstance(values[key], dict)]:
        raise ConfigError(
            f"--settings {path}: {', '.join(map(repr, wrong))} cannot be used; the file holds "
            f"JSON objects named {', '.join(names)}"
        )
    return {name: values.get(name, {}) for name in names}


def main() -> None:
    """Run the command line; errors are one line and an exit code, with --debug a traceback."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    logging.basicConfig(level=logging.DEBUG if debug else logging.ERROR, stream=sys.stderr)
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    try:
        result = app(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.exit(result if isinstance(result, int) else 0)
    except (HeapError, cyclopts.CycloptsError) as error:
        if debug:
            traceback.print_exc()
        err_console.print(f"heap: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code if isinstance(error, HeapError) else 2)
    except OSError as error:
        if debug:
            traceback.print_exc()
        hint = "check the space and permissions, then repeat the command: it goes on from here"
        err_console.print(f"heap: {error}; {hint}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        err_console.print("heap: interrupted; the same command goes on from here")
        sys.exit(130)
