"""Packs: what colours survive, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from properties import examples
from safetensors.torch import load_file, save_file
from torch import Tensor

from heap.base.errors import InputError
from heap.images import Picture
from heap.pretraining.photos import Photos, read_packs

PHOTO = Path(__file__).parents[3] / "demo" / "photos" / "astronaut.jpg"
CPU = torch.device("cpu")


def square(image: Image.Image, side: int = 128) -> np.ndarray:
    return np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC))


def photos_of(*images: np.ndarray) -> Photos:
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    priors = torch.linspace(0, 1, len(images) * 9).view(-1, 3, 3)
    return Photos.from_rgb(pixels, priors)


def back(photos: Photos) -> np.ndarray:
    """Colours in 255ths, as they come out."""
    pixels, _ = photos.pick(torch.arange(len(photos)), CPU)
    return 255 * pixels.permute(0, 2, 3, 1).numpy()


def planes(photos: Photos) -> dict[str, Tensor]:
    return {"luma": photos.luma, "chroma": photos.chroma, "priors": photos.priors}


def same(first: Photos, second: Photos) -> bool:
    ours, theirs = planes(first), planes(second)
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_colours_come_back_as_they_do_from_pillows_ycbcr(pictures: list[Picture]) -> None:
    images = [square(Image.open(PHOTO)), *(square(Image.fromarray(each.pixels), 128)
                                           for each in pictures[:3])]  # fmt: skip
    photos = photos_of(*images)
    for number, (image, out) in enumerate(zip(images, back(photos), strict=True)):
        y, cb, cr = Image.fromarray(image).convert("YCbCr").split()
        assert np.abs(np.asarray(y, int) - photos.luma[number].numpy()).max() <= 1
        halves = [plane.resize((64, 64), Image.Resampling.BOX) for plane in (cb, cr)]
        for half, plane in zip(halves, photos.chroma[number].numpy(), strict=True):
            assert np.abs(np.asarray(half, int) - plane).max() <= 2
        whole = [half.resize((128, 128), Image.Resampling.BILINEAR) for half in halves]
        expected = np.asarray(Image.merge("YCbCr", (y, *whole)).convert("RGB"), float)
        # Pillow cuts each plane to whole 255ths, and blue counts 1.77 times its chroma.
        assert np.abs(out - expected).max() <= 6
        assert np.abs(out - expected).mean() < 1.5
        assert np.abs(out - image).mean() < 3


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255),
                                    (0, 0, 0), (13, 200, 77)])  # fmt: skip
def test_flat_colours_keep_to_two_255ths(colour: tuple[int, int, int]) -> None:
    out = back(photos_of(np.full((4, 4, 3), colour, dtype=np.uint8)))
    assert np.abs(out - np.array(colour)).max() <= 2


def test_greys_and_priors_are_exact_to_half_a_255th() -> None:
    ramp = np.repeat(np.arange(0, 256, 16, dtype=np.uint8)[None, :, None], 16, axis=0)
    photos = photos_of(np.repeat(ramp, 3, axis=2), np.full((16, 16, 3), 9, dtype=np.uint8))
    pixels, priors = photos.pick(torch.tensor([1, 0]), CPU)
    assert torch.allclose(pixels[0], torch.tensor(9 / 255), atol=1e-4)
    assert torch.allclose(255 * pixels[1, 0, 0], torch.arange(0.0, 256, 16), atol=1e-2)
    expected = torch.linspace(0, 1, 18).view(2, 3, 3)[[1, 0]]
    assert (priors - expected).abs().max() <= 0.5 / 255 + 1e-6


def test_several_packs_are_one(squares: Photos, tmp_path: Path) -> None:
    one = squares.write(tmp_path / "one", 1_000_000)
    many = squares.write(tmp_path / "many.pack", 20_000)
    assert [path.name for path in one] == ["one-001.safetensors"]
    assert [path.name for path in many] == [
        f"many.pack-{number:03}.safetensors" for number in range(1, len(many) + 1)
    ]
    assert len(many) > 1
    assert same(read_packs(one), squares)
    assert same(read_packs(many), squares)
    assert same(
        read_packs(many[::-1]), Photos.concatenate([read_packs([path]) for path in many[::-1]])
    )
    assert not same(read_packs(many[::-1]), squares)


@settings(max_examples=examples(20))
@given(st.integers(8_000, 60_000))
def test_no_pack_is_larger_than_was_asked_for(most_bytes: int) -> None:
    import tempfile

    pixels = torch.randint(0, 256, (11, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    photos = Photos.from_rgb(pixels.to(torch.uint8), torch.zeros(11, 28, 28))
    with tempfile.TemporaryDirectory() as folder:
        paths = photos.write(Path(folder) / "pack", most_bytes)
        sizes = [path.stat().st_size for path in paths]
        assert max(sizes) <= most_bytes
        # And none could take an image more, but for the room of the header.
        assert min(sizes[:-1], default=most_bytes) + 2320 + 4096 > most_bytes
        assert same(read_packs(paths), photos)


def test_packs_that_hold_no_image_are_refused(squares: Photos, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="packs of 5000 bytes hold no image of 3600 bytes"):
        squares.write(tmp_path / "pack", 5000)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kept", [0, 5, 200, -1])
def test_a_torn_pack_is_refused(kept: int, squares: Photos, tmp_path: Path) -> None:
    (path,) = squares.write(tmp_path / "pack", 1_000_000)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"pack-001.safetensors cannot be read as a pack"):
        read_packs([path])


def test_what_is_no_pack_is_refused(squares: Photos, tmp_path: Path) -> None:
    (good,) = squares.write(tmp_path / "good", 1_000_000)
    foreign, half = tmp_path / "foreign.safetensors", tmp_path / "half.safetensors"
    save_file(load_file(good), foreign)
    save_file({"luma": squares.luma}, half, {"format": "heap photos 1"})
    for path, message in [
        (foreign, "is no pack of images that `heap pack` made"),
        (half, "cannot be read as a pack"),
        (tmp_path / "missing.safetensors", "cannot be read as a pack"),
        (tmp_path, "cannot be read as a pack"),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            read_packs([good, path])
        assert str(path) in str(caught.value)
    with pytest.raises(InputError, match="no packs"):
        read_packs([])


def test_packs_of_two_sizes_are_refused(squares: Photos, tmp_path: Path) -> None:
    small = photos_of(np.zeros((32, 32, 3), dtype=np.uint8))
    paths = [*squares.write(tmp_path / "a", 1_000_000), *small.write(tmp_path / "b", 100_000)]
    with pytest.raises(InputError, match=r"b-001.*luma of \(32, 32\).*a-001.*\(48, 48\)"):
        read_packs(paths)


def test_planes_that_do_not_belong_together_are_refused(squares: Photos, tmp_path: Path) -> None:
    for name, wrong in [
        ("priors", squares.priors[:-1]),
        ("luma", squares.luma.float()),
        ("chroma", squares.chroma[:, :1]),
        ("chroma", squares.chroma[..., :-1]),
    ]:
        path = tmp_path / "odd.safetensors"
        save_file({**planes(squares), name: wrong.contiguous()}, path, {"format": "heap photos 1"})
        with pytest.raises(InputError, match=r"odd.safetensors is damaged"):
            read_packs([path])


@pytest.mark.parametrize("name", ["pack", "p[1]"])
def test_packs_of_a_larger_set_are_not_mixed_with_new_ones(
    name: str, squares: Photos, tmp_path: Path
) -> None:
    many = squares.write(tmp_path / name, 12_000)
    assert len(many) > 1
    with pytest.raises(InputError, match=r"-002\.safetensors is of an earlier"):
        squares.write(tmp_path / name, 1_000_000)
    assert squares.write(tmp_path / name, 12_000) == many
    (tmp_path / f"{name}-1000.safetensors").touch()
    with pytest.raises(InputError, match=r"-1000\.safetensors is of an earlier"):
        squares.write(tmp_path / name, 12_000)
