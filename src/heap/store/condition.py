"""Conditions on the columns of objects: a small part of SQL, read here and written anew.

What reaches the store is put together from columns, signs and values that are known here; nothing
of the text is handed on. So a condition can neither run functions nor undo what is asked beside it.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Literal

import pyarrow as pa
from sqlglot import exp
from sqlglot.dialects import Dialect
from sqlglot.errors import ParseError, TokenError

from heap.base.errors import InputError
from heap.store import schema
from heap.store.texts import is_storable, quote

Kind = Literal["number", "text", "flag"]
Columns = Mapping[str, Kind]

LENGTH = 2000
"""Most characters of a condition: a bound on the work of the parser."""
DEPTH = 32
"""Most levels of brackets and NOT, so that neither the parser nor the store recurses too deeply."""
EXAMPLE = "score > 0.5 AND category = 3"
_SHOWN = 120
_SIGNS: Mapping[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip


def _kind(form: pa.DataType) -> Kind | None:
    if pa.types.is_string(form):
        return "text"
    if pa.types.is_boolean(form):
        return "flag"
    return "number" if pa.types.is_integer(form) or pa.types.is_floating(form) else None


STORED: Columns = {
    field.name: kind for field in schema.objects_schema(1) if (kind := _kind(field.type))
}
"""The columns of the table of objects that a condition can be about."""
SEARCHED: Columns = {
    name: STORED[name]
    for name in ("score", "category", "similarity", "key", "id", "index", "x1", "y1", "x2", "y2")
}
"""Columns that a search can ask for. `rejected` is none of them: a search never finds rejected
objects."""


class _Unusable(Exception):
    """Reason why a text is no condition."""


def read_condition(text: str, columns: Columns = SEARCHED) -> str:
    """Check a condition and write it anew, as the store takes it.

    Columns are compared with numbers, 'text' and each other, by =, !=, <, <=, >, >=, IN (...) and
    IS NULL; AND, OR, NOT and brackets join comparisons. A column that is true or false is a
    condition by itself.

    Raises:
        InputError: if `text` is anything else; it says what is wrong and which columns there are.
    """
    try:
        return _condition(_parse(text), columns, 1)
    except (_Unusable, RecursionError) as error:
        reason = str(error) if isinstance(error, _Unusable) else "it is nested too deeply"
        shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
        raise InputError(
            f"the condition {shown!r} cannot be used: {reason}; the columns are "
            f"{', '.join(columns)}, and an example is {EXAMPLE!r}"
        ) from error


def _parse(text: str) -> exp.Expr:
    if len(text) > LENGTH:
        raise _Unusable(f"it has {len(text)} characters, and {LENGTH} are the most")
    try:
        parsed: list[exp.Expr | None] = Dialect.get_or_raise(None).parse_into(exp.Condition, text)
    except TokenError:
        raise _Unusable("a quotation mark or comment in it has no end") from None
    except ParseError as error:
        raise _Unusable(_place(error)) from None
    if len(parsed) != 1 or parsed[0] is None:
        raise _Unusable("it is empty" if not any(parsed) else "it is more than one condition")
    # sqlglot keeps comments and would write them out again; nothing of the text may get through.
    if any(node.comments for node in parsed[0].walk()):
        raise _Unusable("it has a comment in it")
    return parsed[0]


def _place(error: ParseError) -> str:
    """Reason with the place where the parser could not go on."""
    first = error.errors[0] if error.errors else {}
    around = f"{first.get('start_context', '')}{first.get('highlight', '')}"
    return f"it cannot be understood at the end of {around[-_SHOWN:]!r}"


def _condition(node: exp.Expr, columns: Columns, depth: int) -> str:
    if depth > DEPTH:
        raise _Unusable(f"it is nested more than {DEPTH} deep")
    if isinstance(node, exp.Paren):
        return _condition(node.this, columns, depth + 1)
    if isinstance(node, exp.Not):
        return f"(NOT {_condition(node.this, columns, depth + 1)})"
    if isinstance(node, exp.And | exp.Or):
        # A chain of one kind is one level, however long.
        parts = [_condition(part, columns, depth + 1) for part in node.flatten()]
        return f"({(' AND ' if isinstance(node, exp.And) else ' OR ').join(parts)})"
    if isinstance(node, exp.In):
        return _membership(node, columns)
    if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
        return f"({_column(node.this, columns)[0]} IS NULL)"
    if isinstance(node, exp.Column):
        return _flag(node, columns)
    if type(node) in _SIGNS:
        return _comparison(node, columns)
    raise _Unusable(f"{_quote_node(node)} is no comparison")


def _flag(node: exp.Column, columns: Columns) -> str:
    name, kind = _column(node, columns)
    if kind != "flag":
        raise _Unusable(f"{_quote_node(node)} is compared with nothing")
    return name


def _comparison(node: exp.Expr, columns: Columns) -> str:
    sides = node.this, node.expression
    (left, kind), (right, other) = (_operand(side, columns) for side in sides)
    if kind != other or kind == "flag":
        raise _Unusable(
            f"{_quote_node(sides[0])} is a {kind} and {_quote_node(sides[1])} is a {other}"
        )
    return f"({left} {_SIGNS[type(node)]} {right})"


def _membership(node: exp.In, columns: Columns) -> str:
    column, kind = _column(node.this, columns)
    _allow_only(node, "this", "expressions")
    values = [_value(value) for value in node.expressions]
    if not values:
        raise _Unusable("IN takes a list of values, such as category IN (1, 2)")
    if wrong := [value for value, other in values if other != kind]:
        raise _Unusable(f"{_quote_node(node.this)} is a {kind} and {wrong[0]} is none")
    return f"({column} IN ({', '.join(value for value, _ in values)}))"


def _operand(node: exp.Expr, columns: Columns) -> tuple[str, Kind]:
    return _column(node, columns) if isinstance(node, exp.Column) else _value(node)


def _column(node: exp.Expr, columns: Columns) -> tuple[str, Kind]:
    if not isinstance(node, exp.Column):
        raise _Unusable(f"{_quote_node(node)} is no column")
    _allow_only(node, "this")
    name = node.name.lower()
    if name not in columns:
        raise _Unusable(f"there is no column {node.name!r}, and text is written as 'text'")
    # The store compares no whole numbers with fractions, and rounds fractions to single precision.
    return (f"CAST({name} AS DOUBLE)" if columns[name] == "number" else name), columns[name]


def _value(node: exp.Expr) -> tuple[str, Kind]:
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
        if node.this.is_string:
            raise _Unusable(f"{_quote_node(node)} is no number")
        return _number(f"-{node.name}"), "number"
    if not isinstance(node, exp.Literal):
        raise _Unusable(f"{_quote_node(node)} is neither a column nor a number nor 'text'")
    return (_text(node.name), "text") if node.is_string else (_number(node.name), "number")


def _number(digits: str) -> str:
    try:
        value = float(digits)
    except ValueError:
        raise _Unusable(f"{digits} is no number") from None
    if not isfinite(value):
        raise _Unusable(f"{digits} is too large a number")
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def _text(value: str) -> str:
    if not is_storable(value):
        raise _Unusable(f"{value!r} has characters that no text in the store has")
    return quote(value)


def _allow_only(node: exp.Expr, *allowed: str) -> None:
    # sqlglot reads all of SQL: table names, subqueries and so on are further arguments of a node.
    if any(value for name, value in node.args.items() if name not in allowed):
        raise _Unusable(f"{_quote_node(node)} cannot be used here")


def _quote_node(node: exp.Expr) -> str:
    """A part of the condition, as it is written, for a message."""
    return repr(node.sql()[:_SHOWN])
