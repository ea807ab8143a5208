"""Faults of single images and of folders: each is injected, and its outcome required."""

import os
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from heap.base.errors import InputError
from heap.images import Geometry, ImageError, Source, decode, list_images
from heap.images.source import name_of

PHOTO = Path(__file__).parents[2] / "demo" / "photos" / "astronaut.jpg"

pytestmark = pytest.mark.timeout(60)


def outcome(path: Path | str) -> str:
    """The stage at which the file at `path` is refused; it must be refused."""
    with pytest.raises(ImageError) as caught:
        decode(Source("a key", str(path)))
    assert caught.value.key == "a key"
    assert caught.value.reason
    return caught.value.stage


def save(path: Path, size: tuple[int, int] = (8, 8)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "red").save(path, "png")
    return path


def keys(place: Path | str) -> list[str]:
    return [image.key for image in list_images(place)]


@pytest.mark.fault("F01")
def test_f01_zero_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert outcome(tmp_path / "a.jpg") == "open"


@pytest.mark.fault("F02")
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff", "bmp", "avif", "jpeg2000"])
def test_f02_truncated(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    with Image.open(PHOTO) as photo:
        photo.resize((160, 120)).save(path, kind)
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.99):
        path.write_bytes(whole[: int(len(whole) * share)])
        assert outcome(path) in ("open", "decode")


