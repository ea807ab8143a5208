"""Names of the files of an export: the photos' own, where every file system takes them."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

from heap.images.source import key_of, name_of

_LONGEST = 200
"""Bytes of a part of a name; file systems take 255, and something is appended."""
_UNSAFE = re.compile(r'[<>:"\\|?*]')
_ENDS = re.compile(r"^\s+|[\s.]+$")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names of devices on Windows, with any suffix."""
_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".json", ".png", ".txt", ".webp", ".xml"}
"""Of files in exports; a folder with one of them could have the name of a file."""


def file_names(
    keys: Iterable[str], reserved: Collection[str] = (), *, as_they_are: bool = False
) -> dict[str, str]:
    """The name, without suffix, of what belongs to each photo: `trip/IMG_1` for `trip/IMG_1.jpg`.

    What some file system or reader would not take in a name is replaced, folders that are called as
    one of `reserved` too; or only what would lead out of the folder of the export, if the names are
    to be `as_they_are` on the disk. Names that would be the same then, on any file system, end in a
    digest of the key.
    """
    return _distinct({key: _whole(key, reserved, as_they_are=as_they_are) for key in keys})


def folder_names(labels: Iterable[str]) -> dict[str, str]:
    """The name of a folder for each class: the class itself, wherever that is possible."""
    return _distinct({label: _legal(label.replace("/", "_"), folder=True) for label in labels})


def stem_of(key: str) -> str:
    """The photo's own name, as it is on the disk, without suffix."""
    folder, slash, last = name_of(key).rpartition("/")
    return folder + slash + (last.rpartition(".")[0] or last)


def text_of(name: str) -> str:
    """A name as the line of a text: escaped as in the run if it is not UTF-8 or has line ends."""
    return key_of(name) if any(map(_breaks, name)) else name


def _whole(key: str, reserved: Collection[str], *, as_they_are: bool) -> str:
    *folders, last = stem_of(key).split("/")
    if as_they_are:
        return "/".join(part if _harmless(part) else _legal(part) for part in [*folders, last])
    parts = [_legal(part, reserved, folder=True) for part in folders]
    return "/".join([*parts, _legal(last)])


def _harmless(part: str) -> bool:
    # What is not UTF-8 is half of a pair of surrogates in Python, and the same bytes when written.
    lines = any(_breaks(letter) and unicodedata.category(letter) != "Cs" for letter in part)
    return part not in ("", ".", "..") and "\\" not in part and not lines


def _legal(part: str, reserved: Collection[str] = (), *, folder: bool = False) -> str:
    """A part of a name that Windows, macOS and Linux take, and lists with a name on each line."""
    text = "".join("_" if _breaks(letter) else letter for letter in _UNSAFE.sub("_", part))
    text = _ENDS.sub("", text.encode()[-_LONGEST:].decode(errors="ignore"))
    file_like = folder and PurePosixPath(text).suffix.lower() in _SUFFIXES
    if file_like or not text:
        text += "_"
    if text[0] in ".#" or _DEVICES.fullmatch(text) or text.lower() in reserved:
        text = f"_{text}"
    return text


def _breaks(letter: str) -> bool:
    """Whether it is no character, or ends a line for somebody, or cannot be in XML."""
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in "\ufffe\uffff"


def _folded(name: str) -> str:
    """The same for names that are the same to Windows or macOS."""
    return unicodedata.normalize("NFC", name).casefold()


def _distinct(names: dict[str, str]) -> dict[str, str]:
    """The same names, but that those which are the same end in a digest of what they stand for."""
    counts = Counter(map(_folded, names.values()))
    taken = {name for name, count in counts.items() if count == 1}
    for key, name in names.items():
        if counts[_folded(name)] > 1:
            digest, size = hashlib.blake2b(key.encode()).hexdigest(), 10
            # Somebody may have called a photo so.
            while _folded(f"{name}-{digest[:size]}") in taken:
                size += 1
            names[key] = f"{name}-{digest[:size]}"
            taken.add(_folded(names[key]))
    return names
