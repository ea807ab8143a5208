"""Which image is which, when the folders, files and lists of a run change."""

import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from heap.categories.inspection import inspect
from heap.config import DiscoverConfig
from heap.discovery.command import discover
from heap.discovery.outcome import Discovery
from heap.images.listing import Place
from heap.model.heap import Heap
from heap.store.store import RunStore

CONFIG = DiscoverConfig(chunk=2, refine=False, save=())

Discover = Callable[..., Discovery]


@pytest.fixture
def run_of(heap: Heap, tmp_path: Path) -> Discover:
    def run(*places: Place, **options: object) -> Discovery:
        return discover(list(places), tmp_path / "run", model=heap, config=CONFIG, **options)  # type: ignore[arg-type]

    return run


@pytest.fixture
def copy(photos: Path, tmp_path: Path) -> Callable[[int, str], Path]:
    """Puts one of the photos where it is wanted."""

    def put(number: int, name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(photos / f"{number:02d}.png", path))

    return put


Copy = Callable[[int, str], Path]


def sizes(run: Discovery) -> dict[str, tuple[int, int]]:
    """By the name in objects.json; photos 0, 1 and 2 differ in size."""
    images = json.loads((run.folder / "objects.json").read_text())["images"]
    return {image["file_name"]: (image["width"], image["height"]) for image in images}


WIDE, HIGH, SQUARE = (96, 64), (64, 96), (80, 80)


def test_a_second_folder_with_the_same_names_is_worked_on(
    run_of: Discover, copy: Copy, tmp_path: Path
) -> None:
    copy(0, "a/x.png"), copy(1, "b/x.png"), copy(2, "b/y.png")
    assert sizes(run_of(tmp_path / "a")) == {"x.png": WIDE}
    both = run_of(tmp_path / "b")
    assert both.images == 2
    assert sizes(both) == {"x.png": WIDE, "b/x.png": HIGH, "y.png": SQUARE}
    assert run_of(tmp_path / "b").images == run_of(tmp_path / "a").images == 0


def test_an_image_that_comes_first_shifts_no_names(
    run_of: Discover, copy: Copy, tmp_path: Path
) -> None:
    first, second = copy(0, "lb/x.png"), copy(1, "lb/y.png")
    assert sizes(run_of(first, second)) == {"x.png": WIDE, "y.png": HIGH}
    third = copy(2, "la/x.png")
    grown = run_of(third, first, second)
    assert grown.images == 1
    assert sizes(grown) == {"x.png": WIDE, "y.png": HIGH, "la/x.png": SQUARE}
    assert run_of(second, third, first).images == 0


