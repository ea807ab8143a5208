"""Names of the files of an export: the photos' own, where every file system takes them."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

from heap.images.source import key_of, name_of

_LONGEST = 200
"""Bytes of a part of a name; file systems take 255, and digests and suffixes are appended."""
_UNSAFE = re.compile(r'[<>:"\\|?*]')
_ENDS = re.compile(r"^\s+|[\s.]+$")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names of devices on Windows, with any suffix."""
_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".json", ".png", ".txt", ".webp", ".xml"}
"""Suffixes of files in exports; a folder with one of them could have the name of a file."""


def file_names(
    keys: Iterable[str], reserved: Collection[str] = (), *, as_they_are: bool = False
) -> dict[str, str]:
    """Names, without suffix, of the files that belong to photos: `trip/IMG_1` for `trip/IMG_1.jpg`.

    Characters that some file system or reader would refuse are replaced, and so are folders with a
    `reserved` name. With `as_they_are` names stay as on the disk, but for parts that would lead out
    of the folder of the export. Names that would be the same on some file system end in a digest of
    the key.
    """
    return _make_distinct({key: _file_name(key, reserved, as_they_are=as_they_are) for key in keys})


def folder_names(labels: Iterable[str]) -> dict[str, str]:
    """Names of folders by class: the class itself, wherever that is possible."""
    return _make_distinct(
        {label: _legalise(label.replace("/", "_"), folder=True) for label in labels}
    )


def stem_of(key: str) -> str:
    """Name of the photo on the disk, without suffix."""
    folder, slash, last = name_of(key).rpartition("/")
    return folder + slash + (last.rpartition(".")[0] or last)


def printable_name(name: str) -> str:
    """Return a name as a line of text, escaped as in the run if it is no UTF-8 or has line ends."""
    return key_of(name) if any(map(_is_unprintable, name)) else name


def _file_name(key: str, reserved: Collection[str], *, as_they_are: bool) -> str:
    *folders, last = stem_of(key).split("/")
    if as_they_are:
        return "/".join(
            part if _is_harmless(part) else _legalise(part) for part in [*folders, last]
        )
    parts = [_legalise(part, reserved, folder=True) for part in folders]
    return "/".join([*parts, _legalise(last)])


def _is_harmless(part: str) -> bool:
    # Bytes that are no UTF-8 are lone surrogates in Python, and become the same bytes when written.
    lines = any(_is_unprintable(letter) and unicodedata.category(letter) != "Cs" for letter in part)
    return part not in ("", ".", "..") and "\\" not in part and not lines


def _legalise(part: str, reserved: Collection[str] = (), *, folder: bool = False) -> str:
    """Return a part of a name that Windows, macOS, Linux and lists with a name a line take."""
    text = "".join("_" if _is_unprintable(letter) else letter for letter in _UNSAFE.sub("_", part))
    text = _ENDS.sub("", text.encode()[-_LONGEST:].decode(errors="ignore"))
    file_like = folder and PurePosixPath(text).suffix.lower() in _SUFFIXES
    if file_like or not text:
        text += "_"
    if text[0] in ".#" or _DEVICES.fullmatch(text) or text.lower() in reserved:
        text = f"_{text}"
    return text


def _is_unprintable(letter: str) -> bool:
    """Whether a sign is no character, ends a line for some reader, or cannot be in XML."""
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in "\ufffe\uffff"


def _fold(name: str) -> str:
    """Return a text that is equal for names that are the same to Windows or macOS."""
    return unicodedata.normalize("NFC", name).casefold()


def _make_distinct(names: dict[str, str]) -> dict[str, str]:
    """Return the names; those that a file system takes for the same get a digest of the key."""
    counts = Counter(map(_fold, names.values()))
    taken = {name for name, count in counts.items() if count == 1}
    for key, name in names.items():
        if counts[_fold(name)] > 1:
            digest, size = hashlib.blake2b(key.encode()).hexdigest(), 10
            # A photo may happen to have this very name.
            while _fold(f"{name}-{digest[:size]}") in taken:
                size += 1
            names[key] = f"{name}-{digest[:size]}"
            taken.add(_fold(names[key]))
    return names
