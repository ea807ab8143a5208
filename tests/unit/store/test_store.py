import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from properties import examples

from heap.base.errors import ConfigError, StoreError
from heap.images.failures import Failure
from heap.results import ImageResult, Objects, Regions, Rle
from heap.store import schema, writer
from heap.store.database import reading
from heap.store.records import Counts, Finished
from heap.store.store import RunStore

CONFIG = {"features": {"encoder": "embedded", "layer": -1}, "save": ["overlays"]}
DIM = 3

floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


def numbers(*shape: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float32, shape, elements=floats)


def drawn(data: st.DataObject, key: str = "a.jpg") -> ImageResult:
    draw = data.draw
    width, height, grid_h, grid_w, regions, count = (
        draw(st.integers(least, 4)) for least in (1, 1, 1, 1, 1, 0)
    )
    masks = draw(st.lists(arrays(bool, (height, width)), min_size=count, max_size=count))
    return ImageResult(
        key=key,
        width=width,
        height=height,
        objects=Objects(
            boxes=draw(numbers(count, 4)),
            scores=draw(numbers(count)),
            masks=tuple(map(Rle.encode, masks)),
            embeddings=draw(numbers(count, DIM)),
            regions=draw(arrays(np.int64, count, elements=st.integers(0, regions - 1))),
        ),
        regions=Regions(
            label_map=draw(
                arrays(np.int64, (grid_h, grid_w), elements=st.integers(0, regions - 1))
            ),
            embeddings=draw(numbers(regions, DIM)),
            scores=draw(numbers(regions)),
            areas=draw(numbers(regions)),
        ),
        saliency=draw(numbers(grid_h, grid_w)),
        foreground=draw(numbers(DIM)),
        background=draw(numbers(DIM)),
    )


def example(key: str, objects: int = 2, seed: int = 0) -> ImageResult:
    draw = np.random.default_rng(seed).normal
    mask = np.zeros((6, 8), dtype=bool)
    mask[1:4, 2:7] = True

    def normal(*shape: int) -> np.ndarray:
        return draw(size=shape).astype(np.float32)

    return ImageResult(
        key=key,
        width=8,
        height=6,
        objects=Objects(
            boxes=np.tile(np.array([2, 1, 7, 4], dtype=np.float32), (objects, 1)),
            scores=normal(objects),
            masks=(Rle.encode(mask),) * objects,
            embeddings=normal(objects, DIM),
            regions=np.zeros(objects, dtype=np.int64),
        ),
        regions=Regions(
            label_map=np.array([[0, 1, 1], [0, 0, 1]]),
            embeddings=normal(2, DIM),
            scores=normal(2),
            areas=normal(2),
        ),
        saliency=normal(2, 3),
        foreground=normal(DIM),
        background=normal(DIM),
    )


def plain(result: ImageResult) -> object:
    """All that a result holds, with the bytes and types of its arrays, so that it compares."""

    def of(value: object) -> object:
        if isinstance(value, np.ndarray):
            return value.dtype.str, value.shape, value.tobytes()
        if isinstance(value, Objects | Regions | ImageResult):
            return {name: of(part) for name, part in vars(value).items()}
        return value

    return of(result)


def contents(run: Path) -> list[object]:
    store = RunStore.open(run)
    return [*map(plain, store.results()), *store.failures()]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@given(data=st.data(), note=st.text(max_size=5), thumbnail=st.binary(max_size=20))
@settings(max_examples=examples(40))
def test_what_goes_in_comes_out_bit_for_bit(
    shared: Path, data: st.DataObject, note: str, thumbnail: bytes
) -> None:
    result = drawn(data)
    with RunStore.create_or_open(shared / "exact", CONFIG) as store:
        store.add([Finished(result, thumbnail, "abc", note)])
        (record,) = store.records()
        if store.find(schema.OBJECTS) is None:
            # How wide an embedding is is known from the first object on.
            none = np.zeros((0, 0), dtype=np.float32)
            result = replace(result, objects=replace(result.objects, embeddings=none))
    assert plain(record.result) == plain(result)
    assert (record.thumbnail, record.digest, record.note) == (thumbnail, "abc", note)


