"""Hook of MkDocs: pages of the repository outside of docs, and links as a checkout has them.

Pages link to each other by their places in the repository, so that they can be read there. Here
such a link leads to the page of the site; one to a file that is no page of it is left as its text,
or leads to the repository if `repo_url` is set. One that leads nowhere is left for MkDocs to
complain about.
"""

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PLACES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changes.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "CONTRIBUTING.md": "taking-part.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
    "demo/README.md": "demo.md",
}
"""Pages outside of docs, and their names on the site."""
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside of docs."""
    root = Path(config.config_file_path).parent
    for source, name in PLACES.items():
        text = (root / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links by places in the repository into those of the site."""
    here = PurePosixPath(page.file.src_uri)
    source = next((PurePosixPath(path) for path, name in PLACES.items() if name == str(here)), None)
    folder = (source or PurePosixPath("docs") / here).parent

    def turned(link: re.Match[str]) -> str:
        picture, text, target, anchor = link.groups(default="")
        if ":" in target:
            return link[0]
        path = os.path.normpath(folder / target)
        name = PLACES.get(path) or os.path.relpath(path, "docs")
        if files.get_file_from_path(name):
            return f"{picture}[{text}]({os.path.relpath(name, here.parent)}{anchor})"
        if not (Path(config.config_file_path).parent / path).exists():
            return link[0]
        if config.repo_url:
            return f"[{text}]({config.repo_url.rstrip('/')}/blob/main/{path}{anchor})"
        return text

    parts = FENCE.split(markdown)
    return "".join(part if at % 2 else LINK.sub(turned, part) for at, part in enumerate(parts))
