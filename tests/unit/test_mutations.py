"""Faults that are planted to test the tests: which there are, and what became of them."""

import ast
import importlib.util
import json
import re
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = '''"""Counts 1 + 1."""
from a import b
Pair = dict[str, 1]
LIMIT: int = 3

def cut(values: list[int], most: int = 12) -> list[int]:
    """Keep values < 2."""
    if most < 0:
        raise ValueError(f"{most + 1} is below {0 - 1}")
    kept = [value for value in values if not value >= LIMIT and value]
    kept.sort()
    return divided(kept, most) or min(kept)
'''
FAULTS = {
    "constant": [
        "LIMIT: int = 4", "def cut(values: list[int], most: int = 24) -> list[int]:",
        "if most < 1:",
    ],
    "comparison": [
        "if (most <= 0):",
        "kept = [value for value in values if not (value > LIMIT) and value]",
    ],
    "dropped check": ["if False:"],
    "negated condition": [
        "kept = [value for value in values if (not (not value >= LIMIT and value))]"
    ],
    "dropped sign": ["kept = [value for value in values if (value >= LIMIT) and value]"],
    "logic": [
        "kept = [value for value in values if (not value >= LIMIT or value)]",
        "return (divided(kept, most) and min(kept))",
    ],
    "dropped statement": ["pass"],
    "arguments": ["return divided(most, kept) or min(kept)"],
    "function": ["return divided(kept, most) or max(kept)"],
    "result": ["return ((divided(kept, most) or min(kept))[:-1])"],
}  # fmt: skip


@pytest.fixture(scope="module")
def mutations() -> ModuleType:
    path = ROOT / "tools" / "mutations.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A frozen class looks its module up.
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def test_faults_of_every_kind_and_none_in_what_is_only_read(
    mutations: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "a.py").write_text(SOURCE)
    found: dict[str, list[str]] = {}
    for mutant in mutations.mutants(tmp_path, "a.py"):
        found.setdefault(mutant.kind, []).append(mutant.after)
        assert mutant.text == SOURCE.replace(mutant.before, mutant.after)
        assert SOURCE.splitlines()[mutant.line - 1].strip() == mutant.before
    assert found == FAULTS


def test_a_change_over_several_lines_changes_nothing_else(
    mutations: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "a.py").write_text(
        'x = "é" and call(\n    first,  # a comment\n    second,\n)\ny = 0\n'
    )
    (swapped,) = (m for m in mutations.mutants(tmp_path, "a.py") if m.kind == "arguments")
    assert swapped.text == 'x = "é" and call(second, first)\ny = 0\n'


def test_a_sample_is_even_and_a_larger_one_goes_on(mutations: ModuleType) -> None:
    files = [f"heap/benchmark/metrics/{name}.py" for name in ("boxes", "masks", "curves")]
    few = mutations.sample(ROOT / "src", files, 30, 0)
    assert Counter(mutant.file for mutant in few) == dict.fromkeys(files, 10)
    assert mutations.sample(ROOT / "src", files, 45, 0)[:30] == few
    assert mutations.sample(ROOT / "src", files, 30, 1) != few
    for mutant in few:
        assert ast.dump(ast.parse(mutant.text)) != ast.dump(
            ast.parse((ROOT / "src" / mutant.file).read_bytes())
        )


def test_nine_of_ten_faults_were_caught_as_the_documentation_says() -> None:
    result = json.loads((ROOT / "tools" / "mutants.json").read_text(encoding="utf-8"))
    ends = Counter("caught" if row["caught"] else "equivalent" if row.get("why") else "left"
                   for row in result["mutants"])  # fmt: skip
    tried = len(result["mutants"])
    counts = {"mutants": tried} | {end: ends[end] for end in ("caught", "equivalent", "left")}
    assert result["summary"] == counts
    assert ends["caught"] >= 0.9 * (tried - ends["equivalent"])
    page = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    said = re.search(
        r"Of (\d+) faults tried the tests caught (\d+) \(equivalent: (\d+), left: (\d+)\)",
        re.sub(r"\s+", " ", page),
    )
    assert said is not None
    assert [int(number) for number in said.groups()] == list(counts.values())