@given(order=st.permutations(range(9)), sizes=st.lists(st.integers(1, 4), min_size=9, max_size=9))
@settings(max_examples=examples(15))
def test_content_and_order_do_not_depend_on_the_chunks(
    tmp_path_factory: pytest.TempPathFactory, order: Sequence[int], sizes: Sequence[int]
) -> None:
    run = tmp_path_factory.mktemp("run") / "out"
    expected = [example(f"k{place}", objects=place % 3, seed=place) for place in range(9)]
    queue = [Finished(expected[place]) for place in order]
    with RunStore.create_or_open(run, CONFIG) as store:
        for size in sizes:
            chunk, queue = queue[:size], queue[size:]
            store.add(chunk)
            if size == 4:
                store.compact()
    assert contents(run) == list(map(plain, expected))


def test_an_image_that_is_added_again_replaces_what_was_there(tmp_path: Path) -> None:
    with RunStore.create_or_open(tmp_path, CONFIG) as store:
        store.add([Finished(example("o'brien.jpg", 3)), Finished(example("b", 1))])
        store.add([Finished(example("o'brien.jpg", 1, seed=5)), Failure("b", "decode", "torn")])
        assert store.counts() == Counts(done=1, empty=0, failed=1, objects=1)
        assert store.table(schema.OBJECTS).count_rows() == 1
    assert contents(tmp_path) == [
        plain(example("o'brien.jpg", 1, seed=5)),
        Failure("b", "decode", "torn"),
    ]


def test_counts_keys_and_failures(tmp_path: Path) -> None:
    failures = [Failure("z", "decode", "is empty"), Failure("x", "read", "gone \udcff")]
    with RunStore.create_or_open(tmp_path, CONFIG) as store:
        assert store.counts() == Counts(done=0, empty=0, failed=0, objects=0)
        store.add([])
        store.add([Finished(example("b", 2)), *failures, Finished(example("a", 0))])
        assert store.counts() == Counts(done=1, empty=1, failed=2, objects=2)
        assert store.finished() == {"a", "b", "x", "z"}
        # A reason may quote a file name that no store can hold; it is spelt out.
        assert list(store.failures()) == [Failure("x", "read", r"gone \udcff"), failures[0]]
        assert [result.key for result in store.results()] == ["a", "b"]


def test_an_opened_run_goes_on(tmp_path: Path) -> None:
    with RunStore.create_or_open(tmp_path, CONFIG) as store:
        store.add([Finished(example("a"))])
    with RunStore.create_or_open(str(tmp_path), CONFIG) as store:
        assert store.finished() == {"a"}
        assert store.config == CONFIG
        store.add([Finished(example("b"))])
    with RunStore.create_or_open(f"file://{tmp_path}", CONFIG) as store:
        assert store.finished() == {"a", "b"}


def test_very_many_images_move_together(tmp_path: Path) -> None:
    failures = [Failure(f"{number:03d}.jpg", "decode", "no image") for number in range(450)]
    with RunStore.create_or_open(tmp_path, CONFIG) as store:
        store.add(failures)
        store.move({failure.key: (f"/new/{failure.key}", "1-2-3") for failure in failures[1:]})
    opened = RunStore.open(tmp_path)
    assert [(row.source, row.stamp) for row in opened.stored()] == [
        ("", ""), *((f"/new/{failure.key}", "1-2-3") for failure in failures[1:])
    ]  # fmt: skip
    moved = [replace(failure, source=f"/new/{failure.key}") for failure in failures[1:]]
    assert list(opened.failures()) == [failures[0], *moved]


@pytest.mark.fault("F34")
def test_another_configuration_is_refused_by_its_keys(tmp_path: Path) -> None:
    RunStore.create_or_open(tmp_path, CONFIG).close()
    other = {"features": {"encoder": "embedded", "layer": 3}, "save": ("overlays",)}
    with pytest.raises(ConfigError, match=r"features\.layer \(-1 -> 3\).*--out") as refusal:
        RunStore.create_or_open(tmp_path, other)
    assert "encoder" not in str(refusal.value)
    assert "save" not in str(refusal.value)
    RunStore.create_or_open(tmp_path, CONFIG).close()


