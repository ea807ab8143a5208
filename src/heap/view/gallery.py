"""Gallery: the page in one file that needs no network, with all of a run inside."""

import hashlib
import json
import mmap
import re
from base64 import b64encode
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO

from heap.base.files import replacing
from heap.base.progress import OnProgress, silent
from heap.base.timing import timed
from heap.report.outlines import region_map
from heap.store.records import Finished
from heap.store.store import RunStore
from heap.view.contents import Contents, collect_contents, describe_run, trace_outlines
from heap.view.snapshot import Snapshot

GALLERY = "gallery.html"
"""Name of the gallery in the folder of a run."""
PAGE = Path(str(files("heap.view"))) / "page"
"""Folder of the page's HTML, style and scripts."""
_IMPORT = re.compile(r'^import ([^;]*) from "\./([\w.]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:const|class|function|async function) (\w+)", re.MULTILINE)
_LOADED = re.compile(r'^<(link|script) .*"static/.*\n', re.MULTILINE)
"""Lines of the page by which a browser loads style and scripts from the application."""
_END = b"<!--end of drawings-->\n"


@timed("gallery")
def write_gallery(store: RunStore, path: Path, on_progress: OnProgress = silent) -> None:
    """Write the gallery of a run as it is now, one image at a time in memory.

    Drawings, nearly all of the file, do not depend on categories or on what was rejected: where
    those of the gallery that is there are right, they are copied, which takes a moment.

    Raises:
        InputError: if the file cannot be written.
        StoreError: if the store is damaged.
    """
    now = Snapshot.take(store)
    # Runs that were not made by `heap discover` may not say anything of a model.
    features = store.config.get("model", {}).get("features", {})
    run = describe_run(now, path.resolve().parent.name, str(features.get("encoder", "")))
    data = collect_contents(now, run, with_rejected=False)
    start = f"{_head()}<!--drawings of {_digest(now, data)}-->\n".encode()
    # The application and the command line may write it at the same time.
    with replacing(path, shared=True) as file:
        file.write(start)
        if not _copy_drawings(path, start, file):
            for line in _drawings(store, data.images.key, on_progress):
                file.write(line)
            file.write(_END)
        file.write(_block("contents", json.dumps(data.model_dump())).encode())
        script = f'<script type="module">{_script()}</script>'
        file.write(f"{script}\n</body>\n</html>\n".encode())


def _copy_drawings(path: Path, start: bytes, file: BinaryIO) -> bool:
    """Copy the drawings of the file at `path`; False if it does not begin with `start`."""
    try:
        with (
            path.open("rb") as earlier,
            mmap.mmap(earlier.fileno(), 0, access=mmap.ACCESS_READ) as page,
        ):
            end = page.rfind(_END)
            if page[: len(start)] != start or end < 0:
                return False
            file.write(page[len(start) : end + len(_END)])
            return True
    except (OSError, ValueError):  # There is none, or an empty one.
        return False


def _drawings(store: RunStore, keys: list[str], on_progress: OnProgress) -> Iterator[bytes]:
    row_of = {key: row for row, key in enumerate(keys)}
    for done, record in enumerate(store.records()):
        on_progress("gallery", done, len(keys))
        yield _block(f"drawing-{row_of[record.key]}", _drawing(record)).encode()
    on_progress("gallery", len(keys), len(keys))


def _drawing(record: Finished) -> str:
    drawn = {
        "thumbnail": b64encode(record.thumbnail).decode(),
        "regions": b64encode(region_map(record.result)).decode(),
    }
    return json.dumps(drawn | trace_outlines(record.result).model_dump())


def _digest(now: Snapshot, data: Contents) -> str:
    """Digest of everything that drawings depend on; one run has one model, which is not in it."""
    content = now.images["digest"].to_pylist()
    drawn = (content, data.images.model_dump(), data.objects.image, data.objects.box)
    return hashlib.blake2b(json.dumps(drawn).encode(), digest_size=16).hexdigest()


def _block(name: str, data: str) -> str:
    """Block of JSON in which names and messages stay text: no < of theirs can end the block."""
    text = data.replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>\n'


def _head() -> str:
    """Page up to the end of its body, with its style, and a policy that allows only its script."""
    style = (PAGE / "view.css").read_text("utf-8")
    policy = (
        f"default-src 'none'; img-src blob:; style-src {_csp_hash(style)}; script-src "
        f"{_csp_hash(_script())}; base-uri 'none'; form-action 'none'"
    )
    page = _LOADED.sub("", (PAGE / "index.html").read_text("utf-8"))
    extra = (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>{style}</style>\n'
    )
    head, _, body = page.partition("</head>")
    return f"{head}{extra}</head>{body.partition('</body>')[0]}"


def _script() -> str:
    """All modules of the page as one script, because browsers load no modules from a disk."""
    bundle = dict[str, str]()
    _bundle("main.js", bundle)
    *earlier, main = bundle.items()
    # Nothing imports from the last one, so it needs no function around it, where it could not wait.
    return (
        "".join(f"const {_variable(name)} = (() => {{\n{text}}})();\n" for name, text in earlier)
        + main[1]
    )


def _bundle(name: str, bundle: dict[str, str]) -> None:
    """Add a module after those that it imports, its imports and exports as plain assignments."""
    text = (PAGE / name).read_text("utf-8")
    for imported in _IMPORT.finditer(text):
        if imported[2] not in bundle:
            _bundle(imported[2], bundle)
    text = _IMPORT.sub(lambda line: f"const {line[1]} = {_variable(line[2])};\n", text)
    names = ", ".join(_EXPORT.findall(text))
    bundle[name] = _EXPORT.sub(lambda line: line[0].removeprefix("export "), text)
    bundle[name] += f"return {{ {names} }};\n" if names else ""


def _variable(module: str) -> str:
    return module.replace(".", "_")


def _csp_hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
