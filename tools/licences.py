"""List the licences of what is installed with heap, and fail if one is not allowed.

Usage: python tools/licences.py

What only development needs is left out: it is not passed on. A licence is that of the metadata of
the installed package: its SPDX expression, else its classifiers, else its text.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata

from no_heavy_dependencies import closure

EXTRAS = ("eval", "heic", "onnx", "openvino", "ray", "s3", "serve", "")
ALLOWED = {
    *("0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0"),
    *("CNRI-Python", "ISC", "MIT", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Zlib"),
}
"""Licences that let a program of any licence be passed on with the package; MPL-2.0 is about
changed files of that package alone."""
WORDS = {
    r"apache( software)?( license)?(,? (version )?2(\.0)?)?( license)?": "Apache-2.0",
    r"mit( license)?": "MIT",
    r"(bsd|new bsd|bsd license)": "BSD",
    r"(bsd[ -]3-clause|3-clause bsd)( license)?": "BSD-3-Clause",
    r"isc license( \(iscl\))?": "ISC",
    r"mozilla public license 2\.0 \(mpl 2\.0\)": "MPL-2.0",
    r"(python software foundation license|psfl)": "PSF-2.0",
}
"""SPDX identifiers by what packages wrote before there were any."""
READ = {"faster-coco-eval": "Apache-2.0"}
"""Licences of packages whose metadata has none, read in their files."""


def main() -> int:
    """Print a line for each package; 1 if one has another licence than those allowed."""
    refused = []
    for name in sorted(closure("heap", EXTRAS)):
        try:
            licence = licence_of(name)
        except PackageNotFoundError:
            continue  # of another platform, or an extra that is not installed
        sys.stdout.write(f"{name}\t{licence}\n")
        if not is_allowed(licence):
            refused.append(f"{name} ({licence or 'it states none'})")
    for line in refused:
        sys.stderr.write(f"the licence of {line} is not one of those allowed\n")
    return 1 if refused else 0


def licence_of(name: str) -> str:
    """Return the licence of an installed package; empty if it states none.

    Raises:
        PackageNotFoundError: if it is not installed.
    """
    about = metadata(name)
    if expression := about.get("License-Expression"):
        return str(expression)
    kinds = [line.split(" :: ") for line in about.get_all("Classifier") or ()]
    # "License :: OSI Approved" without more names none.
    stated = [
        kind[-1]
        for kind in kinds
        if kind[0] == "License" and kind[1:] not in ([], ["OSI Approved"])
    ]
    text = str(about.get("License") or "").partition("\n")[0]
    return " AND ".join(map(spdx, stated)) or spdx(text) or READ.get(name, "")


def spdx(text: str) -> str:
    """Return the identifier of a licence that is named in words; the words if there is none."""
    words = text.strip()
    for pattern, identifier in WORDS.items():
        if re.fullmatch(pattern, words, re.IGNORECASE):
            return identifier
    return words


def is_allowed(licence: str) -> bool:
    """Whether every licence of an expression is allowed; exceptions only allow more."""
    parts = re.split(r" AND | OR | WITH [\w-]+|[()]", licence)
    names = [part.strip() for part in parts if part.strip()]
    return bool(names) and all(name in ALLOWED for name in names)


if __name__ == "__main__":
    sys.exit(main())