def test_a_configuration_that_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="plain JSON"):
        RunStore.create_or_open(tmp_path, {"weight": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_compaction_keeps_the_content_and_leaves_few_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "READERS", timedelta(milliseconds=1))
    results = [example(f"{place:02d}", 1, seed=place) for place in range(30)]

    def files() -> int:
        return sum(path.is_file() for path in tmp_path.rglob("*"))

    with RunStore.create_or_open(tmp_path, CONFIG) as store:
        for result in results:
            store.add([Finished(result)])
        before = files()
        store.compact()
        time.sleep(0.05)  # versions of the last milliseconds are left to the next time
        store.compact()
        compacted = files()
        for _ in range(5):
            store.add([Finished(results[0])])
            store.compact()
        time.sleep(0.05)
        store.compact()
        assert files() <= compacted + 4 < before / 5  # a deletion may wait for more of its kind
    assert contents(tmp_path) == list(map(plain, results))


def test_objects_can_be_searched_by_vector(tmp_path: Path) -> None:
    with RunStore.create_or_open(tmp_path, CONFIG) as store:
        store.add([Finished(example(key, seed=seed)) for seed, key in enumerate("abc")])
    table = RunStore.open(tmp_path).table(schema.OBJECTS)
    assert table.schema.field("vector").type == pa.list_(pa.float32(), DIM)
    wanted = example("b", seed=1).objects.embeddings[1]
    assert table.search(wanted).limit(1).to_list()[0]["id"] == "b#1"


def test_a_store_for_reading_cannot_be_written(tmp_path: Path) -> None:
    RunStore.create_or_open(tmp_path, CONFIG).close()
    with pytest.raises(StoreError, match="reading only"):
        RunStore.open(tmp_path).add([Finished(example("a"))])


@pytest.mark.fault("F26")
def test_a_store_of_another_schema_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        later.setattr(schema, "SCHEMA_VERSION", 7)
        RunStore.create_or_open(tmp_path, CONFIG).close()
    with pytest.raises(StoreError, match=r"version 7.*reads versions 1 to 6.*--out"):
        RunStore.open(tmp_path)
    with pytest.raises(StoreError, match="version 7"):
        RunStore.create_or_open(tmp_path, CONFIG)


def test_a_folder_without_a_run_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(StoreError, match="holds no run"):
            RunStore.open(path)


def test_a_store_can_be_at_a_url() -> None:
    with RunStore.create_or_open("memory://run", CONFIG) as store:
        store.add([Finished(replace(example("a"), key="b/ü.jpg"))])
        assert [result.key for result in store.results()] == ["b/ü.jpg"]


@pytest.mark.fault("F33")
def test_writing_and_reading_needs_no_torch_no_home_and_says_nothing(tmp_path: Path) -> None:
    code = f"""
import sys
from heap.images.failures import Failure
from heap.store.store import RunStore
import heap.export.coco, heap.report.overlays, heap.view.gallery
with RunStore.create_or_open({str(tmp_path / "run")!r}, {{}}) as store:
    store.add([Failure("a", "decode", "torn")])
    store.compact()
    assert store.finished() == {{"a"}}
assert "torch" not in sys.modules
"""
    gone = {"HOME", "XDG_CACHE_HOME", "USERPROFILE"}
    environment = {name: value for name, value in os.environ.items() if name not in gone}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    "error",
    [
        OverflowError("can't convert negative int to unsigned"),
        RuntimeError("lance error: LanceError(IO): Permission denied (os error 13)"),
        RuntimeError("lance error: LanceError(IO): Too many open files (os error 24)"),
        ValueError("Invalid input, query dim(5) doesn't match the column vector vector dim(3)"),
        MemoryError(),
    ],
)
def test_an_unknown_error_is_not_called_damage(error: Exception) -> None:
    with pytest.raises(StoreError, match="runs/a cannot be read") as caught, reading("runs/a"):
        raise error
    assert "damaged" not in str(caught.value)
    assert "delete" not in str(caught.value)


def test_one_flipped_bit_in_the_configuration_is_noticed(tmp_path: Path) -> None:
    RunStore.create_or_open(tmp_path / "run", {"threshold": 0.75}, "embedded").close()
    assert RunStore.open(tmp_path / "run").config == {"threshold": 0.75}
    (file,) = (tmp_path / "run" / "store" / "config.lance" / "data").iterdir()
    whole = file.read_bytes()
    for written, flipped in ((b"0.75", b"0.74"), (b"embedded", b"embeddee")):
        assert whole.count(written) == 1
        file.write_bytes(whole.replace(written, flipped))
        with pytest.raises(StoreError, match="the configuration that it was made with has changed"):
            RunStore.open(tmp_path / "run")
