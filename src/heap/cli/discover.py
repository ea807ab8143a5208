"""`heap discover`."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cyclopts
from cyclopts import Parameter

from heap.base.errors import InputError
from heap.base.files import inside
from heap.base.lock import refuse_busy
from heap.base.timing import StageTime, Timing
from heap.cli.about import hint_at_stronger
from heap.cli.app import app, err_console
from heap.cli.bars import Bars, speed_text
from heap.cli.options import Seconds
from heap.cli.printing import AsJson, print_json, print_table
from heap.cli.reading import Images, set_options
from heap.config import ClusterConfig, DiscoverConfig, Engine, Precision, Saved, from_dict

if TYPE_CHECKING:
    from heap.discovery.outcome import News

_NAMED = 3
"""Images that a line names."""

# A single hyphen is standard input, and files may be called so; `discover` refuses other words.
ImagesOrInput = Annotated[Images, Parameter(allow_leading_hyphen=True)]

_NOTES = 5
"""Kinds of notes in the summary."""


def discover(
    images: ImagesOrInput,
    /,
    *,
    out: str = "heap-run",
    model: str | None = None,
    encoder: str | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    limit: Annotated[int | None, Parameter(validator=cyclopts.validators.Number(gte=1))] = None,
    timeout: Seconds = 60.0,
    resolution: int | None = None,
    threshold: float = DiscoverConfig().threshold,
    min_area: float = DiscoverConfig().min_area,
    merge: float | None = None,
    min_score: float | None = None,
    proposals: int = DiscoverConfig().proposals,
    refine: bool = True,
    save: list[Saved] | None = None,
    prune: Annotated[bool, Parameter(negative=())] = False,
    engine: Engine = "local",
    address: str | None = None,
    workers: int | None = None,
    worker_cpus: float = ClusterConfig().cpus,
    worker_gpus: float = ClusterConfig().gpus,
    strict: bool = False,
    profile: Annotated[bool, Parameter(negative=())] = False,
    as_json: AsJson = False,
) -> int:
    """Find the objects in images: masks, boxes, regions, overlays and a gallery.

    The same command goes on where an earlier one was stopped, tries images again that failed, and
    works again on those that have changed. Without --model the one inside the package is used, or,
    for another --encoder, one that is fitted on the given images first. If every image failed it
    exits with 1.

    Example: heap discover ~/Pictures --out run

    Args:
        images: Files, folders, globs, .txt lists, URLs, or - for one image on standard input.
        out: Folder of the run, or its URL in an object store.
        model: Of the package, embedded, embedded-medium, which takes half of the time, or
            embedded-small, which takes a tenth and finds less; a folder that `heap fit` has
            written; or owner/name on the hub.
        encoder: Encoder to fit on the images (`heap fit --help`), or where that of --model is now.
        device: cpu, openvino (the processor too, quicker, an extra), cuda, mps or auto.
        precision: auto uses bf16 where the processor has it.
        limit: Work on at most so many images.
        timeout: Seconds that reading an image may take, and decoding it.
        resolution: Side in pixels of the square that an image has the area of for the model; more
            than the 448 of embedded shows smaller things, and takes longer.
        threshold: Foreground probability above which a patch belongs to an object.
        min_area: Objects smaller than this fraction of the image are left out.
        merge: Neighbouring parts with a higher cosine are one object; lower it to split less.
        min_score: An image whose best object scores lower has none; the model knows.
        proposals: Further guesses for each image, at lower scores; they overlap.
        refine: Let masks follow the edges of the image.
        save: Pictures to write: overlays, regions, masks.
        prune: Drop images from the run that are no longer where they were.
        engine: ray spreads the work over the machines of a cluster, see docs/cluster.md.
        address: Address of the cluster; auto is that of this machine, none is this machine alone.
        workers: Most workers on the cluster; otherwise as many as fit.
        worker_cpus: Cores of a worker.
        worker_gpus: GPUs of a worker; two of 0.5 share one.
        strict: Exit with 1 if any image failed.
        profile: Print the time that each stage took, of the processor and by the clock.
        as_json: Print the summary as JSON on standard output.
    """
    if unknown := [image for image in images if _looks_like_option(image)]:
        raise InputError(_unknown(unknown[0]))
    chosen = set_options(
        threshold=threshold, min_area=min_area, merge=merge, refine=refine, save=save
    )
    chosen |= set_options(min_score=min_score, proposals=proposals, resolution=resolution)
    cluster = None
    if engine == "ray":
        asked = set_options(address=address, workers=workers)
        asked |= {"cpus": worker_cpus, "gpus": worker_gpus}
        cluster = from_dict(ClusterConfig, asked)
    # Wrong settings are refused before anything is loaded, which takes seconds.
    from_dict(DiscoverConfig, chosen)
    refuse_busy(Path(out))
    from heap.discovery.command import discover as run_discover

    if model is None:
        hint_at_stronger(encoder or "embedded")

    def on_fit(folder: Path) -> None:
        text = f"No head was ever fitted on {encoder}: fitting one on these images in {folder}"
        err_console.print(text)

    timing = Timing()
    with timing if profile else nullcontext(), Bars(err_console) as progress:
        run = run_discover(
            images,
            out,
            model=model,
            encoder=encoder,
            device=device,
            precision=precision,
            config=chosen,
            limit=limit,
            timeout=timeout,
            prune=prune,
            engine=engine,
            cluster=cluster,
            on_fit=on_fit,
            on_progress=progress,
        )
    _summarise(run, timing.times() if profile else None, as_json)
    return 1 if not run.usable or (strict and run.counts.failed) else 0


def _looks_like_option(image: str) -> bool:
    return image.startswith("-") and image != "-" and not os.path.lexists(image)


def _unknown(option: str) -> str:
    """Message about an unknown option, which cyclopts takes for an image."""
    arguments = app["discover"].assemble_argument_collection()
    names = [name for argument in arguments for name in argument.names if name.startswith("--")]
    begun = [name for name in names if len(option) > 1 and name.startswith(f"--{option[1:]}")]
    name = option.partition("=")[0]
    close = get_close_matches(name, names, n=1) or begun[:1]
    meant = f"; did you mean {close[0]}?" if close else ";"
    return f"unknown option {name}{meant} a file of this name is ./{name}"


def _summarise(run: Any, times: list[StageTime] | None, as_json: bool) -> None:
    counts = asdict(run.counts)
    if as_json:
        rate = round(run.rate, 2)
        about = {**counts, "notes": run.notes, "images_per_second": rate, "run": str(run.place)}
        profile = {} if times is None else {"profile": [asdict(row) for row in times]}
        print_json(about | asdict(run.news) | profile)
        return
    err_console.print(
        f"{counts['done']} images with {counts['objects']} objects, {counts['empty']} without, "
        f"{counts['failed']} failed" + (f"; {speed_text(run.rate)}" if run.rate else "")
    )
    if run.notes:
        said = [f"{note} ({count})" for note, count in Counter(run.notes).most_common(_NOTES)]
        more = ["..."] if len(run.notes) > _NOTES else []
        err_console.print(f"Notes on images, each in objects.json: {', '.join(said + more)}")
    for line in _told(run.news):
        err_console.print(line)
    if counts["failed"]:
        err_console.print(f"Why images failed: {inside(run.place, 'failed.jsonl')}")
    if not run.usable:
        err_console.print("None of these images could be used.")
        return
    gallery, coco = inside(run.place, "gallery.html"), inside(run.place, "objects.json")
    err_console.print(f"Open {gallery}; to correct it: heap serve {run.place}; COCO: {coco}")
    if times is not None:
        _show_times(times)


def _show_times(times: list[StageTime]) -> None:
    rows = [
        (row.stage, f"{row.processor:.2f}", f"{row.wall:.2f}", f"{row.share:.1%}") for row in times
    ]
    print_table(("stage", "processor, s", "wall, s", "share"), rows)


def _told(news: "News") -> Iterator[str]:
    if news.skipped:
        from heap.images.skipped import Skipped

        yield f"Passed over: {Skipped(news.skipped)}"
    if news.changed:
        yield f"{len(news.changed)} changed since and were done again: {_few(news.changed)}"
    if news.gone:
        advice = "dropped" if news.pruned else "--prune drops them from the run"
        yield f"{len(news.gone)} are no longer where they were ({advice}): {_few(news.gone)}"


def _few(keys: Sequence[str]) -> str:
    return ", ".join(keys[:_NAMED]) + (", ..." if len(keys) > _NAMED else "")
