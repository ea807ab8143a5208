"""The site of the documentation is built without a warning; a link that leads nowhere is one.

`make test` installs what it needs; elsewhere this is left out.
"""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    not (find_spec("material") and find_spec("mkdocstrings")),
    reason="the packages of heap[docs] are not installed",
)


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a checkout."""
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(site)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def test_it_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    done = build(ROOT, tmp_path)
    assert done.returncode == 0, done.stderr
    index = (tmp_path / "index.html").read_text("utf-8")
    assert 'href="start.html"' in index
    assert not re.findall(r'<(?:script|img)[^>]+src="https?:', index)
    assert "heap.discover" in (tmp_path / "reference" / "python.html").read_text("utf-8")
    # A link to a file that is no page of the site is left as its text.
    assert "test_f01_zero_bytes" in (tmp_path / "faults.html").read_text("utf-8")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A checkout of two pages, one of them the README, and a file that is no page."""
    for place in ("docs", "benchmarks", "demo"):
        (tmp_path / place).mkdir()
    upper = ("ARCHITECTURE", "CHANGELOG", "CODE_OF_CONDUCT", "CONTRIBUTING", "SECURITY")
    for page in (*upper, "benchmarks/README", "demo/README"):
        (tmp_path / f"{page}.md").write_text("text")
    (tmp_path / "file.txt").write_text("text")
    (tmp_path / "README.md").write_text("[page](docs/page.md#a) [code](file.txt)")
    (tmp_path / "docs" / "page.md").write_text("# A\n\n[home](../README.md) `[x](y.md)`")
    plain = "use_directory_urls: false"
    hook = f"hooks: [{ROOT / 'tools' / 'site_pages.py'}]"
    (tmp_path / "mkdocs.yml").write_text(f"site_name: small\nstrict: true\n{hook}\n{plain}\n")
    return tmp_path


def test_links_of_a_checkout_lead_to_pages(small: Path) -> None:
    done = build(small, small / "site")
    assert done.returncode == 0, done.stderr
    index = (small / "site" / "index.html").read_text("utf-8")
    assert '<a href="page.html#a">page</a> code' in index
    assert '<a href="index.html">home</a>' in (small / "site" / "page.html").read_text("utf-8")
    with (small / "mkdocs.yml").open("a") as file:
        file.write("repo_url: https://example.org/heap\n")
    assert build(small, small / "site").returncode == 0
    index = (small / "site" / "index.html").read_text("utf-8")
    assert '<a href="https://example.org/heap/blob/main/file.txt">code</a>' in index


def test_a_link_that_leads_nowhere_fails_it(small: Path) -> None:
    (small / "README.md").write_text("[nothing](docs/nothing.md)")
    done = build(small, small / "site")
    assert done.returncode == 1
    assert "docs/nothing.md" in done.stderr
