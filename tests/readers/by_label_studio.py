"""Converts a COCO file by Label Studio's own converter, and prints the tasks: `FILE`.

Run by the interpreter of an environment of its own, without this package.
"""

import contextlib
import io
import sys
import tempfile
from pathlib import Path

from label_studio_sdk.converter.imports.coco import convert_coco_to_ls


def main(file: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tasks = Path(folder) / "tasks.json"
        # It prints advice on what to do next.
        with contextlib.redirect_stdout(io.StringIO()):
            convert_coco_to_ls(file, str(tasks), image_root_url="/data/local-files/?d=images")
        print(tasks.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(*sys.argv[1:])
