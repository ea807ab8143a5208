import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from heap.doctor import Check, check
from heap.encoder.registry import packaged_encoder


def find(what: str, findings: list[Check]) -> Check:
    return next(finding for finding in findings if finding.what == what)


def test_it_reports_what_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAP_CACHE_DIR", str(tmp_path))
    findings = check()
    assert find("Python", findings).value == platform.python_version()
    assert torch.__version__ in find("torch", findings).value
    assert find("threads", findings).value == str(torch.get_num_threads())
    assert find("hub", findings) == Check("hub", "not asked; --network asks it")
    assert (
        find("embedded weights", findings).ok
        == (packaged_encoder("embedded") / "config.json").is_file()
    )
    formats = {"JPEG", "PNG", "WebP", "AVIF", "TIFF", "JPEG 2000", "HEIC"}
    assert formats <= {each.what for each in findings}
    assert all(finding.ok == (not finding.hint) for finding in findings)


def test_photos_of_phones_need_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find("HEIC", check()).value == "yes"
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    finding = find("HEIC", check())
    assert finding.ok
    assert "heap[heic]" in finding.value


def test_it_tells_of_the_device_that_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEAP_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    assert find("bf16", check()).value == "not on mps; fp32 is used"


def test_a_cache_that_is_not_there_yet_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEAP_CACHE_DIR", str(tmp_path / "a" / "b"))
    assert find("cache", check()) == Check("cache", str(tmp_path / "a" / "b"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["/proc/heap", "/dev/null/heap"])
def test_a_cache_that_cannot_be_written(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAP_CACHE_DIR", place)
    finding = find("cache", check())
    assert not finding.ok
    assert "HEAP_CACHE_DIR" in finding.hint


@pytest.mark.parametrize(
    "environment", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}]
)
def test_a_hub_that_cannot_be_reached_is_a_finding(environment: dict[str, str]) -> None:
    code = (
        "from heap.doctor import check;"
        "hub, = [finding for finding in check(network=True) if finding.what == 'hub'];"
        "print(hub.ok, hub.value)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("False no answer (http")


def test_importing_it_does_not_import_torch() -> None:
    code = "import sys, heap.doctor; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
