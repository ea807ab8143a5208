"""LanceDB as the store uses it: connections, tables, and its errors as `StoreError`."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import pyarrow as pa

from heap.base.errors import ConfigError, HeapError, StoreError, WriteError, first_line, is_full
from heap.base.remote import explain
from heap.images.source import is_url
from heap.store import schema
from heap.store.lance import lancedb, session

Database = lancedb.DBConnection
Table = lancedb.table.Table

_PATIENCE = {"client_max_retries": "10"}
"""Requests that an object store answers by 5xx are made again so often, after pauses that grow to
15 seconds; three times, LanceDB's default, are over in less than three seconds."""
_SEAL = "checksum"
"""Key of the checksum in the stored configuration."""


_DAMAGE = re.compile(
    "corrupt|protobuf|invalid range|too small|whole buffer|not found|invalid direct|metadata region"
    "|magic|truncated|unexpected end|have changed|to unpack|reshape|buffer size|invalid .*layout"
    "|utf-?8",
    re.IGNORECASE,
)
"""In the messages of LanceDB, Arrow, NumPy and our own about files and rows that are not whole.
LanceDB raises the same classes for these as for a disk that does not answer or a wrong question."""
_REFUSED = re.compile(
    "no space left|file too large|quota exceeded|permission denied|read-only file system",
    re.IGNORECASE,
)
"""In the messages of LanceDB about disks that are full or may not be written."""


@contextmanager
def reading(run: object) -> Iterator[None]:
    """Report whatever goes wrong inside as a store that is damaged, or else cannot be read."""
    with _translate(lambda error: StoreError(_read_failure(run, error))):
        yield


@contextmanager
def writing(run: object) -> Iterator[None]:
    """Report whatever goes wrong inside as a store that cannot be written.

    A disk that is full, or may not be written, is a `WriteError`: nothing is wrong with the store.
    """
    with _translate(lambda error: _write_failure(run, error)):
        yield


@contextmanager
def _translate(to_failure: Callable[[BaseException], HeapError]) -> Iterator[None]:
    try:
        yield
    except HeapError:
        raise
    except Exception as error:
        raise to_failure(error) from error
    except BaseException as error:
        # A panic in LanceDB's Rust code is no Exception, and its class cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise to_failure(error) from error


def _write_failure(run: object, error: BaseException) -> HeapError:
    if advice := explain(error):
        return WriteError(f"the store of {run} cannot be written: {advice}")
    if _DAMAGE.search(str(error)):
        return StoreError(
            f"the store of {run} is damaged ({_first_line(error)}), and nothing was changed; `heap "
            "discover` with the same images does what is damaged again"
        )
    full = isinstance(error, OSError) and is_full(error)
    kind = WriteError if full or _REFUSED.search(str(error)) else StoreError
    return kind(
        f"the store of {run} cannot be written ({_first_line(error)}); check its space and "
        "permissions, then repeat the command"
    )


def _read_failure(run: object, error: BaseException) -> str:
    if advice := explain(error):
        return f"the store of {run} cannot be read: {advice}"
    reason = _first_line(error)
    # A KeyError means that rows lack a column.
    known = isinstance(error, json.JSONDecodeError | KeyError)
    if known or _DAMAGE.search(str(error)):
        return f"the store of {run} is damaged ({reason}); delete {run} to start again"
    return (
        f"the store of {run} cannot be read ({reason}); nothing in it was changed: check its "
        "permissions and connection, and repeat it with --debug to see where this is from"
    )


def connect(url: str) -> Database:
    """Open the database at a path or URL."""
    patience = _PATIENCE if is_url(url) else None
    return lancedb.connect(url, storage_options=patience, session=session())


def create_tables(database: Database, config: Mapping[str, Any], model: str) -> None:
    """Make an empty store; the table of objects follows when the dimension is known."""
    # In an object store a kill may have left this table without the next one.
    database.create_table(schema.IMAGES, schema=schema.IMAGES_SCHEMA, exist_ok=True)
    row = {
        "schema_version": schema.SCHEMA_VERSION,
        "heap_version": version("heap"),
        "config": _add_seal(config, model),
        "model": model,
    }
    rows = pa.Table.from_pylist([row], schema=schema.CONFIG_SCHEMA)
    database.create_table(schema.CONFIG, rows)


def find_table(database: Database, name: str) -> Table | None:
    """Open the latest version of a table, or None if there is no such table."""
    try:
        return database.open_table(name)
    except ValueError as error:
        if "was not found" not in str(error):
            raise
        return None


def put_table(database: Database, name: str, rows: pa.Table) -> None:
    """Write rows in the place of all rows of a table; readers see the old ones or the new ones."""
    # LanceDB warns where there is nothing to overwrite.
    mode = "create" if find_table(database, name) is None else "overwrite"
    database.create_table(name, rows, mode=mode)


def read_config(database: Database, run: object) -> tuple[int, dict[str, Any]]:
    """Schema version of the store, and the configuration that it was made with.

    Raises:
        StoreError: if the store is of a newer schema version, or damaged.
    """
    with reading(run):
        table = find_table(database, schema.CONFIG)
        if table is None:
            raise StoreError(f"{run} holds no complete run; give the folder of one")
        (row,) = table.to_arrow().to_pylist()
        if not 1 <= row["schema_version"] <= schema.SCHEMA_VERSION:
            raise StoreError(
                f"{run} has a store of version {row['schema_version']}, made by heap "
                f"{row['heap_version']}; heap {version('heap')} reads versions 1 to "
                f"{schema.SCHEMA_VERSION}: use the heap that made it, or choose another --out"
            )
        config: dict[str, Any] = json.loads(row["config"])
        seal = config.pop(_SEAL, None)  # Stores of earlier versions have none.
        if seal is not None and seal != _checksum(config, row["model"] or ""):
            raise StoreError(
                f"the store of {run} is damaged: the configuration that it was made with has "
                "changed; choose another --out"
            )
    return int(row["schema_version"]), config


def _add_seal(config: Mapping[str, Any], model: str) -> str:
    """The configuration as JSON, with a checksum of it and of the model's name."""
    return json.dumps({**config, _SEAL: _checksum(config, model)}, sort_keys=True)


def _checksum(config: Mapping[str, Any], model: str) -> str:
    whole = json.dumps([config, model], sort_keys=True).encode()
    return hashlib.blake2b(whole, digest_size=16).hexdigest()


def to_plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration as JSON gives it back, so that it equals a stored one."""
    try:
        plain_config: dict[str, Any] = json.loads(json.dumps(dict(config), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the configuration is not plain JSON: {error}") from None
    return plain_config


def _first_line(error: BaseException) -> str:
    """The first line of the message, without the place in LanceDB's source that it ends with."""
    return first_line(error).split(", /")[0][:200] or type(error).__name__
