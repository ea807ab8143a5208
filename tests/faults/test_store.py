import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from store_writer import CONFIG, record, write
from stored import contents, count_left_out, files, write_small

from heap.base.errors import BusyError, ConfigError, InputError, StoreError, WriteError
from heap.base.lock import RunLock
from heap.images.failures import Failure
from heap.store import schema
from heap.store.records import Finished
from heap.store.store import RunStore

WRITER = Path(__file__).with_name("store_writer.py")
IMAGES, CHUNK = 240, 4


def thumbnails(run: Path) -> list[bytes]:
    return [record.thumbnail for record in RunStore.open(run).records()]


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
    return write_small(tmp_path_factory.mktemp("small"))


@pytest.mark.fault("F27")
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


@pytest.mark.fault("F32")
def test_a_second_writer_is_refused_and_told_of_the_first(
    tmp_path: Path, writing: subprocess.Popen[str]
) -> None:
    with pytest.raises(InputError, match=f"process {writing.pid} on {socket.gethostname()}"):
        RunStore.create_or_open(tmp_path / "run", CONFIG)
    assert RunStore.open(tmp_path / "run").config == CONFIG  # reading needs no lock


@pytest.mark.fault("F32")
def test_the_lock_of_a_dead_process_is_taken_over(
    tmp_path: Path, writing: subprocess.Popen[str]
) -> None:
    writing.kill()
    writing.wait()
    assert str(writing.pid) in (tmp_path / "run" / ".lock").read_text()
    RunStore.create_or_open(tmp_path / "run", CONFIG).close()
    assert not (tmp_path / "run" / ".lock").exists()


@pytest.mark.fault("F32")
@pytest.mark.parametrize(
    "pid",
    [None, os.getpid(), os.getppid(), 1, 999_999_999],
    ids=["none", "own", "parent", "first", "free"],
)
@pytest.mark.parametrize("host", [socket.gethostname(), "elsewhere"], ids=["here", "elsewhere"])
def test_f32_a_lock_that_nobody_holds_is_taken_over_whatever_is_in_it(
    tmp_path: Path, pid: int | None, host: str
) -> None:
    """As after a container's restart, in which a number means another process, or this one."""
    (tmp_path / ".lock").write_text("" if pid is None else f"{pid}\n{host}\n")
    with RunStore.create_or_open(tmp_path, CONFIG):
        assert (tmp_path / ".lock").read_text().split()[0] == str(os.getpid())
        with pytest.raises(BusyError):
            RunLock(tmp_path)


@pytest.mark.fault("F32")
@pytest.mark.parametrize("command", ["discover", "fit"])
def test_f32_a_second_writer_is_refused_before_anything_is_loaded(
    tmp_path: Path, command: str
) -> None:
    with RunLock(tmp_path):
        refused = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "heap", command, str(tmp_path), "--out",
             str(tmp_path)], capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    lines = refused.stderr.splitlines()
    names = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    (said,) = (line for line in lines if not line.startswith("import time:"))
    assert refused.returncode == 2
    assert f"being written by process {os.getpid()} on" in said
    assert "heap.cli.discover" in names
    assert not names & {"torch", "lancedb", "transformers"}


def test_a_refused_writer_leaves_no_lock(tmp_path: Path) -> None:
    RunStore.create_or_open(tmp_path, CONFIG).close()
    for _ in range(2):
        with pytest.raises(ConfigError, match="another configuration"):
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


@pytest.mark.fault("F30")
def test_a_full_disk_is_a_clean_error_and_costs_one_chunk(
    tmp_path: Path, uninterrupted: Path
) -> None:
    write(tmp_path, 12, CHUNK)
    child = start(tmp_path, 9000)
    _, stderr = child.communicate()
    assert child.returncode == WriteError.exit_code == 1
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


@pytest.mark.fault("F31")
def test_f31_a_row_with_a_flipped_bit_is_left_out_named_and_done_again(
    tmp_path: Path, small: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Path(shutil.copytree(small, tmp_path / "run"))
    records, failures, _, counts, _ = contents(small)
    done = {item.key: item for item in map(record, range(20)) if isinstance(item, Finished)}
    first, *_, last = (key for key, item in done.items() if len(item.result.objects))
    torn = record(10)
    assert isinstance(torn, Failure)
    flip(run, "images", done[first].result.saliency.tobytes())
    flip(run, "objects", done[last].result.objects.embeddings[0].tobytes())
    other = {"reason": torn.reason.replace("10", "11")}
    RunStore.open(run).table("images").update(where=f"key = '{torn.key}'", values=other)
    for _ in range(2):
        found = contents(run)
        assert len(found[0]) == len(records) - 2
        assert all(each in records for each in found[0])
        assert len(found[1]) == len(failures) - 1
        assert found[3] == counts
    for key in (first, last, torn.key):
        assert f"what is stored of {key!r} is damaged" in caplog.text
    assert caplog.text.count(" is damaged") == 6
    write(run, 20, CHUNK)
    assert contents(run) == contents(small)


@pytest.mark.fault("F31")
def test_f31_a_run_none_of_whose_rows_can_be_read_is_refused(tmp_path: Path, small: Path) -> None:
    run = Path(shutil.copytree(small, tmp_path / "run"))
    RunStore.open(run).table("images").drop_columns(["thumbnail"])
    with pytest.raises(StoreError, match="damaged"):
        list(RunStore.open(run).records())


def flip(run: Path, table: str, content: bytes) -> None:
    """Flip one bit of what is stored as these bytes."""
    (file,) = run.glob(f"store/{table}.lance/data/*")
    data = bytearray(file.read_bytes())
    assert data.count(content) == 1
    data[data.index(content) + len(content) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.fault("F31")
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


@pytest.mark.fault("F31")
@pytest.mark.parametrize("kind", ["deleted", "cut", "flipped"])
@pytest.mark.parametrize("folder", ["data", "_versions"])
def test_no_damage_gives_a_wrong_result_or_a_foreign_error(
    tmp_path: Path, small: Path, folder: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    truth, reported = contents(small), 0
    for file in files(small, folder):
        for step in range(1 if kind == "deleted" else 12):
            copy = damaged(small, tmp_path / "copy", file, kind, (step + 0.5) / 12)
            caplog.clear()
            try:
                found = contents(copy)
            except StoreError:
                reported += 1
                continue
            reported += count_left_out(found, truth, caplog.text) > 0
    assert reported
