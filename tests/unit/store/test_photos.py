import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import NoReturn

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from heap.base.errors import ImageError, InputError
from heap.store import photos
from heap.store.photos import CHANGED, GONE, REFUSED, Photos, note_folders
from heap.store.store import RunStore

WAS, OTHER = b"what was discovered", b"what is no more the"
DIGEST = hashlib.sha256(WAS).hexdigest()


def saved(path: Path, data: bytes = WAS) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


@pytest.fixture
def photo(tmp_path: Path) -> str:
    """A photo in a folder that was discovered."""
    return saved(tmp_path / "photos" / "2019" / "a.jpg")


@pytest.fixture
def store(tmp_path: Path, photo: str) -> RunStore:
    with RunStore.create_or_open(tmp_path / "run", {}) as writing:
        note_folders(writing, [str(tmp_path / "photos" / "b.jpg"), photo, "-", "memory://x/c.jpg"])
    return RunStore.open(tmp_path / "run")


def stage_of(read: Callable[[], object]) -> str:
    with pytest.raises(ImageError) as caught:
        read()
    return caught.value.stage


def test_a_photo_is_read_where_it_was(store: RunStore, photo: str) -> None:
    again = Photos(store).read("a.jpg", photo, DIGEST)
    assert (again.data, again.place) == (WAS, photo)


def test_another_content_of_the_same_size_is_named_and_not_used(
    store: RunStore, photo: str
) -> None:
    assert len(OTHER) == len(WAS)
    saved(Path(photo), OTHER)
    with pytest.raises(ImageError, match="another content") as caught:
        Photos(store).read("a.jpg", photo, DIGEST)
    assert (caught.value.key, caught.value.stage) == ("a.jpg", CHANGED)


def test_a_photo_that_is_gone_may_be_named_with_its_new_folder(store: RunStore, photo: str) -> None:
    Path(photo).unlink()
    with pytest.raises(ImageError, match="--photos") as caught:
        Photos(store).read("a.jpg", photo, DIGEST)
    assert caught.value.stage == GONE


@pytest.mark.parametrize(
    "place",
    ["elsewhere/a.jpg", "photos-of-mine/a.jpg", "photos/../elsewhere/a.jpg", "a.jpg"],
)
@pytest.mark.parametrize("scheme", ["", "file://", "local://"])
def test_nothing_is_read_outside_of_what_was_discovered_even_if_it_is_the_same(
    store: RunStore, tmp_path: Path, place: str, scheme: str
) -> None:
    where = f"{scheme}{tmp_path}/{place}"
    saved(Path(os.path.normpath(f"{tmp_path}/{place}")))
    assert stage_of(lambda: Photos(store).read("a.jpg", where, DIGEST)) == REFUSED


@pytest.mark.parametrize("digest", ["", DIGEST[:-1], "0" * 64])
def test_nothing_is_read_without_the_digest_of_its_content(
    store: RunStore, photo: str, digest: str
) -> None:
    stage = stage_of(lambda: Photos(store).read("a.jpg", photo, digest))
    assert stage == (CHANGED if digest else REFUSED)


def test_what_was_on_standard_input_cannot_be_read_again(store: RunStore) -> None:
    assert stage_of(lambda: Photos(store).read("stdin", "", DIGEST)) == REFUSED


def test_urls_are_read_only_where_the_user_asks(store: RunStore) -> None:
    with fsspec.open("memory://web/a.jpg", "wb") as file:
        file.write(WAS)
    url = "memory://web/a.jpg"
    with pytest.raises(ImageError, match="--urls") as caught:
        Photos(store).read("a.jpg", url, DIGEST)
    assert caught.value.stage == REFUSED
    assert Photos(store, urls=True).read("a.jpg", url, DIGEST).data == WAS
    other = hashlib.sha256(OTHER).hexdigest()
    assert stage_of(lambda: Photos(store, urls=True).read("a.jpg", url, other)) == CHANGED


@pytest.mark.parametrize("inside", ["a.jpg", "2019/a.jpg", "photos/2019/a.jpg"])
def test_photos_that_were_moved_are_found_below_the_folder_that_is_named(
    store: RunStore, photo: str, tmp_path: Path, inside: str
) -> None:
    Path(photo).unlink()
    now = tmp_path / "now"
    saved(now / "b.jpg")
    place = saved(now / inside)
    again = Photos(store, now).read("a.jpg", photo, DIGEST)
    assert (again.data, again.place) == (WAS, place)


def test_of_two_files_of_a_name_the_one_with_the_right_content_is_read(
    store: RunStore, photo: str, tmp_path: Path
) -> None:
    now = tmp_path / "now"
    saved(now / "2019" / "a.jpg", OTHER)
    assert stage_of(lambda: Photos(store, now).read("a.jpg", photo, DIGEST)) == CHANGED
    place = saved(now / "a.jpg")
    assert Photos(store, now).read("a.jpg", photo, DIGEST).place == place


@pytest.mark.parametrize(
    "source",
    ["{0}/secret/a.jpg", "../secret/a.jpg", "file://../secret/a.jpg",
     "http://x/..%2Fsecret/a.jpg", "http://x/%2F{0}/secret/a.jpg"],
)  # fmt: skip
def test_nothing_outside_of_the_folder_that_is_named_is_read(
    store: RunStore, tmp_path: Path, source: str
) -> None:
    saved(tmp_path / "secret" / "a.jpg")
    (tmp_path / "now").mkdir()
    photos = Photos(store, tmp_path / "now")
    assert stage_of(lambda: photos.read("a.jpg", source.format(tmp_path), DIGEST)) == GONE


def test_photos_from_urls_may_lie_below_the_folder_that_is_named(
    store: RunStore, tmp_path: Path
) -> None:
    place = saved(tmp_path / "now" / "a b.jpg")
    url = "https://example.org/photos/a%20b.jpg?width=9"
    assert Photos(store, tmp_path / "now").read("a b.jpg", url, DIGEST).place == place


def test_a_folder_that_is_not_there_is_refused_at_once(store: RunStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere' is not there"):
        Photos(store, tmp_path / "nowhere")


def test_folders_that_are_discovered_meanwhile_are_known(store: RunStore, tmp_path: Path) -> None:
    photos = Photos(store)
    added = saved(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")) / "a.jpg")
    assert stage_of(lambda: photos.read("a.jpg", added, DIGEST)) == REFUSED
    with RunStore.create_or_open(tmp_path / "run", {}) as writing:
        note_folders(writing, [added])
    assert photos.read("a.jpg", added, DIGEST).data == WAS


class Silent(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A place that takes the connection and never answers."""

    protocol = "silent"

    def _open(self, *_: object, **__: object) -> NoReturn:
        Event().wait()
        raise AssertionError


@pytest.mark.fault("F20")
def test_a_place_that_never_answers_is_given_up(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec.register_implementation("silent", Silent, clobber=True)
    monkeypatch.setattr(photos, "SECONDS", 0.2)
    with pytest.raises(ImageError, match=r"'silent://a.jpg' does not answer.* 0\.2 sec") as caught:
        Photos(store, urls=True).read("a.jpg", "silent://a.jpg", DIGEST)
    assert caught.value.stage == GONE
