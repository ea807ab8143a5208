import io
import logging
import os
import pickle
import re
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heap.base.errors import InputError
from heap.images import Source, list_images
from heap.images.source import is_url, key_of, name_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name in [
        "b.jpg",
        "a.PNG",
        "notes.md",
        "sub/a.PNG",
        "sub/deep/c.webp",
        ".x.jpg",
        ".t/y.jpg",
    ]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root


@pytest.fixture
def bucket(folder: Path) -> Iterator[str]:
    files = fsspec.filesystem("memory")
    files.put(f"{folder}/", "/bucket/", recursive=True)
    yield "memory://bucket"
    files.rm("/bucket", recursive=True)


def keys(*places: str | os.PathLike[str]) -> list[str]:
    return [image.key for image in list_images(places[0] if len(places) == 1 else places)]


def test_folder_lists_visible_images_to_the_bottom_by_name(folder: Path) -> None:
    images = list(list_images(folder))
    assert [image.key for image in images] == ["a.PNG", "b.jpg", "sub/a.PNG", "sub/deep/c.webp"]
    assert [image.read() for image in images] == [image.key.encode() for image in images]


def test_single_file_is_taken_whatever_its_suffix(folder: Path) -> None:
    assert keys(folder / "sub/a.PNG") == ["a.PNG"]
    assert keys(str(folder / "notes.md")) == ["notes.md"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.jpg", ["b.jpg"]),
        ("*", ["a.PNG", "b.jpg"]),
        ("*/*.PNG", ["sub/a.PNG"]),
        ("**/*.PNG", ["a.PNG", "sub/a.PNG"]),
        ("s[tu]b/**", ["sub/a.PNG", "sub/deep/c.webp"]),
        ("sub/?.PNG", ["a.PNG"]),
    ],
)
def test_globs_find_the_same_on_disk_and_in_a_bucket(
    folder: Path, bucket: str, pattern: str, found: list[str]
) -> None:
    assert keys(f"{folder}/{pattern}") == found
    assert keys(f"{bucket}/{pattern}") == found


