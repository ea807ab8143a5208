"""Gallery: the page in one file that needs no network, with all of a run inside."""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from io import BufferedIOBase, BytesIO
from pathlib import Path

import pyarrow as pa

from heap.base.files import replacing
from heap.base.progress import OnProgress, silent
from heap.base.timing import timed
from heap.categories.projection import read_map
from heap.report.outlines import region_map
from heap.store.records import Finished
from heap.store.store import RunStore
from heap.view.contents import collect_contents, describe_run, to_places, trace_outlines
from heap.view.snapshot import Snapshot

GALLERY = "gallery.html"
"""Name of the gallery in the folder of a run."""
PAGE = Path(str(files("heap.view"))) / "page"
"""Folder of the page's HTML, style and scripts."""
_MOST = 20_000
"""Images in a gallery, spread evenly over the run: no browser opens a file of gigabytes."""
_IMPORT = re.compile(r'^import ([^;]*) from "\./([\w.]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:const|class|function|async function) (\w+)", re.MULTILINE)
_LOADED = re.compile(r'^<(link|script) .*"static/.*\n', re.MULTILINE)
"""Lines of the page by which a browser loads style and scripts from the application."""
_DRAWING = re.compile(
    rb'<script type="application/json" id="drawing-\d+">(?=\{"of": "([0-9a-f]+)")'
)
"""Beginning of the line of a drawing, and the digest of what it was made of."""
_CLOSING = b"</script>\n"
_END = b"<!--end of drawings-->\n"


@timed("gallery")
def write_gallery(store: RunStore, path: Path | str, on_progress: OnProgress = silent) -> None:
    """Write the gallery of a run as it is now, one image at a time in memory.

    Drawings, nearly all of the file, do not depend on categories or on what was rejected: those
    that the gallery which is there has of the same results are copied, which takes a moment. Of a
    run with very many images it shows a sample, and says so.

    Raises:
        InputError: if the file cannot be written.
        StoreError: if the store is damaged.
    """
    whole = Snapshot.take(store)
    now = whole.sample(_MOST)
    # Runs that were not made by `heap discover` may not say anything of a model.
    features = store.config.get("model", {}).get("features", {})
    run = describe_run(now, _folder_name(path), str(features.get("encoder", "")))
    if now is not whole:
        run = run.model_copy(update={"sample_of": whole.images.num_rows})
    data = collect_contents(now, run, with_rejected=False)
    origins = dict(zip(data.images.key, data.images.version, strict=True))
    start = _head().encode()
    # The application and the command line may write it at the same time.
    with replacing(path, shared=True) as file, _open_earlier(path, start) as earlier:
        file.write(start)
        for block in _drawings(store, origins, earlier, on_progress):
            file.write(block)
        file.write(_END)
        file.write(_block("contents", json.dumps(data.model_dump())).encode())
        if (drawn := read_map(store)) is not None:
            shown = set(now.objects["id"].filter(pa.array(now.accepted)).to_pylist())
            file.write(_block("map", to_places(drawn, shown).model_dump_json()).encode())
        script = f'<script type="module">{_script()}</script>'
        file.write(f"{script}\n</body>\n</html>\n".encode())


def _folder_name(path: Path | str) -> str:
    return path.rsplit("/", 2)[-2] if isinstance(path, str) else path.resolve().parent.name


class _Earlier:
    """Drawings of a gallery that is there, by the digests of what they were made of."""

    def __init__(self, page: BufferedIOBase, start: bytes) -> None:
        self._page = page
        self._places = dict[str, tuple[int, int]]()
        """Place and length of each drawing after its opening tag. Not the drawings, nor a map of
        the file: those of 10,000 photos take 350 MB."""
        if page.read(len(start)) != start:
            return
        at = len(start)
        for line in page:
            if line == _END:
                return
            if block := _DRAWING.match(line):
                self._places[block[1].decode()] = (at + block.end(), len(line) - block.end())
            at += len(line)
        self._places.clear()  # it was cut short

    def __contains__(self, origin: str) -> bool:
        """Whether there is the drawing of this digest."""
        return origin in self._places

    def block(self, origin: str) -> bytes:
        """Block of a drawing after its opening tag; empty if there is none."""
        place, length = self._places.get(origin, (0, 0))
        self._page.seek(place)
        return self._page.read(length)


@contextmanager
def _open_earlier(path: Path | str, start: bytes) -> Iterator[_Earlier]:
    """Open the gallery at `path`; one that does not begin with `start`, or at a URL, is none."""
    page: BufferedIOBase = BytesIO()
    if isinstance(path, Path):
        with suppress(OSError):  # There is none.
            page = path.open("rb")
    with page:
        yield _Earlier(page, start)


def _drawings(
    store: RunStore, origins: dict[str, str], earlier: _Earlier, on_progress: OnProgress
) -> Iterator[bytes]:
    """Blocks of the drawings of all images, in the order of `origins`, which is that of keys."""
    drawn = store.records([key for key, origin in origins.items() if origin not in earlier])
    record = next(drawn, None)
    for row, (key, origin) in enumerate(origins.items()):
        on_progress("gallery", row, len(origins))
        block = earlier.block(origin)
        if record is not None and record.key == key:
            block, record = _escape(_drawing(record, origin)).encode() + _CLOSING, next(drawn, None)
        if block:  # What is damaged has none.
            yield f'<script type="application/json" id="drawing-{row}">'.encode() + block
    on_progress("gallery", len(origins), len(origins))


def _drawing(record: Finished, origin: str) -> str:
    drawn = {
        "of": origin,
        "thumbnail": b64encode(record.thumbnail).decode(),
        "regions": b64encode(region_map(record.result)).decode(),
    }
    return json.dumps(drawn | trace_outlines(record.result).model_dump())


def _block(name: str, data: str) -> str:
    """Block of JSON of the page."""
    return f'<script type="application/json" id="{name}">{_escape(data)}{_CLOSING.decode()}'


def _escape(data: str) -> str:
    """JSON in which names and messages stay text: no < of theirs can end the block."""
    return data.replace("<", "\\u003c")


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
