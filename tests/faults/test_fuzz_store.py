"""Flipped bits and mutated bytes in a store: what is wrong is left out, named, or refused."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from fuzzing import SEEDS, mutated, tries
from hypothesis import example, given
from store_writer import write
from stored import contents, count_left_out, files, write_small

import heap
from heap.base.errors import HeapError
from heap.categories.listing import categories
from heap.export.command import Choices, export
from heap.store.store import RunStore

FOLDERS = ("data", "_versions", "_transactions")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small(tmp_path_factory.mktemp("small"))


def damaged(small: Path, copy: Path, draw: np.random.Generator) -> Path:
    """A copy of the run with damage in one of its files."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(small, copy)
    named = [file for folder in FOLDERS for file in files(small, folder)]
    path = copy / named[int(draw.integers(len(named)))]
    data = bytearray(path.read_bytes())
    if draw.random() < 0.7:
        for place in draw.integers(0, 8 * len(data), int(draw.integers(1, 4))):
            data[place // 8] ^= 1 << int(place % 8)
        path.write_bytes(data)
    else:
        path.write_bytes(mutated(bytes(data), draw))
    return copy


def test_damage_anywhere_gives_no_wrong_record(
    small: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    truth = contents(small)

    @given(seed=SEEDS)
    @tries(4)
    def check(seed: int) -> None:
        copy = damaged(small, tmp_path / "copy", np.random.default_rng(seed))
        caplog.clear()
        try:
            found = contents(copy)
        except HeapError:
            return
        count_left_out(found, truth, caplog.text)

    check()


def test_what_reads_a_damaged_run_without_its_checksums_raises_no_foreign_error(
    small: Path, tmp_path: Path
) -> None:
    """Tables and categories are read as they are; only whole records have a checksum."""
    readers: tuple[Callable[[Path], object], ...] = (
        lambda run: heap.open(run).objects.to_arrow(),
        lambda run: categories(RunStore.open(run)),
        lambda run: export(run, "csv", tmp_path / "out", Choices()),
    )

    @example(seed=384)
    @example(seed=668)
    @given(seed=SEEDS)
    @tries(2)
    def check(seed: int) -> None:
        copy = damaged(small, tmp_path / "copy", np.random.default_rng(seed))
        for read in readers:
            with suppress(HeapError):
                read(copy)

    check()


def test_a_damaged_run_goes_on_or_is_refused(small: Path, tmp_path: Path) -> None:
    truth = contents(small)

    @given(seed=SEEDS)
    @tries(2)
    def check(seed: int) -> None:
        copy = damaged(small, tmp_path / "copy", np.random.default_rng(seed))
        try:
            write(copy, 20, 4)
        except HeapError:
            return
        assert contents(copy) == truth, "all that was damaged is done again"

    check()
