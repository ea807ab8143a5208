from pathlib import Path

import pytest

from heap.base.cache import cache_dir


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAP_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")


def test_it_is_in_the_home_folder() -> None:
    assert cache_dir() == Path("/home/somebody/.cache/heap")


def test_xdg_moves_it_unless_relative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/scratch")
    assert cache_dir() == Path("/scratch/heap")
    monkeypatch.setenv("XDG_CACHE_HOME", "scratch")
    assert cache_dir() == Path("/home/somebody/.cache/heap")


def test_our_own_variable_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/scratch")
    monkeypatch.setenv("HEAP_CACHE_DIR", "/mine")
    assert cache_dir() == Path("/mine")
