"""Chart of `throughput`: processor time of an image by stages, beside the bare encoder."""

from io import BytesIO
from typing import Any

_PASSES = {"encoder": "#4477AA", "encoder on objects": "#66CCEE"}
_COLOURS = ("#EE6677", "#228833", "#CCBB44", "#AA3377", "#EE7733", "#009988")
_REST, _BEFORE = "#BBBBBB", "#DDDDDD"


def draw_chart(summary: dict[str, Any]) -> bytes:
    """PNG with a panel for each encoder: bare, now by its largest stages, and before."""
    from matplotlib.figure import Figure

    figure = Figure((5 * len(summary), 4.4), layout="constrained")
    for axes, (name, figures) in zip(
        figure.subplots(1, len(summary), squeeze=False)[0], summary.items(), strict=True
    ):
        ms = figures["ms"]
        axes.barh("bare encoder", ms["bare"], color=_PASSES["encoder"])
        left = 0.0
        for stage, value, colour in _parts(figures["stages_ms"]):
            axes.barh("now", value, left=left, color=colour, label=f"{stage}, {value:.0f} ms")
            left += value
        if "before" in ms:
            axes.barh("before", ms["before"], color=_BEFORE)
        axes.set_title(f"{name}: bare encoder / whole = {figures['share']:.2f}")
        axes.set_xlabel("processor time of an image, ms")
        axes.invert_yaxis()
        axes.legend(fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.45, -0.2))
    png = BytesIO()
    # Without the version of matplotlib: the same results give the same bytes.
    figure.savefig(png, format="png", dpi=90, metadata={"Software": None})
    return png.getvalue()


def _parts(stages: dict[str, float]) -> list[tuple[str, float, str]]:
    """Stages with their times and colours: passes of the encoder, the largest others, the rest."""
    passes = [(stage, stages[stage], colour) for stage, colour in _PASSES.items()]
    others = [stage for stage in stages if stage not in _PASSES]
    largest, rest = others[: len(_COLOURS)], others[len(_COLOURS) :]
    parts = [
        (stage, stages[stage], colour) for stage, colour in zip(largest, _COLOURS, strict=False)
    ]
    return [*passes, *parts, ("the rest", sum(stages[stage] for stage in rest), _REST)]
