"""Page of the store, from the schemas of its tables and the comments in them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from writing import WRITTEN, code, table

from heap.store import schema

HEAD = f"""# Tables of a run

The store of a run is a [LanceDB](https://lancedb.com) database of version
{schema.SCHEMA_VERSION}, with a table for each section below. [A run as a
collection](../collections.md#the-store) says what becomes of stores of other versions.

"""
ABOUT_ALL = re.compile("Since|All that follows")
"""Beginnings of comments that are about all columns under them, and not about the next."""


def page() -> str:
    """Return the page."""
    source = Path(schema.__file__).read_text(encoding="utf-8")
    module = ast.parse(source)
    notes = f"{ast.get_docstring(module)}\n".partition("\n\n")[2]
    text = f"{WRITTEN}{HEAD}{notes}\n"
    body = module.body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if name := _name(node):
            about = ast.get_docstring(node) if isinstance(node, ast.FunctionDef) else _string(after)
            text += f"## {getattr(schema, name)}\n\n{about}\n\n"
            text += table(
                ("column", "type", "may be null", ""), _columns(node, source.splitlines())
            )
    return text.rstrip("\n") + "\n"


def _name(node: ast.stmt) -> str:
    """Return the constant with the name of the table whose schema this is; empty if it is none."""
    if isinstance(node, ast.FunctionDef):
        return node.name.removesuffix("_schema").upper()
    name = ast.unparse(node.targets[0]) if isinstance(node, ast.Assign) else ""
    return name.removesuffix("_SCHEMA") if name.endswith("_SCHEMA") else ""


def _string(node: ast.stmt | None) -> str:
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return str(ast.literal_eval(node.value)).strip() if is_text else ""


def _columns(node: ast.stmt, lines: list[str]) -> Iterator[tuple[str, str, str, str]]:
    fields = [
        call
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pa.field"
    ]
    line = node.lineno
    for field in sorted(fields, key=lambda call: call.lineno):
        above = [text.strip("# ") for text in lines[line : field.lineno - 1] if "#" in text]
        line = int(field.end_lineno or field.lineno)
        beside = lines[line - 1].partition("  # ")[2]
        for comment in filter(ABOUT_ALL.match, above):
            yield "", "", "", f"*{comment}*"
        own = " ".join([text for text in above if not ABOUT_ALL.match(text)] + [beside])
        kind = ast.unparse(field.args[1]).replace("pa.", "").replace("()", "").rstrip("_")
        null = "no" if any(keyword.arg == "nullable" for keyword in field.keywords) else "yes"
        yield code(ast.literal_eval(field.args[0])), code(kind.replace("list_", "list")), null, own