def test_glob_is_relative_to_the_current_folder_even_if_that_looks_like_a_glob(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "[2024]"
    odd.mkdir()
    (odd / "a.jpg").write_bytes(b"a")
    monkeypatch.chdir(odd)
    (image,) = list_images("*.jpg")
    assert (image.key, image.location) == ("a.jpg", str(odd / "a.jpg"))
    assert keys(odd) == ["a.jpg"]


def test_file_whose_name_looks_like_a_glob(tmp_path: Path) -> None:
    path = tmp_path / "photo[1].jpg"
    path.write_bytes(b"1")
    assert keys(path) == ["photo[1].jpg"]


def test_a_missing_file_in_a_folder_whose_name_looks_like_a_glob(tmp_path: Path) -> None:
    odd = tmp_path / "photos [2024]"
    odd.mkdir()
    (odd / "link[1].jpg").symlink_to("gone.jpg")
    for name in ("typo.jpg", "link[1].jpg"):
        with pytest.raises(InputError, match=f"{re.escape(name)}': No such file or directory; che"):
            list_images(odd / name)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no file like this one")
def test_a_list_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    # Root may read every file; the beginning of the memory of a process nobody can.
    (tmp_path / "list.txt").symlink_to("/proc/self/mem")
    with pytest.raises(InputError, match=r"cannot use .*list\.txt': Input/output error; check"):
        list_images(tmp_path / "list.txt")


def test_list_file(folder: Path, tmp_path: Path) -> None:
    listing = tmp_path / "list.txt"
    lines = [
        "photos/a.PNG", "", "photos/sub/../b.jpg", f"{folder}/sub/a.PNG", "./photos/sub/a.PNG",
        "gone.jpg", "https://example.org/x/%61%20b.jpg?sig=secret", "photos/a.PNG",
    ]  # fmt: skip
    listing.write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    images = list(list_images(listing))
    assert [image.key for image in images] == [
        "photos/a.PNG", "photos/b.jpg", "photos/sub/a.PNG", "gone.jpg", "a b.jpg",
    ]  # fmt: skip
    assert [image.read() for image in images[:3]] == [b"a.PNG", b"b.jpg", b"sub/a.PNG"]
    with pytest.raises(InputError, match=r"cannot read .*gone.jpg.*: No such file"):
        images[3].read()


def test_several_places_are_named_from_the_folder_that_they_share(
    folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.PNG").write_bytes(b"other")
    places = [folder / "a.PNG", other, folder / "sub/a.PNG", folder / "a.PNG"]
    images = list(list_images(places))
    assert [image.key for image in images] == ["photos/a.PNG", "other/a.PNG", "photos/sub/a.PNG"]
    assert [str(tmp_path / image.key) for image in images] == [image.location for image in images]
    assert {image.key for image in list_images(places[::-1])} == {image.key for image in images}
    assert keys(folder / "b.jpg", folder / "sub/a.PNG") == ["b.jpg", "sub/a.PNG"]


@pytest.mark.skipif(sys.platform == "win32", reason="there two slashes begin a server's name")
def test_two_slashes_at_the_beginning_are_one_root(folder: Path, tmp_path: Path) -> None:
    listing = tmp_path / "list.txt"
    listing.write_text(f"/{folder}/b.jpg\nfile:////{folder}/a.PNG\n{folder}/sub/a.PNG\n")
    sources = list(list_images(listing))
    assert [source.key for source in sources] == [
        "photos/b.jpg",
        "photos/a.PNG",
        "photos/sub/a.PNG",
    ]
    assert [source.location for source in sources][:2] == [f"{folder}/b.jpg", f"{folder}/a.PNG"]


def test_urls_of_other_bytes_with_one_name_are_told_apart(tmp_path: Path) -> None:
    listing = tmp_path / "list.txt"
    listing.write_bytes(b"https://a.org/\xff.jpg?x\nhttps://a.org/\xff.jpg?y\n")
    keys = [source.key for source in list_images(listing)]
    assert len(set(keys)) == 2
    assert all(key.encode() for key in keys)


def test_a_list_of_paths_elsewhere_is_named_from_the_folder_that_they_share(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "lists").mkdir()
    listing = tmp_path / "lists" / "all.txt"
    listing.write_text(f"{folder}/a.PNG\nfile://{folder}/sub/%61.PNG\n../photos/b.jpg\n")
    images = list(list_images(listing))
    assert [image.key for image in images] == ["a.PNG", "sub/a.PNG", "b.jpg"]
    assert [image.read() for image in images] == [b"a.PNG", b"sub/a.PNG", b"b.jpg"]


def test_addresses_with_one_name_get_longer_names_whatever_their_order() -> None:
    places = [
        "https://a.org/x/1.jpg", "https://a.org/y/1.jpg", "https://b.org/y/1.jpg",
        "https://a.org/2.jpg?id=1", "https://a.org/2.jpg?id=2",
    ]  # fmt: skip
    named = {image.location: image.key for image in list_images(places)}
    assert list(named.values())[:3] == ["x/1.jpg", "a.org/y/1.jpg", "b.org/y/1.jpg"]
    assert all(re.fullmatch(r"a\.org/2\.jpg~[0-9a-f]{8}", named[place]) for place in places[3:])
    assert named == {image.location: image.key for image in list_images(places[::-1])}


def test_what_is_passed_over_is_counted(folder: Path) -> None:
    for name in ["t.txt", "u.txt", "none", "sub/x.HEIC"]:
        (folder / name).touch()
    (folder / "lost.jpg").symlink_to("nowhere")
    images = list_images(folder)
    assert "sub/x.HEIC" in [image.key for image in images], "pillow-heif is installed"
    assert images.skipped == {
        "hidden": 2,
        "not images by their names (.txt)": 2,
        "not images by their names (.md)": 1,
        "not images by their names (without a suffix)": 1,
        "links that lead nowhere": 1,
    }
    assert str(images.skipped).startswith("2 hidden, 2 not images by their names (.txt), 1 ")


def test_what_heap_has_written_is_never_listed(folder: Path) -> None:
    run = folder / "heap-run"
    for name in [
        "store/config.lance/x", "store/images.lance/x", "overlays/1.jpg", "masks/1.png", "mine.jpg",
        "export-yolo/heap-export.txt", "export-yolo/images/train/1.jpg",
    ]:  # fmt: skip
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).touch()
    (folder / "overlays").mkdir()
    (folder / "overlays/o.jpg").touch()
    (folder / "link").symlink_to(run / "overlays")
    (folder / "shot.jpg").symlink_to(run / "masks/1.png")
    mine = ["b.jpg", "heap-run/mine.jpg", "overlays/o.jpg", "sub/a.PNG", "sub/deep/c.webp"]
    images = list_images(folder)
    assert [image.key for image in images] == ["a.PNG", *mine]
    ours = "folders that heap has written"
    assert images.skipped[ours] == 6
    assert keys(folder / "b.jpg", folder / "shot.jpg", *folder.rglob("1.jpg")) == ["b.jpg"]
    for place in [run / "overlays", run / "export-yolo/images", run / "masks/1.png"]:
        with pytest.raises(InputError, match=f"no image in .*{ours}"):
            list_images(place)
    files = fsspec.filesystem("memory")
    files.put(f"{run}/", "/ours/", recursive=True)
    assert keys("memory://ours") == ["mine.jpg"]
    files.rm("/ours", recursive=True)


def test_bucket_archive_and_file_url(folder: Path, bucket: str, tmp_path: Path) -> None:
    expected = ["a.PNG", "b.jpg", "sub/a.PNG", "sub/deep/c.webp"]
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in [*folder.rglob("*.*"), folder / "../photos/b.jpg"]:
            archive.write(path, path.relative_to(folder) if ".." not in path.parts else "../e.jpg")
    for place in [bucket, f"zip://::{tmp_path}/photos.zip", f"file://{folder}"]:
        images = list(list_images(place))
        assert [image.key for image in images] == expected
        assert [image.read() for image in images] == [key.encode() for key in expected]
    (single,) = list_images(f"{bucket}/sub/a.PNG")
    assert (single.key, single.read()) == ("a.PNG", b"sub/a.PNG")


def test_archives_with_equal_names_are_all_listed(tmp_path: Path) -> None:
    places = []
    for name in ["one", "two"]:
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr("a.jpg", name)
        places.append(f"zip://::{tmp_path}/{name}.zip")
    images = list(list_images(places))
    expected = {"one.zip/a.jpg": b"one", "two.zip/a.jpg": b"two"}
    assert {image.key: image.read() for image in images} == expected


def test_standard_input_in_a_real_process() -> None:
    script = "from heap.images import list_images as l; print([(i.key, i.read()) for i in l('-')])"
    done = subprocess.run(
        [sys.executable, "-c", script], input=b"bytes", capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == "[('stdin', b'bytes')]"


@pytest.mark.parametrize("place", ["", "missing.jpg", "no/*.jpg", "a\0b.jpg", "memory://no/such"])
def test_missing_places_are_refused_by_the_call(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="'"):
        list_images(place)


@pytest.mark.fault("F18")
def test_places_without_an_image_are_refused_by_the_call(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.md").write_text("no image")
    listing = tmp_path / "empty.txt"
    listing.write_text("\n\n")
    places: list[list[str | Path]] = [[empty], [listing], [f"{folder}/*.tiff"], [folder, empty]]
    for place in places:
        with pytest.raises(InputError, match="no image in"):
            list_images(place)
    with pytest.raises(InputError, match="no image was given"):
        list_images([])
    with pytest.raises(InputError, match="pattern"):
        list_images(f"{folder}/a**.jpg")


def test_byte_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(bytes(3_000_000))
    (image,) = list_images(path)
    assert len(image.read(3_000_000)) == 3_000_000
    with pytest.raises(InputError, match="larger than the limit of 2999999 bytes"):
        image.read(2_999_999)


@pytest.mark.fault("F19")
def test_listing_is_lazy_and_survives_what_vanishes(folder: Path) -> None:
    images = list_images(folder)
    next(images)
    (folder / "sub/a.PNG").unlink()
    assert [image.key for image in images] == ["b.jpg", "sub/deep/c.webp"]


def test_unreadable_folder_inside_is_logged_and_passed_over(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "sub").chmod(0)
    if os.access(folder / "sub", os.R_OK):
        pytest.skip("nothing is unreadable to root")
    with caplog.at_level(logging.WARNING):
        assert keys(folder) == ["a.PNG", "b.jpg"]
    (folder / "sub").chmod(0o755)
    assert "sub" in caplog.text


def test_folder_that_cannot_be_listed_in_a_bucket_is_an_error(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = list_images(bucket)
    real = fsspec.implementations.memory.MemoryFileSystem.ls

    def broken(self: object, path: str, **options: object) -> object:
        if path.endswith("deep"):
            raise TimeoutError("the bucket is gone")
        return real(self, path, **options)

    monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, "ls", broken)
    with pytest.raises(InputError, match="the bucket is gone"):
        list(images)


@given(st.text(st.characters(exclude_categories=[]), max_size=50).filter(lambda s: "\0" not in s))
def test_keys_are_safe_to_show_and_give_the_name_back(text: str) -> None:
    name = os.fsdecode(text.encode("utf-8", "surrogatepass"))
    key = key_of(name)
    plain = key.translate({0x200C: None, 0x200D: None})
    assert all(each.isprintable() or unicodedata.category(each) == "Zs" for each in plain)
    assert name_of(key) == name


def test_everyday_names_are_their_own_keys() -> None:
    for name in [
        "IMG 0001.JPG", "Straße/été (2).png", "photo #3.jpg", "猫😀.webp", "-rf.gif", "100%.jpg",
        "Screenshot at 9.41.00\u202fAM.png", "写真\u3000一.jpg", "👩\u200d🚀❤\ufe0f.png",
    ]:  # fmt: skip
        assert key_of(name) == name
    assert key_of("100%41\n\u202e.jpg") == "100%2541%0A%E2%80%AE.jpg"


def test_what_is_a_url() -> None:
    urls = ["s3://a/b", "memory://x", "zip://*.jpg::s3://b/c.zip", "simplecache::https://x/y"]
    assert all(map(is_url, urls))
    assert not any(map(is_url, ["a.jpg", "/a://b", "C:\\a.jpg", "a:b", "./s3://a"]))


def test_sources_travel_between_processes(bucket: str, folder: Path) -> None:
    places: list[str | Path] = [folder, bucket]
    for place in places:
        for image in list_images(place):
            copy = pickle.loads(pickle.dumps(image))  # noqa: S301 - our own bytes
            assert copy == image
            assert copy.read() == image.read()


def test_reading_stops_at_short_reads_only_at_the_end() -> None:
    class Dribble(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 1, 7))

    image = Source("k", "somewhere", lambda: Dribble(bytes(100)))
    assert image.read() == bytes(100)
    with pytest.raises(InputError, match="larger"):
        image.read(99)


@pytest.mark.parametrize("name", ["a\0.jpg", "../a\0/b.jpg", "file:///a\0.jpg", "file:///a%00.jpg"])
def test_a_name_that_no_file_can_have_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"b.jpg\n{name}\n")
    with pytest.raises(InputError, match=r"U\+0000; save the list as UTF-8, not UTF-16"):
        list_images(tmp_path / "list.txt")
    for place in ("a\0.jpg", "a\0/*.jpg"):
        with pytest.raises(InputError, match=r"U\+0000"):
            list_images(place)


def test_a_file_url_of_bytes_that_are_no_utf_8(tmp_path: Path) -> None:
    photo = tmp_path / os.fsdecode(b"\xe9.jpg")
    photo.write_bytes(b"x")
    (tmp_path / "list.txt").write_bytes(b"file://" + os.fsencode(photo) + b"\n")
    (listed,) = list_images(tmp_path / "list.txt")
    assert listed.location == str(photo)
    assert listed.read() == b"x"
