"""Place of the encoder of a model, which may have been moved since, alone or with the model."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from heap.base.cache import cache_dir
from heap.base.errors import HeapError, WeightsError
from heap.base.files import replacing
from heap.encoder import hub
from heap.encoder.files import CONFIG, ORIGINAL, find_files
from heap.encoder.registry import CARDS, is_hub_name, resolve

_NOTES = "encoders"
"""Folder in the cache with a file for each encoder of a model that was in a folder."""


def lasting_name(name: str) -> str:
    """Name of an encoder for the configuration of a model: a folder never looks like a hub name."""
    local = name not in CARDS and Path(name).exists() and not Path(name).is_absolute()
    return f"./{Path(name).as_posix()}" if local and not name.startswith((".", "~")) else name


def note_place(name: str, fingerprint: str) -> None:
    """Note where an encoder is on this machine; one of the hub or the package needs no note."""
    if name in CARDS or not Path(name).exists():
        return
    # A cache that cannot be written costs no more than the note.
    with suppress(HeapError), replacing(_note(fingerprint), cache=True) as file:
        file.write(os.fsencode(Path(name).resolve()))


def find_encoder(name: str, fingerprint: str, model: Path) -> str:
    """Name by which the encoder of the model in the folder `model` can be loaded.

    A folder or checkpoint is told by its fingerprint: it is looked for where it was, in the same
    place as seen from the model, beside the model, in HEAP_WEIGHTS_DIR, and where it was when it
    was last used here. It is never looked for on the hub.

    Raises:
        WeightsError: if it is in none of these places.
    """
    if name in CARDS or (is_hub_name(name) and _is_here(name)):
        return name
    for place in dict.fromkeys(_places(name, fingerprint, model.resolve())):
        with suppress(WeightsError, OSError):
            if find_files(place).digest() == fingerprint:
                return str(place.absolute())  # a bare name could be that of an alias
    # The hub may have it; and if another encoder is there now, whoever loads it says so.
    if is_hub_name(name) or Path(name).exists():
        return name
    raise WeightsError(
        f"the encoder of the model {model}, {name}, is neither where it was nor beside the model; "
        "say with --encoder where it is now"
    )


def _is_here(name: str) -> bool:
    """Whether an encoder of the hub is on this machine, and no folder of that name hides it."""
    if Path(name).exists():
        return False
    return isinstance(resolve(name), Path) or hub.cached_folder(name) is not None


def _places(name: str, fingerprint: str, model: Path) -> Iterator[Path]:
    yield Path(name)
    with suppress(HeapError, OSError):
        yield Path(os.fsdecode(_note(fingerprint).read_bytes()))
    if not Path(name).is_absolute():
        # The folder in which `heap fit` was called is often one of those that the model is in.
        yield from (folder / name for folder in (model, *model.parents))
    root = os.environ.get("HEAP_WEIGHTS_DIR")
    for folder in (model, model.parent, *([Path(root)] if root else [])):
        with suppress(OSError):
            yield from sorted(path for path in folder.iterdir() if _may_be_encoder(path))


def _may_be_encoder(path: Path) -> bool:
    return path.suffix.lower() in ORIGINAL or (path / CONFIG).is_file()


def _note(fingerprint: str) -> Path:
    return cache_dir() / _NOTES / fingerprint
