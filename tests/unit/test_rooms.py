"""The rooms of the package: imports go down only, and never into what another keeps to itself."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import heap

ROOT = Path(heap.__file__).parent
# Lowest first; a line of ARCHITECTURE.md stands for each.
ROOMS = (
    *("base", "config", "images", "masks", "encoder", "features", "results", "model", "methods"),
    *("fitting", "store", "categories", "export", "report", "view", "run", "discovery", "serving"),
    *("benchmark", "pretraining", "doctor", "cli"),
)
FACE = {"__init__", "__main__"}
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Module of the package, and name, of everything that a file imports from the package."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "heap":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner if inner in MODULES else str(node.module)), alias.name


def room_of(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def test_every_room_stands_in_the_order() -> None:
    assert {room_of(module) for module in MODULES} - FACE == set(ROOMS)


def test_imports_go_down_only() -> None:
    upwards = [
        f"{module} imports {target}"
        for module, path in MODULES.items()
        if room_of(module) not in FACE
        for target, _ in imports(path)
        if ROOMS.index(room_of(module)) < ROOMS.index(room_of(target))
    ]
    assert upwards == []


def test_no_circles() -> None:
    graph = {module: {target for target, _ in imports(path)} for module, path in MODULES.items()}
    # Raises CycleError, which names the modules.
    assert set(TopologicalSorter(graph).static_order()) == set(MODULES)


def test_private_names_stay_in_their_module() -> None:
    taken = [
        f"{module} imports {name} of {target}"
        for module, path in MODULES.items()
        for target, name in imports(path)
        if name.startswith("_")
    ]
    assert taken == []


def test_ground_floor_does_without_torch() -> None:
    floor = [path for path in (ROOT / "base").glob("*.py") if path.name != "__init__.py"]
    assert floor
    for path in floor:
        # Imports within functions are for those who have torch anyway.
        assert "\nimport torch" not in path.read_text(encoding="utf-8")


def test_no_module_hides_a_name_of_the_public_face() -> None:
    assert not set(heap.__all__) & {room_of(module) for module in MODULES}


def test_architecture_is_up_to_date() -> None:
    tool = Path(__file__).parents[2] / "tools" / "architecture.py"
    checked = subprocess.run([sys.executable, str(tool), "--check"], capture_output=True, text=True)
    assert (checked.stdout, checked.returncode) == ("", 0)
