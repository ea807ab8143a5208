"""Write the pages of docs/reference from the program itself.

Usage: python tools/reference [--check]; with --check nothing is written, and 1 is the exit code
where a page is not what it would be.
"""

import sys
from pathlib import Path

import catalogues
import commands
import interface
import tables

PAGES = {
    "commands.md": commands.page,
    "http.md": interface.page,
    "store.md": tables.page,
    "protocols.md": catalogues.protocols,
    "methods.md": catalogues.methods,
    "formats.md": catalogues.formats,
    "encoders.md": catalogues.encoders,
}
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"


def main(arguments: list[str]) -> int:
    """Write the pages, or see that they are written."""
    stale = []
    for name, write in PAGES.items():
        path, text = FOLDER / name, write()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if arguments != ["--check"]:
                path.write_text(text, encoding="utf-8")
    if arguments == ["--check"] and stale:
        print(f"docs/reference is out of date ({', '.join(stale)}); run python tools/reference")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
