"""Way in 1: images as programs hold them."""

import pytest

from .conftest import Program


@pytest.mark.way(1, "A model called with a Pillow image was an AttributeError, alone or in a list")
def test_pillow_images(program: Program) -> None:
    program("assert same(model(Image.open(photo)), *model([Image.open(photo)]))")


@pytest.mark.way(1, "Arrays were refused, whatever is in them")
@pytest.mark.parametrize(
    "array",
    [
        "pixels",
        "pixels / 255",
        "pixels.astype(np.uint16) * 257",
        "np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])",
        "np.ascontiguousarray(pixels[..., ::-1])[..., ::-1]",
    ],
    ids=["rgb", "floats", "16 bits", "rgba", "turned bgr"],
)
def test_arrays(program: Program, array: str) -> None:
    program(f"assert same(model({array}))")


@pytest.mark.way(1, "Grey arrays were refused")
def test_grey_arrays(program: Program) -> None:
    program("""
        grey = pixels[..., 0]
        usual = model(np.dstack([grey] * 3))
        for form in (grey, grey[..., None]):
            assert np.array_equal(model(form).saliency, usual.saliency)
    """)


@pytest.mark.way(1, "Of arrays that cannot be used it was not said why")
@pytest.mark.parametrize(
    ("array", "words"),
    [
        ("pixels.astype(np.int64)", "convert it to uint8"),
        ("pixels.astype(np.float32)", "scale them to 0 to 1"),
        ("pixels[..., :2]", "1, 3 or 4 channels behind"),
        ("pixels.transpose(2, 0, 1)", "array.transpose(1, 2, 0)"),
    ],
)
def test_arrays_that_cannot_be_used(program: Program, array: str, words: str) -> None:
    program(f"assert {words!r} in refusal(model, {array})")


@pytest.mark.way(1, "Tensors were refused, channels first or behind")
@pytest.mark.parametrize(
    "tensor",
    ["torch.tensor(pixels)", "torch.tensor(pixels).permute(2, 0, 1)",
     "torch.tensor(pixels).permute(2, 0, 1) / 255"],
    ids=["behind", "first", "floats"],
)  # fmt: skip
def test_tensors(program: Program, tensor: str) -> None:
    program(f"assert same(model({tensor}))")


@pytest.mark.way(1, "Encoded bytes and open files were refused")
@pytest.mark.parametrize("image", ["encoded", "open(photo, 'rb')"])
def test_bytes_and_files(program: Program, image: str) -> None:
    program(f"assert same(model({image}))")


@pytest.mark.way(1, "A model could not be called with a path or a URL")
@pytest.mark.parametrize("place", ["photo", "Path(photo)", "Path(photo).as_uri()"])
def test_paths_and_urls(program: Program, place: str) -> None:
    program(f"""
        result = model({place})
        assert same(result)
        assert result.key == "01.png"
    """)


@pytest.mark.way(1, "Images could have no names of the program's own")
def test_names_beside_images(program: Program) -> None:
    program("""
        assert [result.key for result in model({"cat": pixels, "dog": pixels})] == ["cat", "dog"]
        assert model(pixels, names="cat").key == "cat"
    """)


@pytest.mark.way(1, "A generator was refused: the images had to be counted")
def test_generators(program: Program) -> None:
    program("""
        assert same(*model(picture for _ in range(3)))
    """)


@pytest.mark.way(1, "One image could not be had without a list around it")
def test_one_image_and_one_result(program: Program) -> None:
    program("""
        assert same(model(picture))
        assert same(*model([picture, picture]))
    """)


@pytest.mark.way(1, "`discover` from Python took no images in memory")
@pytest.mark.parametrize(
    "images",
    ["{'a': pixels, 'b': Image.open(photo)}", "((name, pixels) for name in 'ab')"],
    ids=["mapping", "generator"],
)
def test_discover_of_images_in_memory(program: Program, images: str) -> None:
    program(f"""
        discover({images}, "out")
        results = list(heap.open("out").results())
        assert [result.key for result in results] == ["a", "b"]
        assert same(*results)
    """)


@pytest.mark.way(1, "A run could not be searched by an image in memory")
@pytest.mark.parametrize(
    "image", ["pixels", "Image.open(photo)", "encoded", "torch.tensor(pixels)"]
)
def test_search_by_an_image_in_memory(program: Program, image: str) -> None:
    program(f"""
        (hit,) = heap.open(run).search({image}, count=1)
        assert hit.key == "01.png"
    """)


@pytest.mark.way(1, "`fit` from Python took no images in memory")
def test_fit_of_images_in_memory(program: Program) -> None:
    program("""
        numbers = np.random.default_rng(0)
        images = ((str(n), numbers.integers(0, 255, pixels.shape, np.uint8)) for n in range(6))
        assert fit(images).config.provenance
    """)
