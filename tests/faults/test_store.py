import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from store_writer import CONFIG, record, write

from heap.collection import schema, writer
from heap.collection.records import Failure
from heap.collection.store import RunStore
from heap.errors import InputError, StoreError

WRITER = Path(__file__).with_name("store_writer.py")
IMAGES, CHUNK = 240, 4


def contents(run: Path) -> list[object]:
    """Everything a run holds but its thumbnails, in a form that compares."""
    store = RunStore.open(run)
    records = [frozen(replace(record, thumbnail=b"")) for record in store.records()]
    return [records, list(store.failures()), store.finished(), store.counts(), store.config]


def thumbnails(run: Path) -> list[bytes]:
    return [record.thumbnail for record in RunStore.open(run).records()]


def frozen(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tobytes()
    return list(map(frozen, vars(value).values())) if hasattr(value, "__dict__") else value


def start(run: Path, *more: object) -> subprocess.Popen[str]:
    command = [sys.executable, WRITER, run, IMAGES, CHUNK, *more]
    return subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("uninterrupted")
    write(run, IMAGES, CHUNK)
    return run


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that keeps no earlier versions: all of its files are needed."""
    run = tmp_path_factory.mktemp("small")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "READERS", timedelta(milliseconds=1))
        write(run, 20, CHUNK)
        time.sleep(0.05)  # versions of the last milliseconds are left to the next time
        write(run, 20, CHUNK)
    return run


def test_kills_at_any_moment_lose_and_double_nothing(tmp_path: Path, uninterrupted: Path) -> None:
    run, chance = tmp_path / "run", np.random.default_rng(0)
    for kill in range(5):
        child = start(run)
        assert child.stdout is not None
        acknowledged = int(child.stdout.readline())
        for _ in range(chance.integers(7)):
            acknowledged = int(child.stdout.readline())
        time.sleep(chance.uniform(0, 0.02))
        child.kill()
        rest, _ = child.communicate()
        acknowledged = max([acknowledged, *map(int, rest.split("\n")[:-1])])
        with RunStore.create_or_open(run, CONFIG) as store:
            keys = store.finished()
            assert acknowledged <= len(keys) <= acknowledged + CHUNK, f"kill {kill}"
            assert keys == {record(place).key for place in range(len(keys))}
            owners = store.table(schema.OBJECTS).to_arrow()["key"].to_pylist()
            assert set(owners) <= keys
            assert len(list(store.records())) + len(list(store.failures())) == len(keys)
    write(run, IMAGES, CHUNK)
    assert contents(run) == contents(uninterrupted)
    assert thumbnails(run) == thumbnails(uninterrupted)


def test_a_kill_in_the_first_moments_leaves_a_run_that_can_be_made(tmp_path: Path) -> None:
    partial = tmp_path / ".store-partial" / "images.lance" / "data"
    partial.mkdir(parents=True)
    (partial / "torn.lance").write_bytes(b"LANC")
    write(tmp_path, 8, 4)
    assert len(RunStore.open(tmp_path).finished()) == 8
    assert not (tmp_path / ".store-partial").exists()


def test_a_kill_while_the_table_of_objects_is_made_costs_nothing(tmp_path: Path) -> None:
    with RunStore.create_or_open(tmp_path, CONFIG) as store:
        store.add([Failure("0/image 0000.jpg", "decode", "torn at byte 0")])
    torn = tmp_path / "store" / "objects.lance" / "data"
    torn.mkdir(parents=True)
    (torn / "torn.lance").write_bytes(b"LANC")
    write(tmp_path, 8, 4)
    assert RunStore.open(tmp_path).counts().objects == sum(
        place % 4 + 1 for place in range(8) if place % 5 > 1
    )


def test_objects_of_an_image_that_was_never_finished_are_removed(tmp_path: Path) -> None:
    write(tmp_path, 8, 4)
    with RunStore.create_or_open(tmp_path, CONFIG) as store:
        store.table(schema.IMAGES).delete("key = '2/image 0002.jpg'")
    write(tmp_path, 8, 4)
    ids = RunStore.open(tmp_path).table(schema.OBJECTS).to_arrow()["id"].to_pylist()
    assert sorted(name for name in ids if name.startswith("2/")) == [
        "2/image 0002.jpg#0",
        "2/image 0002.jpg#1",
        "2/image 0002.jpg#2",
    ]


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    child = start(tmp_path / "run")
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(signal.SIGSTOP)
    yield child
    child.kill()
    child.communicate()


def test_a_second_writer_is_refused_and_told_of_the_first(
    tmp_path: Path, writing: subprocess.Popen[str]
) -> None:
    with pytest.raises(InputError, match=f"process {writing.pid} on {socket.gethostname()}"):
        RunStore.create_or_open(tmp_path / "run", CONFIG)
    assert RunStore.open(tmp_path / "run").config == CONFIG  # reading needs no lock


def test_the_lock_of_a_dead_process_is_taken_over(
    tmp_path: Path, writing: subprocess.Popen[str]
) -> None:
    writing.kill()
    writing.wait()
    assert str(writing.pid) in (tmp_path / "run" / ".lock").read_text()
    RunStore.create_or_open(tmp_path / "run", CONFIG).close()


def test_a_refused_writer_leaves_no_lock(tmp_path: Path) -> None:
    RunStore.create_or_open(tmp_path, CONFIG).close()
    for _ in range(2):
        with pytest.raises(Exception, match="another configuration"):
            RunStore.create_or_open(tmp_path, {"made": "up", "of": "other"})
    RunStore.create_or_open(tmp_path, CONFIG).close()


@pytest.mark.parametrize("name", ["holiday.jpg", "store/notes.txt", "objects.json"])
def test_a_folder_that_holds_something_else_is_not_touched(tmp_path: Path, name: str) -> None:
    stranger = tmp_path / name
    stranger.parent.mkdir(exist_ok=True)
    stranger.write_text("mine")
    with pytest.raises(InputError, match="not empty and holds no run"):
        RunStore.create_or_open(tmp_path, CONFIG)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [stranger]


def test_a_file_cannot_be_a_run_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="cannot be used as a run folder"):
        RunStore.create_or_open(tmp_path / "file", CONFIG)


def test_a_full_disk_is_a_clean_error_and_costs_one_chunk(
    tmp_path: Path, uninterrupted: Path
) -> None:
    write(tmp_path, 12, CHUNK)
    child = start(tmp_path, 9000)
    _, stderr = child.communicate()
    assert child.returncode == StoreError.exit_code
    assert "cannot be written" in stderr
    assert "space" in stderr
    assert "Traceback" not in stderr
    assert len(RunStore.open(tmp_path).finished()) >= 12
    write(tmp_path, IMAGES, CHUNK)
    assert contents(tmp_path) == contents(uninterrupted)


def damaged(source: Path, copy: Path, file: Path, kind: str, place: float) -> Path:
    """A copy of a run in which one file is deleted, cut off, or has one bit flipped."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy)
    data = bytearray((copy / file).read_bytes())
    position = int(place * len(data))
    if kind == "flipped":
        data[position] ^= 1 << (position % 8)
    (copy / file).write_bytes(data[:position] if kind == "cut" else data)
    if kind == "deleted":
        (copy / file).unlink()
    return copy


def files(run: Path, folder: str) -> list[Path]:
    return [path.relative_to(run) for path in sorted(run.glob(f"store/*/{folder}/*.*"))]


@pytest.mark.parametrize("kind", ["deleted", "cut"])
def test_data_that_is_gone_is_reported(tmp_path: Path, small: Path, kind: str) -> None:
    lost = files(small, "data")
    assert {path.parts[1] for path in lost} == {"config.lance", "images.lance", "objects.lance"}
    for file in lost:
        copy = damaged(small, tmp_path / "copy", file, kind, 0.6)
        with pytest.raises(StoreError, match=r"damaged .*delete .* to start again"):
            contents(copy)


@pytest.mark.parametrize("table", ["config", "images", "objects"])
def test_a_table_that_is_gone_is_reported(tmp_path: Path, small: Path, table: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(small, copy)
    shutil.rmtree(copy / "store" / f"{table}.lance")
    for read in (lambda: contents(copy), lambda: RunStore.create_or_open(copy, CONFIG)):
        with pytest.raises(StoreError):
            read()
    assert not (copy / ".lock").exists()


@pytest.mark.parametrize("kind", ["deleted", "cut", "flipped"])
@pytest.mark.parametrize("folder", ["data", "_versions"])
def test_no_damage_gives_a_wrong_result_or_a_foreign_error(
    tmp_path: Path, small: Path, folder: str, kind: str
) -> None:
    truth, reported = contents(small), 0
    for file in files(small, folder):
        for step in range(1 if kind == "deleted" else 12):
            copy = damaged(small, tmp_path / "copy", file, kind, (step + 0.5) / 12)
            try:
                found = contents(copy)
            except StoreError:
                reported += 1
            else:
                assert found == truth, file
    assert reported
