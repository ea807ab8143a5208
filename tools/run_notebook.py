"""Run the notebook of the documentation and write it back with small outputs.

    .venv/bin/python tools/run_notebook.py docs/tutorial.ipynb

It runs in a temporary folder that has nothing but `docs` and `demo/photos`. Outputs are shrunk, and
stripped of what differs from one run to the next, so that a second run gives a small diff.
"""

import argparse
import base64
import os
import shutil
import sys
import tempfile
from io import BytesIO
from pathlib import Path

# Read when jupyter_core is imported, which otherwise warns of where it looks.
os.environ["JUPYTER_PLATFORM_DIRS"] = "1"
# What the kernel says where ipywidgets is missing, whether there is a bar to show or not.
os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from PIL import Image
from traitlets.config import Config

ROOT = Path(__file__).parents[1]
SIDE = 960
"""Pixels of the longer side of a picture."""
QUALITY = 75
PICTURES = ("image/png", "image/jpeg")


def main() -> int:
    """Run the notebook; 1 if a cell fails or warns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--out", type=Path, help="where to write it; by default in its place")
    chosen = parser.parse_args()
    notebook = nbformat.read(chosen.notebook, as_version=4)
    try:
        execute(notebook)
    except CellExecutionError as error:
        sys.stderr.write(f"{chosen.notebook}: {error}\n")
        return 1
    tidy(notebook)
    if warned := [output.text for output in outputs(notebook) if output.get("name") == "stderr"]:
        sys.stderr.write(f"{chosen.notebook} writes to standard error: {warned[0]}\n")
        return 1
    nbformat.write(notebook, chosen.out or chosen.notebook)
    return 0


def execute(notebook: NotebookNode) -> None:
    """Run all cells in a kernel of this Python, in a folder like `docs`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "demo" / "photos", folder / "demo" / "photos")
        (folder / "docs").mkdir()
        # Nothing of the user's own, and sockets that nobody else can read.
        os.environ["IPYTHONDIR"] = os.environ["JUPYTER_RUNTIME_DIR"] = str(folder / "jupyter")
        client = NotebookClient(
            notebook,
            timeout=300,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": str(folder / "docs")}},
            config=Config({"KernelManager": {"transport": "ipc", "ip": str(folder / "kernel")}}),
        )
        client.execute()


def tidy(notebook: NotebookNode) -> None:
    """Keep of the metadata what opens the notebook, and of pictures a small JPEG."""
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    for cell in notebook.cells:
        cell.metadata = NotebookNode()
    for output in outputs(notebook):
        kinds = [kind for kind in PICTURES if kind in output.get("data", {})]
        if kinds:
            output.data = shrunk(base64.b64decode(output.data[kinds[0]]))
            output.metadata = NotebookNode()


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    """The outputs of all cells."""
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def shrunk(data: bytes) -> NotebookNode:
    """A picture as a small JPEG, and in words without its place in memory."""
    with Image.open(BytesIO(data)) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = BytesIO()
    picture.save(file, "JPEG", quality=QUALITY, optimize=True)
    text = f"a picture of {picture.width} × {picture.height} pixels"
    return NotebookNode({
        "image/jpeg": base64.b64encode(file.getvalue()).decode(),
        "text/plain": text,
    })  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
