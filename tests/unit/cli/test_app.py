"""Consoles of the command line."""

import pytest

from heap.cli.app import err_console, out_console


def test_names_and_paths_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    line = f"Model in /data/:star:/[bold]new[/x] {'of a long name ' * 20}"
    out_console.print(line)
    err_console.print(line)
    assert capsys.readouterr() == (f"{line}\n", f"{line}\n")