@pytest.mark.fault("F02")
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_f02_truncated_anywhere(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    Image.new("RGB", (3, 2), "red").save(path, kind)
    whole = path.read_bytes()
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        assert outcome(path) in ("open", "decode")


@pytest.mark.fault("F02")
def test_f02_flipped_bit_in_a_png(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with Image.open(PHOTO) as photo:
        photo.resize((160, 120)).save(path)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    assert outcome(path) in ("open", "decode")


@pytest.mark.fault("F03")
def test_f03_html_named_jpg(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_text("<!doctype html><title>404</title>")
    with pytest.raises(ImageError, match="not an image, or not one of JPEG, PNG"):
        decode(Source("a.jpg", str(path)))


@pytest.mark.fault("F04")
def test_f04_wrong_extension(tmp_path: Path) -> None:
    (image,) = list_images(save(tmp_path / "a.jpg"))
    assert decode(image).pixels.shape == (8, 8, 3)


@pytest.mark.fault("F05")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_f05_orientation_equals_the_rotated_photo(orientation: int, tmp_path: Path) -> None:
    # What the camera stored, given what one sees: the inverse of each orientation.
    stored = [None, *map(Image.Transpose, (0, 3, 1, 5, 2, 6, 4))][orientation - 1]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    with Image.open(PHOTO) as photo:
        seen = photo.convert("RGB").crop((0, 0, 301, 200))
    (seen if stored is None else seen.transpose(stored)).save(tmp_path / "a.png", exif=exif)
    picture = decode(Source("a", str(tmp_path / "a.png")))
    np.testing.assert_array_equal(picture.pixels, np.asarray(seen))
    assert (picture.width, picture.height) == seen.size


def png_bomb(width: int, height: int) -> bytes:
    """One-bit black; each chunk of compressed zeros stands for a thousand times its size."""
    row = bytes(1 + (width + 7) // 8)
    packer = zlib.compressobj(9)
    body = b"".join([packer.compress(row) for _ in range(height)] + [packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


@pytest.mark.fault("F09")
@pytest.mark.parametrize("size", [(14_143, 14_142), (60_000, 1), (1, 60_000), (60_000, 4_000)])
def test_f09_bombs_and_strips_are_refused_before_they_are_decoded(
    size: tuple[int, int], tmp_path: Path
) -> None:
    data = png_bomb(*size)
    (tmp_path / "bomb.png").write_bytes(data)
    script = """
import resource, sys
from heap.images import ImageError, decode, list_images
image, = list_images(sys.argv[1])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decode(image)
except ImageError as error:
    print(error.stage, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak)
"""
    stage, grown = run(script, tmp_path / "bomb.png").split()
    assert len(data) < 32_000
    assert stage == "limit"
    assert int(grown) < 50 * 1024, "KiB"


def run(script: str, *arguments: Path) -> str:
    command = [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.fault("F20")
def test_f20_what_never_answers_is_given_up_and_does_not_keep_the_process(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "silent.png")
    script = """
import sys
from heap.images import ImageError, Limits, Source, decode
# Opened for both, it waits for bytes that nobody writes, as a connection does.
source = Source("a", "memory", lambda: open(sys.argv[1], "r+b", buffering=0))
try:
    decode(source, Limits(seconds=0.2))
except ImageError as error:
    print(error.stage, error.reason)
"""
    said = run(script, tmp_path / "silent.png")
    assert said == "read it takes longer than 0.2 seconds; --timeout gives it more\n"


@pytest.mark.fault("F11")
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (7, 7)])
def test_f11_tiny_images_decode_and_fill_a_grid(size: tuple[int, int], tmp_path: Path) -> None:
    picture = decode(Source("a", str(save(tmp_path / "a.png", size))))
    geometry = Geometry.of_area(picture.width, picture.height, 224, 16)
    assert (picture.width, picture.height) == size
    assert (geometry.resize(picture.pixels) == [255, 0, 0]).all()


@pytest.mark.fault("F13")
def test_f13_file_that_vanishes_or_becomes_something_else(tmp_path: Path) -> None:
    for name in ["a.png", "b.png", "c.png"]:
        save(tmp_path / name)
    gone, pipe, folder = list_images(tmp_path)
    for image in (gone, pipe, folder):
        Path(image.location).unlink()
    os.mkfifo(pipe.location)
    Path(folder.location).mkdir()
    for image in (gone, pipe, folder):
        assert outcome(image.location) == "read"


@pytest.mark.fault("F13")
def test_f13_permission_denied(tmp_path: Path) -> None:
    save(tmp_path / "a.png").chmod(0)
    if os.access(tmp_path / "a.png", os.R_OK):
        pytest.skip("nothing is unreadable to root")
    assert outcome(tmp_path / "a.png") == "read"


@pytest.mark.fault("F14")
def test_f14_documents_are_refused_without_starting_a_process(tmp_path: Path) -> None:
    drawing = Image.new("RGB", (8, 8))
    for kind in ["eps", "pdf", "ico", "tga", "pcx"]:
        drawing.save(tmp_path / f"{kind}.jpg", kind)
    (tmp_path / "ps.png").write_bytes(b"%!PS-Adobe-3.0\nshowpage\n")
    (tmp_path / "svg.png").write_bytes(b'<svg xmlns="http://www.w3.org/2000/svg"/>')
    (tmp_path / "psd.tif").write_bytes(b"8BPS\0\1" + bytes(100))
    script = """
import sys
from heap.images import ImageError, decode, list_images
def forbid(event, arguments):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.fork", "os.system"):
        raise SystemExit(event)
sys.addaudithook(forbid)
for image in list_images(sys.argv[1]):
    try:
        decode(image)
    except ImageError as error:
        print(image.key, error.stage)
"""
    refused = run(script, tmp_path).splitlines()
    assert refused == [f"{path.name} open" for path in sorted(tmp_path.iterdir())]


WEIRD = [b" a b .png", b"a\nb.png", "猫😀.png".encode(), b"\xff\xfe.png", b"-rf.png", b"%41.png",
         b"a" * 251 + b".png", b"=cmd().png", b"<img onerror=x>.png", b"\x1b[31m.png",
         "\u202egnp.jpg.png".encode(), b"a\\b.png"]  # fmt: skip


@pytest.mark.fault("F15")
def test_f15_weird_names_have_distinct_printable_keys(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    for name in WEIRD:
        save(Path(os.fsdecode(os.path.join(folder, name))))  # noqa: PTH118 - bytes
    images = list(list_images(tmp_path))
    assert {os.fsencode(Path(image.location).name) for image in images} == set(WEIRD)
    assert len({image.key for image in images}) == len(WEIRD)
    for image in images:
        assert image.key.encode("utf-8").decode() == image.key
        assert image.key.isprintable()
        assert name_of(image.key) == Path(image.location).name
        assert decode(image).width == 8
        (alone,) = list_images(image.location)
        assert alone == image


@pytest.mark.fault("F15")
def test_f15_weird_names_in_a_list_file(tmp_path: Path) -> None:
    names = [name for name in WEIRD if b"\n" not in name]
    for name in names:
        save(tmp_path / os.fsdecode(name))
    (tmp_path / "list.txt").write_bytes(b"\n".join(names))
    found = {image.key: decode(image).width for image in list_images(tmp_path / "list.txt")}
    assert sorted(found) == sorted(set(keys(tmp_path)) - {"a%0Ab.png"})


@pytest.mark.fault("F16")
def test_f16_same_name_in_two_folders(tmp_path: Path) -> None:
    one, two = save(tmp_path / "one/a.png"), save(tmp_path / "two/a.png")
    assert keys(tmp_path) == ["one/a.png", "two/a.png"]
    both = [one.parent, two.parent]
    assert [image.key for image in list_images(both)] == ["one/a.png", "two/a.png"]


@pytest.mark.fault("F17")
def test_f17_loops_pipes_sockets_and_devices_are_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    save(root / "sub/a.png")
    elsewhere = save(tmp_path / "elsewhere/b.png").parent
    save(elsewhere / "deep/c.png")
    (elsewhere / "back").symlink_to(elsewhere)
    (root / "loop").symlink_to(root)
    (root / "up").symlink_to(tmp_path)
    (root / "out").symlink_to(elsewhere)
    (root / "out again").symlink_to(elsewhere / "deep")
    (root / "again.png").symlink_to("sub/a.png")
    (root / "b.png").symlink_to(elsewhere / "b.png")
    (root / "round.png").symlink_to("round.png")
    (root / "dangling.png").symlink_to("nowhere")
    (root / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(root / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{root}/s.png")
        images = list_images(root)
        names = ["b.png", "out/deep/c.png", "sub/a.png"]
        assert [image.key for image in images] == names == keys(f"{root}/**/*.png")
        assert images.skipped == {
            "links that lead nowhere": 2,  # dangling.png, round.png
            "neither files nor folders": 3,  # zero.png, pipe.png, s.png
            # again.png, loop, up, out/b.png, out/back, out again
            "listed already": 6,
        }
        for name in ["pipe.png", "s.png", "zero.png"]:
            with pytest.raises(InputError, match="neither a file nor a folder"):
                list_images(root / name)
            assert outcome(root / name) == "read"
    assert decode(next(list_images(root / "b.png"))).width == 8, "named by the user"


@pytest.mark.fault("F17")
def test_f17_devices_in_a_list_are_refused_when_read(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("/dev/zero\n")
    (image,) = list_images(tmp_path / "list.txt")
    with pytest.raises(ImageError, match="no regular file"):
        decode(image)


@pytest.mark.fault("F18")
def test_f18_nothing_to_do_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no image in .*JPEG, PNG.* files"):
        list_images(tmp_path)
    with pytest.raises(InputError, match="No such file or directory; check the name"):
        list_images(tmp_path / "missing")
    assert InputError.exit_code == 2
