"""LanceDB, imported without the clients of its web service, and sparing with memory."""

import ctypes
import os
import sys
from importlib.util import find_spec, module_from_spec
from typing import Any

_CLIENTS = "lance_namespace_urllib3_client"
"""LanceDB imports the data classes in it; by itself it takes half a second for requests too."""
_SPARING = {"LANCE_DEFAULT_IO_BUFFER_SIZE": str(32 << 20), "LANCE_DEFAULT_BATCH_SIZE": "256"}
"""Bytes that are read ahead, and rows that are decoded at once. With its own 2 GB and 8,192 rows,
of which any may hold a thumbnail, to merge the files of a run takes hundreds of MB."""
_CACHES = {"index_cache_size_bytes": 512 << 20, "metadata_cache_size_bytes": 32 << 20}
"""Most that a connection keeps in memory; by itself it would be 6 and 1 GB, never given back."""


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


def session() -> "lancedb.Session":
    """Caches of a connection."""
    return lancedb.Session(**_CACHES)


def release_memory() -> None:
    """Give freed memory back to the system: glibc keeps it, in a heap for each thread."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)


_delay(_CLIENTS)
for _name, _value in _SPARING.items():
    os.environ.setdefault(_name, _value)

import lancedb  # noqa: E402 - only now
import lancedb.index  # noqa: E402
import lancedb.query  # noqa: E402

__all__ = ["lancedb", "release_memory", "session"]
