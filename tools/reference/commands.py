"""Page of the command line, from its own help by cyclopts."""

import re

from writing import WRITTEN

from heap.cli import app


def page() -> str:
    """Return the page."""
    text = app.generate_docs(usage_name="heap")
    # The list of commands is there twice, and the site has a table of contents of its own.
    text = re.sub(r"## Table of Contents\n.*?(?=\*\*Commands\*\*)", "", text, flags=re.DOTALL)
    text = text.replace("# heap\n", "# Commands\n", 1)
    about = "What all commands have in common is in [the command line](../command-line.md).\n"
    first, _, rest = text.partition("\n\n")
    lines = [line.rstrip() for line in rest.splitlines()]
    return f"{WRITTEN}{first}\n\n{about}\n" + "\n".join(lines) + "\n"
