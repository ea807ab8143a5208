"""Files of results, written whole or not at all, and checked when they are read."""

import gzip
import json
import zlib
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from heap.base.errors import InputError, StoreError
from heap.base.files import replacing
from heap.benchmark.results.records import FORMAT, Results, round_floats

_ADAPTER = TypeAdapter(Results)


def write_results(results: Results, path: Path) -> None:
    """Write the file whole or not at all.

    Raises:
        InputError: if it cannot be written.
    """
    text = _to_text(results).encode()
    with replacing(path) as file:
        if path.suffix != ".gz":
            file.write(text)
            return
        # Without time and name in the header, the same results give the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            packed.write(text)


def read_results(path: Path) -> Results:
    """Read a file that `write_results` made.

    Raises:
        InputError: if there is no file to read.
        StoreError: if it is damaged, no file of results, or of another format.
    """
    try:
        raw = path.read_bytes()
        return _ADAPTER.validate_json(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _unusable(path, f"its compression is damaged: {error}") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); give a file that `heap evaluate` wrote"
        ) from error
    except ValidationError as error:
        raise _explain(path, error) from None


def _to_text(results: Results) -> str:
    about = _ADAPTER.dump_python(results, mode="json", exclude={"rows"})
    about |= {key: round_floats(about[key]) for key in ("cost", "protocols")}
    lines = [json.dumps(row.to_json(), allow_nan=False) for row in results.rows]
    head = json.dumps(about, indent=1, allow_nan=False).removesuffix("\n}")
    return head + ',\n "rows": [\n' + ",\n".join(lines) + "\n]}\n"


def _explain(path: Path, error: ValidationError) -> StoreError:
    faults = error.errors(include_url=False)
    for fault in faults:
        if fault["loc"] == ("format",) and fault["type"] != "missing":
            return StoreError(
                f"{path} is of format {fault['input']!r}, and this heap reads format {FORMAT}; "
                "use the heap that wrote it, or repeat the command that it holds"
            )
    complaints = "; ".join(
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" if fault["loc"] else fault["msg"]
        for fault in faults[:3]
    )
    return _unusable(path, complaints)


def _unusable(path: Path, reason: str) -> StoreError:
    return StoreError(f"{path} is no usable file of results ({reason}); run `heap evaluate` again")
