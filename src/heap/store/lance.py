"""LanceDB, imported without the clients of its web service, which would cost half a second."""

import sys
from importlib.util import find_spec, module_from_spec
from typing import Any

_CLIENTS = "lance_namespace_urllib3_client"
"""LanceDB imports the data classes in it; by itself it imports hundreds of requests as well."""


def _delay(name: str) -> None:
    """Defer the code of a package's `__init__` until a name in it is asked for.

    Its modules can be imported meanwhile. `importlib.util.LazyLoader` is not enough: it runs that
    code with the first module imported.
    """
    spec = find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return
    package, loader = module_from_spec(spec), spec.loader

    def load(attribute: str) -> Any:
        vars(package).pop("__getattr__", None)
        loader.exec_module(package)
        return getattr(package, attribute)

    vars(package)["__getattr__"] = load
    sys.modules[name] = package


_delay(_CLIENTS)

import lancedb  # noqa: E402 - only now
import lancedb.index  # noqa: E402
import lancedb.query  # noqa: E402

__all__ = ["lancedb"]
