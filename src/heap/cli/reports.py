"""Commands that show results: compare, tables and figure."""

from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from heap.base.errors import InputError
from heap.cli.app import err_console, out_console
from heap.cli.bars import Bars
from heap.cli.options import ANY_FEATURES, ANY_MACHINE, FeatureOptions, MachineOptions, bench_of
from heap.cli.printing import AsJson, print_json, print_table
from heap.cli.reading import Seed

if TYPE_CHECKING:
    from heap.benchmark.results.compare import Comparison


def compare(first: Path, /, *others: Path, as_json: AsJson = False) -> None:
    """Compare results: differences on the same images, with paired bootstrap 95 % intervals.

    The first result is compared with each of the others, in every protocol that both have.

    Example: heap compare heap.json found.json tokencut.json

    Args:
        first: Result of `heap evaluate`.
        others: Results of other methods on the same images.
        as_json: Print the differences as JSON on standard output, as fractions.
    """
    from heap.benchmark.protocols import PROTOCOLS
    from heap.benchmark.results.compare import compare_files

    comparisons = compare_files([first, *others], PROTOCOLS)
    if as_json:
        print_json([asdict(comparison) for comparison in comparisons])
        return
    for (ours, theirs), pair in groupby(comparisons, lambda row: (row.ours, row.theirs)):
        out_console.print(
            f"{ours}  against  {theirs}",
            style="bold",
        )
        print_table(
            ("protocol", "metric", "ours", "theirs", "difference", "95 % interval"),
            map(_difference, pair),
        )
    err_console.print("* the interval does not hold zero")


def tables(
    results: list[Path],
    /,
    *,
    table: list[str] | None = None,
    out: Path | None = None,
    figures: Path | None = None,
) -> None:
    """Print the tables of the field from results: ours beside what the peers published.

    Example: heap tables results/ --table saliency --figures charts/

    Args:
        results: Files that `heap evaluate` wrote, or folders of them.
        table: discovery, saliency, retrieval, several, regions, ablation, cost; all of them if none
            is named.
        out: Write the Markdown here instead of to standard output.
        figures: Draw each table as a PNG into this folder.
    """
    from heap.benchmark.results import read_results
    from heap.benchmark.tables import to_markdown_page as make_tables
    from heap.benchmark.tables.charts import write_charts

    read = [read_results(path) for path in _files(results)]
    text = make_tables(read, table)
    if out is None:
        out_console.print(text)
    else:
        out.write_text(text, encoding="utf-8")
        err_console.print(str(out))
    if figures is not None:
        figures.mkdir(parents=True, exist_ok=True)
        for path in write_charts(read, figures, table):
            err_console.print(str(path))


def figure(
    images: list[str],
    /,
    *,
    out: Path,
    method: list[str],
    masks: Path | None = None,
    features: FeatureOptions = ANY_FEATURES,
    settings: list[Path] | None = None,
    fit: list[str] | None = None,
    model: Path | None = None,
    seed: Seed = 0,
    machine: MachineOptions = ANY_MACHINE,
) -> None:
    """Draw what methods find, side by side: image, ground truth, objects, and regions in colours.

    Example: heap figure demo/photos --masks demo/masks --method tokencut --method heap
    --model models --out figure.jpg

    Args:
        images: Files, folders, globs, .txt lists or URLs; one row for each image.
        out: The picture, .jpg or .png.
        method: Methods, as `heap methods` lists them; one column each.
        masks: Folder of PNGs with the stems of the images; each value but 0 is an object.
        settings: JSON files with settings by method, as `heap tune` writes them.
        fit: Unlabelled images for methods that learn.
        model: Model of the method; with several methods the folder that `heap evaluate` has filled
            with a model for each.
        seed: Seed of methods that learn.
        features: The encoder and its features.
        machine: Where the work is done.
    """
    from heap.benchmark.run.bench import Entry
    from heap.benchmark.run.methods import find_method
    from heap.benchmark.run.tuning import read_tuned
    from heap.benchmark.tables.figure import figure_rows, read_objects
    from heap.images import decode, list_images
    from heap.report.comparison import draw_figure, file_kind

    file_kind(out)
    by_method = read_tuned(settings or [])
    cards = [find_method(name) for name in dict.fromkeys(method)]
    bench = bench_of(features, machine, fit)
    with Bars(err_console) as progress:
        methods = {}
        for card in cards:
            own = model / f"{card.name}-{seed}" if model and len(cards) > 1 else model
            entry = Entry(card, out, by_method.get(card.name, {}), seed, own)
            methods[card.label] = bench.learn(entry, progress).method
        pictures = [decode(source) for source in list_images(images)]
        rows = figure_rows(
            pictures,
            None if masks is None else [read_objects(masks, picture) for picture in pictures],
            [bench.see(picture).features for picture in pictures],
            methods,
        )
    draw_figure(rows, out)
    err_console.print(str(out))


def _difference(comparison: "Comparison") -> tuple[str, ...]:
    from heap.benchmark.tables.words import column_of

    gap, scale = comparison.difference, column_of(comparison.protocol, comparison.metric).scale
    sign = "" if gap.low <= 0 <= gap.high else " *"
    return (
        comparison.protocol,
        comparison.metric,
        f"{scale * comparison.our_value:.1f}",
        f"{scale * comparison.their_value:.1f}",
        f"{scale * gap.value:+.1f}{sign}",
        f"{scale * gap.low:+.1f} to {scale * gap.high:+.1f}",
    )


def _files(places: list[Path]) -> list[Path]:
    """Files of results among the places, and in folders among them, however deep."""
    files = []
    for place in places:
        inside = sorted(path for path in place.rglob("*.json*") if _is_result(path))
        files += inside if place.is_dir() else [place]
    if not files:
        raise InputError(f"there is no result in {', '.join(map(str, places))}")
    return files


def _is_result(path: Path) -> bool:
    return path.name.endswith((".json", ".json.gz")) and path.is_file()
