"""The fitted models of `bench_peers`, which other benchmarks use too."""

from pathlib import Path

from benchmarks.bench_peers import SEEDS, Set, evaluate, studied, tune

LABELS = {
    "embedded": "DINOv2-S, restored",
    "embedded-small": "Embedded, small",
    "vit-tiny-supervised": "Supervised ViT-Ti",
}
"""Labels of the encoders in tables."""
_QUICK = Set("coco-val100", "coco:{}/coco-val100", "COCO val2017, 100 images", ("corloc-found-v1",))
"""Data and protocol of calls of `heap evaluate` that are made only to fit models."""


def fitted_models(encoder: str, data: Path, work: Path) -> list[Path]:
    """Folders of the models of an encoder, one for each seed; those that are missing are fitted.

    Args:
        encoder: One of `bench_peers.ENCODERS`.
        data: Folder with `duts-tr` and `coco-val100`, if a model is missing.
        work: Folder of features, models and trials, that of `bench_peers`.
    """
    (method,) = studied(("heap",), encoder)
    models = [work / encoder / "models" / f"{method}-{seed}" for seed in SEEDS]
    if not all(path.exists() for path in models):
        tune(method, encoder, data, work)
        evaluate((method,), encoder, _QUICK, data, work / encoder / "fitted", work)
    return models
