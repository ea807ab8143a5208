"""Faults that may be planted in Python code: small changes, each of which a test should notice.

Texts are changed, not trees, so that all else stays as it is and a person can read the change.
"""

import ast
import copy
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
"""Orders lose or win the case of equals: to be turned around is what any test notices."""
CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift,
}  # fmt: skip
EXCHANGED = (
    ("min", "max"), ("minimum", "maximum"), ("argmin", "argmax"), ("any", "all"),
    ("floor", "ceil"), ("zeros", "ones"), ("zeros_like", "ones_like"), ("sum", "mean"),
)  # fmt: skip
"""Names of functions that are taken for each other."""
OTHER_NAME = dict(EXCHANGED) | {right: left for left, right in EXCHANGED}
SYMMETRIC = {"min", "max", "minimum", "maximum", "zip", "isinstance"}
"""Functions whose first two arguments may be exchanged, or cannot be mistaken."""
LARGE = 10
"""Numbers from here on are doubled; smaller ones grow by one."""


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    file: str
    """Its path, relative to the folder of the sources."""
    line: int
    kind: str
    before: str
    """The lines that are changed, without the blanks around them."""
    after: str
    text: str
    """The whole file, changed."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Names it as long as its lines stay the same, wherever they move."""
        return self.file, self.before, self.after


def sample(sources: Path, files: list[str], count: int, seed: int) -> list[Mutant]:
    """So many mutants, as evenly as can be over the files, and over the kinds within a file.

    A larger `count` gives the same ones and others.
    """
    queues = {file: _mixed(list(mutants(sources, file)), f"{seed} {file}") for file in files}
    chosen: list[Mutant] = []
    while len(chosen) < count and any(queues.values()):
        chosen += [queue.pop(0) for queue in queues.values() if queue]
    return chosen[:count]


def _mixed(choices: list[Mutant], seed: str) -> list[Mutant]:
    """In random order, the kinds in turns."""
    shuffled = random.Random(seed)  # noqa: S311
    shuffled.shuffle(choices)
    turns: dict[str, int] = defaultdict(int)
    placed = []
    for mutant in choices:
        placed.append((turns[mutant.kind], mutant))
        turns[mutant.kind] += 1
    return [mutant for _, mutant in sorted(placed, key=lambda pair: pair[0])]


def mutants(sources: Path, file: str) -> Iterator[Mutant]:
    """Every change of a file that is known here, in the order of the text."""
    raw = (sources / file).read_bytes()
    lines = raw.splitlines(keepends=True)
    starts = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
    seen = set()
    for kind, node, new in _changes(ast.parse(raw)):
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        begin, end = starts[first] + node.col_offset, starts[last] + (node.end_col_offset or 0)
        after = raw[starts[first] : begin] + new.encode() + raw[end : starts[last + 1]]
        before = raw[starts[first] : starts[last + 1]]
        mutant = Mutant(
            file, node.lineno, kind, before.decode().strip(), after.decode().strip(),
            (raw[:begin] + new.encode() + raw[end:]).decode(),
        )  # fmt: skip
        if before != after and mutant.key not in seen:
            seen.add(mutant.key)
            yield mutant


Change = tuple[str, ast.expr | ast.stmt, str]
"""Kind, node, and the text that takes its place."""


def _changes(node: ast.AST, returns: str = "") -> Iterator[Change]:
    """Changes below a node; `returns` is the annotation of the function around it."""
    if isinstance(node, ast.FunctionDef):
        returns = ast.unparse(node.returns) if node.returns else ""
        inner = [*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body]
    elif isinstance(node, ast.ClassDef):
        inner = [*node.body]
    elif isinstance(node, ast.AnnAssign):
        inner = [node.value] if node.value else []
    elif isinstance(node, ast.Raise | ast.JoinedStr) or _said(node):
        return
    else:
        inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.AST)]
    if isinstance(node, ast.expr):
        for kind, new in _other_expressions(node):
            whole = isinstance(new, ast.Call | ast.Constant | ast.Name | ast.Attribute)
            yield kind, node, ast.unparse(new) if whole else f"({ast.unparse(new)})"
    if isinstance(node, ast.comprehension):
        for test in filter(_is_plain, node.ifs):
            yield "negated condition", test, f"({ast.unparse(_negated(test))})"
    if isinstance(node, ast.stmt):
        yield from _other_statements(node, returns)
    for child in inner:
        yield from _changes(child, returns)


def _said(node: ast.AST) -> bool:
    """Whether a node is for readers or type checkers: warnings, aliases of types, `strict=True`."""
    text = ast.unparse(node) if isinstance(node, ast.Call | ast.Assign | ast.keyword) else ""
    alias = isinstance(node, ast.Assign) and text[:1].isupper() and text[1:2].islower()
    return alias or text.startswith(("warnings.", "strict="))


def _other_expressions(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            operators = [*node.ops[:at], COMPARED[type(operator)](), *node.ops[at + 1 :]]
            yield "comparison", _with(node, ops=operators)
    elif isinstance(node, ast.BinOp) and type(node.op) in CALCULATED:
        yield "arithmetic", _with(node, op=CALCULATED[type(node.op)]())
    elif isinstance(node, ast.BoolOp):
        yield "logic", _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and not isinstance(node.operand, ast.Constant):
        yield "dropped sign", node.operand
    elif isinstance(node, ast.IfExp) and _is_plain(node.test):
        yield "negated condition", _with(node, test=_negated(node.test))
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield "constant", ast.Constant(_other_number(node.value))
    elif isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        if name in OTHER_NAME:
            field = {"attr" if isinstance(node.func, ast.Attribute) else "id": OTHER_NAME[name]}
            yield "function", _with(node, func=_with(node.func, **field))
        first, second = (*node.args, None, None)[:2]
        if type(first) is type(second) is not type(None) and name not in SYMMETRIC:
            yield "arguments", _with(node, args=[node.args[1], node.args[0], *node.args[2:]])


def _with(node: ast.expr, **fields: Any) -> ast.expr:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _other_number(value: float) -> float:
    if isinstance(value, bool):
        return not value
    return 2 * value if isinstance(value, float) or value >= LARGE else value + 1


def _is_plain(test: ast.expr) -> bool:
    """Whether a condition is negated by no other change."""
    equal = isinstance(test, ast.Compare) and isinstance(
        test.ops[0], ast.Is | ast.IsNot | ast.Eq | ast.NotEq | ast.In | ast.NotIn
    )
    return not equal and not isinstance(test, ast.UnaryOp)


def _negated(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)


def _other_statements(node: ast.stmt, returns: str) -> Iterator[Change]:
    if isinstance(node, ast.If | ast.While):
        if isinstance(node.body[0], ast.Raise):
            yield "dropped check", node.test, "False"
        elif isinstance(node, ast.If) and _is_plain(node.test):
            yield "negated condition", node.test, f"({ast.unparse(_negated(node.test))})"
    elif isinstance(node, ast.Return) and node.value is not None:
        if returns == "bool":
            yield "result", node.value, f"({ast.unparse(_negated(node.value))})"
        elif returns in ("int", "float"):
            yield "result", node.value, f"(({ast.unparse(node.value)}) + 1)"
        elif returns.startswith("list[") and not isinstance(node.value, ast.List):
            yield "result", node.value, f"(({ast.unparse(node.value)})[:-1])"
    elif (
        (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
        or isinstance(node, ast.AugAssign | ast.Continue)
        or (isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name | ast.Tuple))
    ):
        yield "dropped statement", node, "pass"
