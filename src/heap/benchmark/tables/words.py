"""Words of tables for protocols, their variants and their metrics."""

import re

from heap.benchmark.tables.layout import Column

_PROTOCOL = re.compile(r"(?P<base>.+-v\d+)(?:-(?P<variant>.+))?")
_TASKS = {
    "corloc": "discovery",
    "ap": "discovery",
    "odap": "discovery",
    "recall": "discovery",
    "false": "discovery",
    "several": "several",
    "separation": "several",
    "saliency": "saliency",
    "retrieval": "retrieval",
    "clustering": "retrieval",
    "regions": "regions",
    "region": "regions",
}
_TITLES = {"several": "Several objects"}
_BOXES = (1, 2, 3, 5, 10)
HEADINGS = {
    "corloc": "CorLoc",
    "AP": "AP",
    "AP50": "AP50",
    "AP75": "AP75",
    "AR1": "AR1",
    "AR10": "AR10",
    "AR100": "AR100",
    "odap": "odAP",
    "recall": "recall",
    "alarms": "false alarms",
    **{f"recall_{count}": f"recall@{count}" for count in _BOXES},
    **{f"boxes_{count}": f"number of boxes@{count}" for count in _BOXES},
    "pairs_separated": "pairs apart",
    "images_separated": "images all apart",
    "pairs_in_two_regions": "pairs in two regions",
    "purity": "purity of regions",
    "purity_floor": "purity of one region",
    "objects": "number of objects",
    "regions": "number of regions",
    "accuracy": "Acc",
    "iou": "IoU",
    "max_f_found": "maxF as FOUND",
    "max_f_tokencut": "maxF as TokenCut",
    "max_f_sod": "maxF, classic",
    "max_f_unknown": "maxF, definition unknown",
    "mae": "MAE",
    "s_measure": "S",
    "miou": "mIoU",
    "recall_1_features": "R@1, features",
    "recall_10_features": "R@10, features",
    "precision_10_features": "P@10, features",
    "recall_1_head": "R@1, head",
    "recall_10_head": "R@10, head",
    "precision_10_head": "P@10, head",
    "iou_oracle": "IoU of regions chosen by truth",
}
"""Headings of metrics, in the order of the columns. The F-measures differ by definition, and never
share a column."""
_LEAST = ("mae", "alarms")
_OF_SPLIT = "alarms_"
"""Beginning of the metrics of false alarms in one split."""
_NUMBERS = {"objects", "regions", *(f"boxes_{count}" for count in _BOXES)}
"""Metrics that are mean numbers of something; all others are fractions."""
_OF_DATA = ("purity_floor",)
"""Metrics that depend on the data alone, and not on the method."""
_VARIANTS = {
    "saliency": {
        "single": "largest part only",
        "guided": "guided filter",
        "solver": "bilateral solver",
    },
    "discovery": {"guided": "guided filter"},
    "retrieval": {
        "": "objects as found",
        "single": "all of an image as one object",
        "parts": "connected parts as objects",
        "solver": "bilateral solver",
    },
}


def split_name(protocol: str) -> tuple[str, str]:
    """Split the name of a protocol into the name without variant, and the variant."""
    parts = _PROTOCOL.fullmatch(protocol)
    return (parts["base"], parts["variant"] or "") if parts else (protocol, "")


def task_of(protocol: str) -> str:
    """Kind of the table that a protocol belongs to; empty for none."""
    return _TASKS.get(protocol.partition("-")[0], "")


def variant_in_words(task: str, variant: str) -> str:
    """Describe a variant; empty for the plain protocol of most tasks."""
    words = _VARIANTS.get(task, {})
    return ", ".join(filter(None, (words.get(part, part) for part in variant.split("-"))))


def title_of(task: str) -> str:
    """Beginning of the titles of the tables of a task."""
    return _TITLES.get(task, task.capitalize())


def column_of(protocol: str, metric: str) -> Column:
    """Return the column of a metric."""
    if metric in _NUMBERS:
        return Column(HEADINGS[metric], protocol, scale=1.0, ranked=False)
    if metric in _OF_DATA:
        return Column(HEADINGS[metric], protocol, ranked=False)
    if metric.startswith(_OF_SPLIT):
        heading = f"{HEADINGS['alarms']}, {metric.removeprefix(_OF_SPLIT)}"
        return Column(heading, protocol, least=True)
    return Column(HEADINGS.get(metric, metric), protocol, least=metric in _LEAST)


def metric_order(metric: str) -> int:
    """Place of a metric among the columns of a protocol; unknown ones come last."""
    return list(HEADINGS).index(metric) if metric in HEADINGS else len(HEADINGS)
