"""Colours that people with any colour vision can tell apart, on any photo."""

OBJECTS = ("#56B4E9", "#E69F00", "#CC79A7", "#F0E442", "#009E73", "#D55E00", "#7F7FFF")
"""Okabe and Ito's palette, its dark blue made lighter; used in turn for objects 0, 1, ..."""

REGIONS = (
    *("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377"),
    *("#BBBBBB", "#EE7733", "#009988", "#7733AA", "#DDCC77", "#882255"),
)
"""Paul Tol's bright scheme and parts of his vibrant and muted ones; used in turn for regions."""


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of `#RRGGBB`, in 0..255."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
