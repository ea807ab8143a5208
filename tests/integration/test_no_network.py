"""What discover does with a network that it may not touch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REFUSE = """
import os, runpy, sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        print(event, arguments, file=sys.stderr, flush=True)
        os._exit(99)
sys.addaudithook(refuse)
"""


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A process in which every use of the network ends it with 99."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    command = [sys.executable, "-c", REFUSE + program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=clean)


@pytest.mark.parametrize("model", ["a folder", "that of the package"])
def test_a_run_looks_up_no_name_and_connects_to_nothing(
    photos: Path, model_folder: Path, tmp_path: Path, model: str
) -> None:
    program = "runpy.run_module('heap', run_name='__main__')"
    options = ["--model", model_folder] if model == "a folder" else []
    command = ["discover", photos, *options, "--limit", 2, "--out", tmp_path / "run"]
    done = run(program, *command)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "objects.json").is_file()


def test_an_export_for_openvino_tells_nobody(model_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="the packages of heap[openvino] are not installed")
    # OpenVINO sends from a process of its own, which only leaves a line; and none where CI is set.
    program = "os.environ.pop('CI', None); runpy.run_module('heap', run_name='__main__')"
    out = tmp_path / "model.xml"
    done = run(program, "export-model", model_folder, "--format", "openvino", "--out", out)
    assert done.returncode == 0, done.stderr
    assert out.is_file()
    assert "socket." not in done.stderr


def test_the_process_ends_where_the_network_is_used() -> None:
    done = run("import socket; socket.create_connection(('127.0.0.1', 9))")
    assert done.returncode == 99
    assert "socket.getaddrinfo" in done.stderr