def test_files_of_one_name_are_called_by_their_folders(
    run_of: Discover, copy: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["2019/trip/IMG_1.png", "2020/trip/IMG_1.png"]
    copy(0, names[0]), copy(1, names[1])
    monkeypatch.chdir(tmp_path)
    run = run_of(*names)
    assert sizes(run) == dict(zip(names, (WIDE, HIGH), strict=True))
    assert all((tmp_path / name).is_file() for name in sizes(run))
    assert run_of(*names[::-1]).images == 0


def test_a_photo_that_changed_is_worked_on_again_and_one_that_was_touched_is_not(
    run_of: Discover, copy: Copy, tmp_path: Path
) -> None:
    path, other = copy(0, "p/x.png"), copy(1, "p/y.png")
    run_of(tmp_path / "p")
    os.utime(other)
    touched = run_of(tmp_path / "p")
    assert (touched.images, touched.news.changed, touched.news.moved) == (0, (), 1)
    assert run_of(tmp_path / "p").news.moved == 0, "it was read once for that"
    # As cp -p leaves it: the size may differ, the time of the change is the same.
    before = path.stat()
    shutil.copyfile(copy(2, "new.png"), path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    again = run_of(tmp_path / "p")
    assert (again.images, again.news.changed) == (1, ("x.png",))
    assert sizes(again) == {"x.png": SQUARE, "y.png": HIGH}


def test_a_failed_image_that_was_mended_is_tried_again(
    run_of: Discover, copy: Copy, tmp_path: Path
) -> None:
    copy(0, "p/x.png")
    torn = tmp_path / "p/y.png"
    torn.write_bytes(b"torn")
    run = run_of(tmp_path / "p")
    assert (run.counts.failed, run.usable) == (1, 1)
    assert run_of(tmp_path / "p").images == 0, "it fails as before"
    copy(1, "p/y.png")
    mended = run_of(tmp_path / "p")
    assert (mended.counts.failed, mended.images) == (0, 1)
    assert sizes(mended) == {"x.png": WIDE, "y.png": HIGH}


def test_a_folder_that_was_moved_holds_the_same_images(
    run_of: Discover, copy: Copy, tmp_path: Path
) -> None:
    copy(0, "p/x.png"), copy(1, "p/sub/y.png"), copy(2, "p/sub/z.png")
    run_of(tmp_path / "p")
    (tmp_path / "p").rename(tmp_path / "q")
    copy(0, "q/sub/z.png")
    moved = run_of(tmp_path / "q")
    assert (moved.images, moved.news.moved) == (1, 2), "z is another one"
    assert sizes(moved) == {
        "x.png": WIDE, "sub/y.png": HIGH, "sub/z.png": SQUARE, "q/sub/z.png": WIDE
    }  # fmt: skip
    places = {record.key: record.source for record in RunStore.open(moved.folder).records()}
    assert places["sub/y.png"] == str(tmp_path / "q/sub/y.png")
    assert moved.news.gone == ("sub/z.png",)


def test_a_copy_elsewhere_is_an_image_of_its_own(
    run_of: Discover, copy: Copy, tmp_path: Path
) -> None:
    copy(0, "a/x.png"), copy(0, "b/x.png")
    run_of(tmp_path / "a")
    assert sizes(run_of(tmp_path / "b")) == {"x.png": WIDE, "b/x.png": WIDE}


def test_photos_that_are_gone_are_said_and_dropped_if_asked(
    heap: Heap, copy: Copy, tmp_path: Path
) -> None:
    config = DiscoverConfig(chunk=2, refine=False, save=("overlays", "masks"))
    out = tmp_path / "run"
    paths = [copy(number, f"p/{number}.png") for number in range(3)]
    discover(tmp_path / "p", out, model=heap, config=config)
    paths[1].unlink()
    kept = discover(tmp_path / "p", out, model=heap, config=config)
    assert (kept.news.gone, kept.news.pruned) == (("1.png",), False)
    assert inspect(RunStore.open(out)).gone == ("1.png",)
    assert len(sizes(kept)) == len(list((out / "overlays").iterdir())) == 3
    pruned = discover(tmp_path / "p", out, model=heap, config=config, prune=True)
    assert (pruned.news.gone, pruned.news.pruned) == (("1.png",), True)
    assert sizes(pruned) == {"0.png": WIDE, "2.png": SQUARE}
    assert len(list((out / "overlays").iterdir())) == len(list((out / "masks").iterdir())) == 2
    assert inspect(RunStore.open(out)).gone == ()
    store = RunStore.open(out)
    assert set(store.table("objects").to_arrow()["key"].to_pylist()) <= {"0.png", "2.png"}


def test_every_image_on_standard_input_is_worked_on_once(
    run_of: Discover, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def piped(number: int) -> Discovery:
        data = (photos / f"{number:02d}.png").read_bytes()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        return run_of("-")

    assert [piped(number).images for number in (0, 1, 0)] == [1, 1, 0]
    names = sizes(piped(1))
    assert sorted(names.values()) == [HIGH, WIDE]
    assert all(name.startswith("stdin-") for name in names)


def test_a_folder_that_holds_its_own_run_stays_as_it_is(
    heap: Heap, copy: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy(0, "photos/x.png"), copy(1, "photos/sub/y.png")
    monkeypatch.chdir(tmp_path / "photos")
    config = DiscoverConfig(refine=False, save=("overlays", "regions", "masks"))
    for images in (2, 0):
        run = discover(".", "heap-run", model=heap, config=config)
        assert run.images == images
        assert sizes(run) == {"x.png": WIDE, "sub/y.png": HIGH}
    assert run.news.skipped["folders that heap has written"] == 4


NAMES: Sequence[bytes] = [
    b"caf\xe9.png", b"100%.png", b"%41.png", "9.41\u202fAM.png".encode(), "一\u3000.png".encode(),
    "👩\u200d🚀.png".encode(), b"two\nlines.png",
]  # fmt: skip


def test_names_are_those_on_the_disk_whatever_their_bytes(
    run_of: Discover, photos: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    for name in NAMES:
        with Image.open(photos / "00.png") as image:
            image.save(folder / os.fsdecode(name), "PNG")
    (folder / os.fsdecode(b"torn\xff.png")).write_bytes(b"torn")
    run = run_of(folder)
    assert {os.fsencode(name) for name in sizes(run)} == set(NAMES)
    assert all((folder / name).is_file() for name in sizes(run))
    (line,) = (run.folder / "failed.jsonl").read_text().splitlines()
    assert os.fsencode(json.loads(line)["path"]) == b"torn\xff.png"
    assert run_of(folder).images == 0
    for record in RunStore.open(run.folder).records():
        assert record.key.encode().decode() == record.key
        record.source.encode()


def test_an_image_whose_bytes_are_no_text_is_noticed_when_it_changes(
    run_of: Discover, copy: Copy, tmp_path: Path
) -> None:
    name = os.fsdecode(b"p/caf\xe9.png")
    path = copy(0, name)
    run_of(tmp_path / "p")
    copy(1, name)
    assert sizes(run_of(tmp_path / "p")) == {path.name: HIGH}
    path.unlink()
    copy(2, "p/other.png")
    assert run_of(tmp_path / "p").news.gone == ("caf%E9.png",)
