"""Which committed results have to be scored again: those that changed, or whose scoring did.

They are compared with the commit that `HEAP_AUDIT_BASE` names, or else the one at which this branch
left the main line; on the main line itself with that at which all were scored last, see `make
audit-all`. Without any of them all are scored.
"""

import ast
import os
import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = ("heap", "benchmarks")
AUDITED = ".ci/audited"
"""File with the commit at which all results were scored last."""


def changed(root: Path = ROOT, base: str | None = None) -> set[Path] | None:
    """Files that are not as in `base`, new and deleted ones included; None if there is no base."""
    base = base or os.environ.get("HEAP_AUDIT_BASE") or _base(root)
    if base is None or (names := _git(root, "diff", "--name-only", "-z", base)) is None:
        return None
    names += _git(root, "ls-files", "--others", "--exclude-standard", "-z") or ""
    return {root / name for name in names.split("\0") if name}


def code_of(modules: Iterable[str]) -> set[Path]:
    """Files of these modules, and of all modules of ours that they import, directly or not."""
    waiting, files = list(modules), set[Path]()
    while waiting:
        path = _file_of(waiting.pop())
        if path is not None and path not in files:
            files.add(path)
            waiting.extend(_imports(path))
    return files


def to_score(results: Sequence[Path], modules: Iterable[str]) -> list[Path]:
    """Those of the results that changed, or all if any code that they are scored with did."""
    different = changed()
    if different is None or different & (code_of(modules) | set(Path(__file__).parent.iterdir())):
        return list(results)
    return [path for path in results if path in different]


def _base(root: Path) -> str | None:
    for line in ("origin/main", "main"):
        if base := _git(root, "merge-base", "HEAD", line):
            on_it = base == _git(root, "rev-parse", "HEAD")
            return _audited(root) if on_it else base.strip()
    return None


def _audited(root: Path) -> str | None:
    """Commit at which all were scored last; None if it is not one that led to this."""
    if not (path := root / AUDITED).exists():
        return None
    commit = path.read_text(encoding="utf-8").strip()
    led_here = _git(root, "merge-base", "--is-ancestor", commit, "HEAD") is not None
    return commit if led_here else None


def _git(root: Path, *arguments: str) -> str | None:
    """What git says; None if it fails, or if there is none."""
    try:
        command = ["git", "-C", str(root), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


@cache
def _file_of(module: str) -> Path | None:
    """File of a module of ours; None for a name in one, and for modules of others."""
    if module.partition(".")[0] not in OURS:
        return None
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return None
    return None if spec is None or spec.origin is None else Path(spec.origin)


@cache
def _imports(path: Path) -> frozenset[str]:
    """Names that a file imports, in functions too: of `from a import b`, both `a` and `a.b`."""
    names = set[str]()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)
