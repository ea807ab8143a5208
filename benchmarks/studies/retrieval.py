"""Search for objects against search for whole images: does it find things of the same class?

Each query is an object that `heap discover` has found and whose box has an IoU of at least 0.5 with
one of VOC's; its class is that of the box with the highest IoU. Search is `heap.store.search`
among all that was found in the other images, annotated or not. Its opponents compare whole images,
by `whole_images.VARIANTS` of the same encoder.

`retrieval-objects-v1` counts, among ten results:

- `object`: objects of the query's class, by the same IoU; one that matches nothing is a miss.
- `image`: images that show the query's class anywhere, where the images are ranked by their object
  that is most alike.
- `as objects`, `squeezed`, `pooled`, `mean`, `whitened`: the same of the images that are most alike
  as a whole.

All but `object` have the same images to find; `object` has a harder task. Precision is the mean
share of the ten, the hit rate the share of queries with at least one. Both are means over the six
classes of the protocol `retrieval-voc12-animals-v1`, and over the heads; queries of other classes
are left out. Intervals of differences are of paired resamples of the images that queries are from.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from benchmarks.animals import SET, Annotated, annotated, examples_in
from benchmarks.common import DATA, RUNS, Data, run_heap
from benchmarks.report import Row, about_data, gaps, markdown, rows_by
from benchmarks.study import Measured, Study
from benchmarks.tuned import ENCODERS, fitted_heads
from benchmarks.whole_images import VARIANTS, describe_all
from heap.benchmark.protocols.retrieval import ANIMALS
from heap.benchmark.results.estimate import OfSums
from heap.benchmark.truth import Example
from heap.store import schema
from heap.store.columns import read_rows as rows_of
from heap.store.columns import to_vectors, unit_vectors
from heap.store.search import nearest
from heap.store.store import RunStore

RESULTS_OF_A_SEARCH = 10
OURS = ("object", "image")
WAYS = (*OURS, *VARIANTS)
Ranking = Int64[np.ndarray, "image other"]
SCORES = ("precision", "hit_rate")
RESAMPLES = 2000


def bench(
    *,
    data: Data = DATA,
    encoder: Sequence[str] = tuple(ENCODERS),
    work: Path = RUNS / "peers",
) -> Measured:
    """Discover with every head, search for each object in both ways, and score.

    Args:
        data: Folder with `voc12-animals`; with `duts-tr` and `coco-val100` too if models are
            missing.
        encoder: Those of `peers` to do; rows of others are kept.
        work: Folder of `peers`, with its models; runs are added to it.
    """
    examples = examples_in(data)
    rows: list[Row] = []
    about = []
    for heads in fitted_heads(encoder, data, work):
        about.append(heads.about())
        place = work / heads.encoder / SET
        whole = describe_all(heads.heap, examples, place)
        ranked = {variant: _ranking(unit_vectors(vectors)) for variant, vectors in whole.items()}
        for head, model in enumerate(heads.models):
            run = place / model.name
            run_heap("discover", examples[0].image.parent, "--out", run, "--model", model)
            rows.append({"encoder": heads.encoder, "head": head} | queries(run, examples, ranked))
    return Measured(
        data=about_data(SET, [example.image for example in examples], "SegmentationClass"),
        encoder=about,
        rows=rows,
    )


def queries(run: Path, examples: Sequence[Example], ranked: Mapping[str, Ranking]) -> Row:
    """For every query its image, its class, and the number of results of each way in the class."""
    store = RunStore.open(run)
    known = annotated(run, examples)
    objects = rows_of(store.table(schema.OBJECTS), ["id", "key", "vector"]).sort_by("id")
    vector_of = dict(zip(objects["id"].to_pylist(), to_vectors(objects), strict=True))
    places = {example.key: place for place, example in enumerate(examples)}
    columns: dict[str, list[Any]] = {name: [] for name in ("images", "of", *WAYS)}
    for id, kind in sorted(known.classes.items()):
        key = id.rpartition("#")[0]
        others = f"key != '{key}'"
        hits = nearest(store, vector_of[id], len(vector_of), where=others, exact=True)
        first = hits[:RESULTS_OF_A_SEARCH]
        counts = {
            "object": sum(known.classes.get(hit.id) == kind for hit in first),
            "image": _showing([hit.key for hit in hits], kind, known),
        } | {
            name: _showing([examples[at].key for at in ranking[places[key]]], kind, known)
            for name, ranking in ranked.items()
        }
        for name, value in ({"images": places[key], "of": kind} | counts).items():
            columns[name].append(value)
    packed = {name: " ".join(map(str, column)) for name, column in columns.items()}
    return {"objects": objects.num_rows} | packed


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Scores by encoder: means over classes and heads, differences, and every class."""
    return {name: _summary(of) for name, of in rows_by(rows, "encoder").items()}


