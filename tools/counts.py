"""Figures of the code of a commit: files, lines, long functions, comments, imports upward, circles.

python tools/counts.py 0b5e815 HEAD
"""

import ast
import io
import subprocess
import sys
import tarfile
import tempfile
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KINDS = (".py", ".js", ".css", ".html", ".md", ".toml")
SMALL = 40
"""Files with fewer lines are counted as small."""
BEFORE = (
    *("errors", "cache", "checkpoint", "config", "deadline", "device", "interrupt", "lookup"),
    *("progress", "images", "attempts", "bars", "reading", "merging", "refine", "solver"),
    *("encoder", "cues", "features", "results", "separation", "proposals", "objects", "model"),
    *("peers", "collection", "report", "export", "fit", "discover", "serve", "evaluation"),
    *("pretrain", "doctor", "cli"),
)
"""Rooms of commits that state no order themselves, lowest first; the order with the fewest imports
upward that was found by hand."""

Graph = dict[str, set[str]]


def main(commits: list[str]) -> None:
    """Print a line for each figure and a column for each commit."""
    columns = [figures(commit) for commit in commits]
    print("| | " + " | ".join(commits) + " |")
    print("| --- |" + " ---: |" * len(commits))
    for name in columns[-1]:
        print(f"| {name} | " + " | ".join(column.get(name, "0") for column in columns) + " |")


def figures(commit: str) -> dict[str, str]:
    """Figures of one commit, as text, by their names."""
    command = ["git", "archive", commit]
    archive = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout  # noqa: S603
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        return counted(Path(folder))


def counted(root: Path) -> dict[str, str]:
    """Figures of a checkout."""
    files = [path for path in root.rglob("*") if path.is_file()]
    out = {"files": str(len(files))}
    for place in ("src", "benchmarks", "tests"):
        for kind in KINDS:
            lines = [count for path, count in _lines(root / place, kind)]
            if lines:
                out[f"{place}: lines of {kind}"] = f"{sum(lines)} in {len(lines)} files"
    sources = dict(_lines(root / "src", ".py"))
    longest = max(sources, key=lambda path: sources[path])
    length, name = max(_functions(sources))
    noted = sum(_comments(path) for path in sources)
    graph = imports(root / "src")
    order = order_of(root / "tests" / "unit" / "test_rooms.py")
    out |= {
        f"src: Python files under {SMALL} lines": str(sum(n < SMALL for n in sources.values())),
        "src: longest file": f"{sources[longest]} ({longest.relative_to(root / 'src')})",
        "src: longest function": f"{length} ({name})",
        "src: share of lines with a comment": f"{noted / sum(sources.values()):.1%}",
        "src: rooms": str(len({room_of(module) for module in graph} - {"__init__", "__main__"})),
        "src: imports upward": str(sum(1 for _ in upward(graph, order))),
        "src: circles": " and ".join(f"{len(circle)} files" for circle in circles(graph)) or "0",
    }
    return out


def imports(source: Path) -> Graph:
    """Modules of the package by the modules of it that they import, anywhere in the file."""
    paths = {
        ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__"): path
        for path in source.rglob("*.py")
    }
    graph: Graph = {}
    for module, path in paths.items():
        targets = set[str]()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                targets |= (inner & paths.keys()) or ({node.module} & paths.keys())
        graph[module] = targets - {module}
    return graph


def upward(graph: Graph, order: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Imports from a room into one above it."""
    place = {room: at for at, room in enumerate(order)}
    for module, targets in graph.items():
        for target in targets:
            if place.get(room_of(module), len(order)) < place.get(room_of(target), len(order)):
                yield module, target


def circles(graph: Graph) -> list[set[str]]:
    """Sets of modules that import each other, directly or through others."""
    reached = {module: _reach(graph, module) for module in graph}
    rings: list[set[str]] = []
    for module in graph:
        ring = {other for other in reached[module] if module in reached[other]}
        if len(ring) > 1 and ring not in rings:
            rings.append(ring)
    return rings


def _reach(graph: Graph, start: str) -> set[str]:
    """Modules that are reached from `start` by at least one import."""
    reached, waiting = set[str](), [start]
    while waiting:
        for target in graph[waiting.pop()] - reached:
            reached.add(target)
            waiting.append(target)
    return reached


def room_of(module: str) -> str:
    """Room of a module: the name after `heap`."""
    return [*module.split("."), "__init__"][1]


def order_of(test: Path) -> tuple[str, ...]:
    """Order of the rooms that a test states, lowest first."""
    if not test.exists():
        return BEFORE
    for node in ast.parse(test.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ROOMS":
            text = ast.unparse(node.value)
            return tuple(
                leaf.value
                for leaf in ast.walk(ast.parse(text, mode="eval"))
                if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)
            )
    return BEFORE


def _lines(folder: Path, suffix: str) -> Iterator[tuple[Path, int]]:
    for path in sorted(folder.rglob(f"*{suffix}")):
        yield path, len(path.read_bytes().splitlines())


def _functions(paths: dict[Path, int]) -> Iterator[tuple[int, str]]:
    """Length in lines, signature and docstring included, and name of every function."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.end_lineno:
                yield node.end_lineno - node.lineno + 1, f"{path.stem}.{node.name}"


def _comments(path: Path) -> int:
    """Lines that have a comment, alone or behind code."""
    with path.open("rb") as file:
        return sum(token.type == tokenize.COMMENT for token in tokenize.tokenize(file.readline))


if __name__ == "__main__":
    main(sys.argv[1:] or ["HEAD"])
