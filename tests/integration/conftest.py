import shlex
import sys
from pathlib import Path

import pytest


@pytest.fixture
def forked(python: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands that are started by `sys.executable` in this process be forked."""
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(python)} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
