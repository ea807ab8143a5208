"""Write docs/faults.md: each fault, what becomes of it, and the tests that show it.

Usage: python tools/faults.py [--check]; with --check nothing is written, and 1 is the exit code
where the file is not what it would be.

The faults are those of tools/faults.toml; a test says which one it shows by a mark,
`@pytest.mark.fault("F01")`, which is read from its source. The same file lists what people do with
folders, runs and servers, and the promises of README.md, with the names of tests that have to be
there. What happened or could not be done before, and how the tests of it ended then, is of
`tools/accidents.py`.
"""

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import accidents

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "faults.md"
README = ROOT / "README.md"
Tests = dict[str, list[tuple[str, str]]]
"""The tests of each fault: file and name."""
Entry = dict[str, Any]
"""A case with its outcome, or a promise, and the names of its tests: `path::name`."""

HEAD = """# The fault bench

Each fault is injected by a test, and has to end as the table says. `python tools/faults.py` writes
this page from `tools/faults.toml` and the marks of the tests; a test sees that it was.
"""


def main(arguments: list[str]) -> int:
    """Write the table, or see that it is written."""
    faults = tomllib.loads((ROOT / "tools" / "faults.toml").read_text(encoding="utf-8"))
    points, promises, ways = (faults.pop(name) for name in ("points", "promises", "ways"))
    known = [number for group in faults.values() for number in group if number != "title"]
    shown = marked(ROOT / "tests")
    problems = [f"no test is marked {number}" for number in known if number not in shown]
    problems += [f"{shown[number][0][1]} is marked {number}, which is no fault"
                 for number in sorted(shown.keys() - set(known))]  # fmt: skip
    problems += [f"there is no test {name}" for name in missing([*points, *promises])]
    if [entry["promise"] for entry in promises] != promised():
        problems.append("the promises of README.md are not those of tools/faults.toml")
    happened = list(accidents.accidents(ROOT / "tests"))
    problems += accidents.problems(happened, {"accident": len(points), "way": len(ways)})
    parts = [
        table(faults, shown), cases(points), accidents.table(happened),
        accidents.ways(happened, ways), promised_by(promises),
    ]  # fmt: skip
    text = "\n".join(parts)
    if arguments == ["--check"]:
        if not TABLE.is_file() or TABLE.read_text(encoding="utf-8") != text:
            problems.append("docs/faults.md is out of date; run python tools/faults.py")
    else:
        TABLE.write_text(text, encoding="utf-8")
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


def marked(folder: Path) -> Tests:
    """The tests below a folder that are marked with a fault, in the order of files and lines."""
    tests: Tests = defaultdict(list)
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
                for number in numbers(node):
                    tests[number].append((path.relative_to(ROOT).as_posix(), node.name))
    return tests


def numbers(test: ast.FunctionDef) -> Iterator[str]:
    """The numbers that a test is marked with."""
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
            yield from (ast.literal_eval(number) for number in mark.args)


def missing(entries: list[Entry]) -> Iterator[str]:
    """The tests that entries name and that are not there."""
    for name in dict.fromkeys(name for entry in entries for name in entry["tests"]):
        path, _, test = name.partition("::")
        file = ROOT / path
        source = ast.parse(file.read_text(encoding="utf-8") if file.is_file() else "")
        nodes = ast.walk(source)
        if not any(isinstance(node, ast.FunctionDef) and node.name == test for node in nodes):
            yield name


def promised() -> list[str]:
    """The lines of the section of README.md, each without its breaks."""
    section = README.read_text(encoding="utf-8").partition("\n## Promises\n")[2]
    lines = section.partition("\n## ")[0].split("\n- ")[1:]
    return [re.sub(r"\s+", " ", line).strip() for line in lines]


def cases(points: list[Entry]) -> str:
    """The table of what people do."""
    lines = [
        "## Folders, runs and servers\n",
        "What people do with them, and what becomes of it.\n",
        "| | case | outcome | tests |",
        "|---|---|---|---|",
    ]
    lines += [f"| {number} | {entry['case']} | {entry['outcome']} | {links(entry)} |"
              for number, entry in enumerate(points, 1)]  # fmt: skip
    return "\n".join([*lines, ""])


def promised_by(promises: list[Entry]) -> str:
    """The table of promises."""
    lines = ["## Promises of the README\n", "| promise | tests |", "|---|---|"]
    lines += [f"| {entry['promise']} | {links(entry)} |" for entry in promises]
    return "\n".join([*lines, ""])


def links(entry: Entry) -> str:
    """The tests of an entry, each as a link to its file."""
    names = [name.partition("::") for name in entry["tests"]]
    return "<br>".join(f"[{test}](../{path})" for path, _, test in names)


def table(faults: dict[str, dict[str, str | list[str]]], shown: Tests) -> str:
    """The page."""
    lines = [HEAD]
    for group in faults.values():
        lines += [f"## {group['title']}\n", "| | fault | outcome | tests |", "|---|---|---|---|"]
        for number, texts in group.items():
            if number != "title":
                tests = "<br>".join(f"[{name}](../{path})" for path, name in shown.get(number, []))
                lines.append(f"| {number} | {texts[0]} | {texts[1]} | {tests} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