def _summary(heads: list[Row]) -> dict[str, Any]:
    scored = {way: _values(heads, ANIMALS, way) for way in WAYS}
    asked = Counter(kind for row in heads for kind in row["of"].split() if kind in ANIMALS)
    return {
        "mean": {way: scored[way].value() for way in WAYS},
        "ahead_of": {
            name: {way: gaps(scored[way], scored[name]) for way in OURS} for name in VARIANTS
        },
        "objects": sum(row["objects"] for row in heads) / len(heads),
        "queries": asked.total() / len(heads),
        "classes": {
            kind: {way: _values(heads, [kind], way).value() for way in WAYS}
            | {"queries": asked[kind] / len(heads)}
            for kind in sorted(asked)
        },
    }


def _values(heads: Sequence[Row], kinds: Sequence[str], way: str) -> OfSums:
    """Means over classes and heads, where the images of queries can be drawn."""
    images = 1 + max(int(image) for row in heads for image in row["images"].split())
    states: Float64[np.ndarray, "image head kind 3"] = np.zeros((images, len(heads), len(kinds), 3))
    for head, row in enumerate(heads):
        of = zip(row["images"].split(), row["of"].split(), row[way].split(), strict=True)
        for image, kind, count in of:
            if kind in kinds:
                state = (1, int(count) / RESULTS_OF_A_SEARCH, int(count) > 0)
                states[int(image), head, kinds.index(kind)] += state

    def compute(total: Float64[np.ndarray, " state"]) -> list[float]:
        asked, *scores = total.reshape(-1, 3).T
        # What a resample has no query of has no part in its mean.
        return [float((score[asked > 0] / asked[asked > 0]).mean()) for score in scores]

    return OfSums(SCORES, states.reshape(images, -1), compute, RESAMPLES)


def table(summary: dict[str, Any]) -> str:
    """Precision and hit rate of each way, by encoder and class, in Markdown."""
    names = [f"{score}, {way}" for score in ("precision@10", "hit rate@10") for way in WAYS]
    header = ("encoder", "class", "queries", *names)
    lines = []
    for encoder, of in summary.items():
        named = {"mean": of["mean"] | {"queries": of["queries"]}} | of["classes"]
        for kind, cell in named.items():
            figures = [f"{100 * cell[way][score]:.1f}" for score in SCORES for way in WAYS]
            lines.append((encoder, kind, f"{cell['queries']:.0f}", *figures))
    return markdown(header, lines)


def _showing(images: Sequence[str], kind: str, known: Annotated) -> int:
    """Number of the first images that show a class; each image counts once."""
    return sum(kind in known.shown[key] for key in [*dict.fromkeys(images)][:RESULTS_OF_A_SEARCH])


def _ranking(whole: Float32[np.ndarray, "image dim"]) -> Ranking:
    """For every image the others, most alike first."""
    like = whole @ whole.T
    np.fill_diagonal(like, np.inf)
    return np.argsort(-like, axis=1, kind="stable")[:, 1:]


STUDY = Study("retrieval-objects-v1", bench, summarise, lambda report: table(report["summary"]))
