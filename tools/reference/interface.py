"""Page of the HTTP interface, from its OpenAPI description."""

from typing import Any

from fastapi import FastAPI
from writing import WRITTEN, code, table

from heap.serving import several
from heap.serving.app import PARTS

HEAD = """# HTTP interface

`heap serve RUN` answers these requests, as its own page makes them; `/docs` there lets you try
them, and `/openapi.json` is for programs. [In the browser](../collections.md#in-the-browser) says
who may ask, and what the limits are. An answer that is no success is JSON with a `detail`: 400 a
value that cannot be used, 404 nothing there, 409 the run has changed since, or another process
writes to it, 410 and 422 an image or a request that cannot be used, 503 come again.

Where several runs are served, the requests about a run are below `/runs/NAME`, such as
`/runs/NAME/api/run`; `/api/runs` and `/api/difference` are there only.

"""
Schema = dict[str, Any]


def page() -> str:
    """Return the page."""
    app = FastAPI(title="heap serve")
    for part in (*PARTS, several):
        app.include_router(part.router)
    about = app.openapi()
    text = WRITTEN + HEAD
    for path, methods in about["paths"].items():
        for method, route in methods.items():
            text += f"## {method.upper()} {path}\n\n" + _route(route)
    text += "## Objects of JSON\n\n"
    for name, schema in about["components"]["schemas"].items():
        if "ValidationError" not in name:
            text += _object(name, schema)
    return text.rstrip("\n") + "\n"


def _route(route: Schema) -> str:
    text = f"{route['description']}\n\n"
    parameters = route.get("parameters", ())
    rows = (
        (code(row["name"]), row["in"], _kind(row["schema"]), _need(row), _said(row))
        for row in parameters
    )
    if parameters:
        text += table(("parameter", "in", "type", "default", ""), rows)
    contents = route.get("requestBody", {}).get("content", {})
    for schema in contents.values():
        text += f"Body: {_kind(schema['schema'])}.\n\n"
    for status, answer in route["responses"].items():
        if status != "422":
            kinds = answer.get("content", {}).items()
            said = ", ".join(
                f"{kind} {_kind(schema.get('schema', {}))}".strip() for kind, schema in kinds
            )
            text += f"Answer {status}: {said or 'no JSON'}.\n\n"
    return text


def _object(name: str, schema: Schema) -> str:
    needed = schema.get("required", ())
    rows = (
        (code(key), _kind(value), _need({"required": key in needed, "schema": value}), _said(value))
        for key, value in schema["properties"].items()
    )
    about = f"{schema['description']}\n\n" if "description" in schema else ""
    return f"### {name}\n\n{about}" + table(("key", "type", "default", ""), rows)


def _kind(schema: Schema) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_kind(value) for value in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(code(value) for value in schema["enum"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"array of {_kind(schema.get('items', {}))}"
    limits = {"minimum": "from {}", "maximum": "to {}", "maxLength": "of {} characters at most"}
    return " ".join(
        [kind, *(text.format(schema[key]) for key, text in limits.items() if key in schema)]
    )


def _need(about: Schema) -> str:
    if about["required"]:
        return "required"
    default = about["schema"].get("default")
    return "" if default is None else code(repr(default))


def _said(about: Schema) -> str:
    return str(about.get("description", ""))
