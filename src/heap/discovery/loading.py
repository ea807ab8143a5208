"""Model of a call of `discover`: loaded, or fitted on the images."""

from collections.abc import Callable
from pathlib import Path

from heap.base.errors import InputError
from heap.base.progress import OnProgress
from heap.base.timing import timed
from heap.config import Precision
from heap.encoder.registry import PACKAGED
from heap.fitting.command import fit
from heap.images import Limits
from heap.images.named import Images
from heap.model.heap import Heap


@timed("load the model")
def load_model(
    images: Images,
    out: Path | str,
    model: Heap | Path | str | None,
    encoder: str | None,
    device: str,
    precision: Precision,
    limits: Limits,
    on_fit: Callable[[Path], None],
    on_progress: OnProgress,
) -> Heap:
    """Load the model, or fit one on the images; see `discover`."""
    if isinstance(model, Heap):
        return model
    if model is not None or encoder in (None, *PACKAGED):
        name = model or encoder or PACKAGED[0]
        return Heap.from_pretrained(name, encoder=encoder, device=device, precision=precision)
    if isinstance(out, str):
        raise InputError(
            f"a head of {encoder} would be fitted beside the run, and {out} is no folder of this "
            "machine: fit one with `heap fit`, then name it with --model"
        )
    run = out.resolve()
    folder = run.with_name(run.name + "-model")
    waiting = [folder]

    def report(stage: str, done: int, total: int | None) -> None:
        # At the first progress, not before: a fit that is refused at once is not announced.
        if waiting:
            on_fit(waiting.pop())
        on_progress(stage, done, total)

    return fit(
        images,
        folder,
        encoder=encoder,
        device=device,
        precision=precision,
        timeout=limits.seconds,
        on_progress=report,
    )
