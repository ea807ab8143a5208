"""Python in which a model is loaded, and which forks for every program that it reads.

Run as `console.py MODEL PHOTO RUN ENCODER`: a program is a line of JSON with its code and working
directory, the answer a line with its error, empty if there was none. Only what versions of the
package have had all along is used here.
"""

import faulthandler
import json
import os
import pickle
import signal
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import heap
from heap.config import FitConfig, HeadConfig, LossConfig
from heap.images import decode, list_images

LIMIT = 40
"""Seconds that a program may take."""


def load(model: str, photo: str, run: str, encoder: str) -> dict[str, Any]:
    """Return the names that a program has from the start."""
    # Large enough for all threads of OpenMP, which no fork takes with it.
    torch.randn(800, 800) @ torch.randn(800, 800)
    loaded: Any = heap.Heap.from_pretrained(model, precision="fp32")
    (source,) = list_images(photo)
    picture = decode(source)
    (wanted,) = loaded([picture])
    with Image.open(photo) as image:
        pixels = np.array(image)

    # The package has had two ways to write these.
    def discover(images: Any, out: str = "out") -> Any:
        if hasattr(loaded, "discover"):
            return loaded.discover(images, out)
        return heap.discover(images, out, model=loaded)

    def fit(images: Any, encoder: str | None = None) -> Any:
        features = loaded.config.features
        fitting: Any = getattr(heap.Heap, "fit", heap.fit)
        return fitting(
            images, "fitted", precision="fp32",
            # Cues that outweigh the features: some encoders here have random weights.
            features=replace(features, encoder=encoder or features.encoder, cue_weight=10.0),
            head=HeadConfig(groups=4, blocks=1, heads=2, width=16),
            losses=LossConfig(prior="boundary"), config=FitConfig(steps=3, batch=6),
        )  # fmt: skip

    def same(*results: Any) -> bool:
        return all(
            np.array_equal(result.objects.boxes, wanted.objects.boxes)
            and np.array_equal(result.saliency, wanted.saliency)
            for result in results
        )

    def refusal(call: Any, *arguments: Any, **options: Any) -> str:
        """Message of an error of the package's own."""
        try:
            call(*arguments, **options)
        except Exception as error:
            kinds = {kind.__name__ for kind in type(error).__mro__}
            if not {"InputError", "ConfigError"} & kinds:
                raise
            return str(error)
        raise AssertionError("it is not refused")

    names = (np, torch, pickle, heap, Image, Path)
    return {name.__name__.rpartition(".")[2]: name for name in names} | {
        "np": np, "model": loaded, "model_folder": model, "photo": photo, "run": run,
        "encoder": encoder, "photos": str(Path(photo).parent),
        "picture": picture, "pixels": pixels, "wanted": wanted, "discover": discover, "fit": fit,
        "same": same, "refusal": refusal, "look": lambda: loaded([picture])[0],
        "encoded": Path(photo).read_bytes(),
    }  # fmt: skip


def answer(code: str, place: str, names: dict[str, Any]) -> str:
    """Run a program in a fork; its error."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.close(reading)
        # A program that hangs ends with this, and says where it hung.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        faulthandler.register(signal.SIGALRM, chain=True)
        signal.alarm(LIMIT)
        os.chdir(place)
        try:
            exec(compile(code, "<program>", "exec"), names)  # noqa: S102
            said = ""
        except BaseException as error:
            said = traceback.format_exception_only(error)[-1].strip() or repr(error)
            traceback.print_exc()
        os.write(writing, said.encode())
        sys.stderr.flush()
        os._exit(1 if said else 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return said or (f"ended with {status}" if status else "")


def main() -> None:
    names = load(*sys.argv[1:])
    for line in sys.stdin:
        program = json.loads(line)
        print(json.dumps(answer(program["code"], program["place"], names)), flush=True)


if __name__ == "__main__":
    main()
