"""What tables call protocols, their variants and their metrics."""

import re

from heap.evaluation.tables.layout import Column

_PROTOCOL = re.compile(r"(?P<base>.+-v\d+)(?:-(?P<variant>.+))?")
_TASKS = {
    "corloc": "discovery",
    "ap": "discovery",
    "odap": "discovery",
    "saliency": "saliency",
    "retrieval": "retrieval",
    "clustering": "retrieval",
}
HEADINGS = {
    "corloc": "CorLoc",
    "AP": "AP",
    "AP50": "AP50",
    "AP75": "AP75",
    "AR1": "AR1",
    "AR10": "AR10",
    "AR100": "AR100",
    "odap": "odAP",
    "accuracy": "Acc",
    "iou": "IoU",
    "max_f_found": "maxF as FOUND",
    "max_f_tokencut": "maxF as TokenCut",
    "max_f_sod": "maxF, classic",
    "max_f_unknown": "maxF, definition unknown",
    "mae": "MAE",
    "s_measure": "S",
    "miou": "mIoU",
}
"""In the order of the columns. The F-measures are not the same, and never share a column."""
_LEAST = ("mae",)
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
    """A protocol's name without its variant, and the variant."""
    parts = _PROTOCOL.fullmatch(protocol)
    return (parts["base"], parts["variant"] or "") if parts else (protocol, "")


def full_name(base: str, variant: str) -> str:
    """The name that was split."""
    return f"{base}-{variant}" if variant else base


def task_of(protocol: str) -> str:
    """Which table it belongs to; empty for none."""
    return _TASKS.get(protocol.partition("-")[0], "")


def in_words(task: str, variant: str) -> str:
    """What a variant is; empty for the plain protocol of most tasks."""
    words = _VARIANTS.get(task, {})
    return ", ".join(filter(None, (words.get(part, part) for part in variant.split("-"))))


def column_of(protocol: str, metric: str) -> Column:
    """The column of a metric."""
    return Column(HEADINGS.get(metric, metric), protocol, least=metric in _LEAST)


def metric_order(metric: str) -> int:
    """Its place among the columns of a protocol; unknown ones come last."""
    return list(HEADINGS).index(metric) if metric in HEADINGS else len(HEADINGS)
