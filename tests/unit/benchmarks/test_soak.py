"""Waiting for commands that a soak kills."""

import sys
from pathlib import Path

from benchmarks.soak.kills import Command, _Starter


class AtOnce(_Starter):
    """Starter whose command has ended before anybody looks: both lines come in one piece."""

    command = (
        sys.executable, "-c",
        "import os, sys; sys.stdin.readline(); os.write(1, b'pid 1\\nend 2\\n'); sys.stdin.read()",
    )  # fmt: skip


def test_a_command_that_fails_at_once_has_ended(tmp_path: Path) -> None:
    command = Command("fails", ["--no-such"], tmp_path, None, 1, lambda began: True)
    with AtOnce(tmp_path / "work") as starter:
        starter.start(command)
        assert starter._ended(60)
        assert starter.status() == 2
