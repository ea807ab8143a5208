"""Licences of what is installed with the package: all are allowed, and the tool can tell."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(scope="module")
def licences() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOLS))
        spec = importlib.util.spec_from_file_location("licences", TOOLS / "licences.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


def test_all_that_is_installed_is_allowed() -> None:
    command = [sys.executable, str(TOOLS / "licences.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    listed = dict(line.split("\t") for line in done.stdout.splitlines())
    assert {"heap", "torch", "numpy", "pillow", "lancedb"} <= listed.keys()
    assert "pytest" not in listed


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 WITH LLVM-exception AND (BSD-2-Clause OR MIT)", True),
        ("MIT AND GPL-3.0-only", False),
        ("LGPL-2.1-or-later", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_expressions(licences: ModuleType, licence: str, allowed: bool) -> None:
    assert licences.is_allowed(licence) is allowed


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("Apache 2.0 License", "Apache-2.0"),
        ("BSD 3-Clause License", "BSD-3-Clause"),
        ("Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"),
        ("GNU General Public License v3", "GNU General Public License v3"),
    ],
)
def test_words(licences: ModuleType, text: str, identifier: str) -> None:
    assert licences.spdx(text) == identifier
