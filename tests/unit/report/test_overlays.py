import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heap.masks.palette import OBJECTS, REGIONS, rgb
from heap.masks.scaling import THUMBNAIL_SIDE, fit_size, scale_mask, thumbnail
from heap.report.overlays import draw_foreground, draw_overlay, draw_regions, save_overlay

from .conftest import HEIGHT, WIDTH, Make

GREY = np.full((HEIGHT * 10, WIDTH * 10, 3), 100, dtype=np.uint8)


def blend(colour: str) -> np.ndarray:
    return 0.55 * 100 + 0.45 * np.array(rgb(colour))


def test_each_object_has_its_colour_and_the_rest_of_the_photo_is_as_it_was(make: Make) -> None:
    drawn = np.asarray(draw_overlay(GREY, make())).astype(float)
    assert drawn.shape == GREY.shape
    assert drawn[300, 220 + 130] == pytest.approx(blend(OBJECTS[0]), abs=2)  # in the ring
    assert drawn[300, 600] == pytest.approx(blend(OBJECTS[1]), abs=2)  # in the disc
    assert (drawn[300, 220] == 100).all()  # in the hole of the ring
    assert (drawn[550, 400] == 100).all()  # far from both
    outline = drawn[300, 220 + 170 : 220 + 190]
    assert outline.max() > 200  # light beside the colour, to stand out on a dark photo


def test_an_image_without_objects_is_only_reduced(make: Make) -> None:
    drawn = draw_overlay(GREY, make(objects=0), max_side=200)
    assert drawn.size == (200, 150)
    assert (np.asarray(drawn) == 100).all()


def test_the_drawing_does_not_depend_on_the_size_that_was_decoded(make: Make) -> None:
    large, small = draw_overlay(GREY, make(), 80), draw_overlay(GREY[::5, ::5], make(), 80)
    assert large.size == small.size == (80, 60)
    assert np.array_equal(np.asarray(large), np.asarray(small))


def test_the_foreground_stands_out_from_what_is_dimmed() -> None:
    masks = np.zeros((2, *GREY.shape[:2]), dtype=bool)
    masks[0, :300, :400], masks[1, :300, 400:] = True, True
    drawn = np.asarray(draw_foreground(GREY, masks)).astype(float)
    assert drawn[150, 200] == pytest.approx(blend(OBJECTS[0]), abs=2)
    assert drawn[150, 600] == pytest.approx(blend(OBJECTS[1]), abs=2)
    assert drawn[450, 400] == pytest.approx([35] * 3, abs=1)
    assert drawn[298:302, 200].max() > 200  # the outline
    nothing = np.asarray(draw_foreground(GREY, masks[:0]))
    assert (nothing == drawn[450, 400]).all()


def test_regions_are_shown_in_their_colours_with_a_line_between(make: Make) -> None:
    drawn = np.asarray(draw_regions(GREY, make().regions.label_map)).astype(float)
    assert drawn[300, 100] == pytest.approx(blend(REGIONS[0]), abs=2)
    assert drawn[300, 700] == pytest.approx(blend(REGIONS[1]), abs=2)
    line = np.flatnonzero((drawn[300] > 160).all(axis=-1))
    assert line.tolist() == [400]


def test_drawings_of_different_images_never_share_a_file(tmp_path: Path, make: Make) -> None:
    image = draw_overlay(GREY, make())
    keys = ["a/x.jpg", "b/x.jpg", "a/x.png", "../../x.jpg", "X.jpg", "x.jpg"]
    paths = [Path(save_overlay(image, tmp_path / "overlays", key)) for key in keys]
    assert len(set(paths)) == len(keys)
    assert {path.parent for path in paths} == {tmp_path / "overlays"}
    assert sorted(tmp_path.rglob("*.jpg")) == sorted(paths)
    with Image.open(paths[0]) as saved:
        assert (saved.format, saved.size) == ("JPEG", image.size)
    with Image.open(save_overlay(image, tmp_path, "a", "WEBP")) as saved:
        assert saved.format == "WEBP"


def test_a_thumbnail_is_a_small_jpeg(make: Make) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 1000, 3), dtype=np.uint8)
    for pixels, size in ((noise, (THUMBNAIL_SIDE, 288)), (noise[:20, :30], (30, 20))):
        with Image.open(BytesIO(thumbnail(pixels))) as small:
            assert (small.format, small.size) == ("JPEG", size)


@pytest.mark.parametrize(
    ("size", "expected"), [((1000, 500), (100, 50)), ((3, 9000), (1, 100)), ((7, 7), (7, 7))]
)
def test_images_are_reduced_and_never_vanish(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert fit_size(size, 100) == expected


def test_a_mask_is_reduced_by_majority() -> None:
    mask = np.zeros((4, 4), dtype=bool)
    mask[:2, :2] = True
    mask[3, 3] = True
    assert scale_mask(mask, (2, 2)).tolist() == [[True, False], [False, False]]


DRAW = """
import sys
import numpy as np
from runs import result_of
from heap.report.outlines import load_drawing, svg_path
from heap.report.overlays import draw_overlay

load_drawing()
mask = np.zeros((60, 80), dtype=bool)
mask[10:40, 20:60] = True
result, before = result_of("a.jpg", [mask], (60, 80)), set(sys.modules)
draw_overlay(np.zeros((60, 80, 3), dtype=np.uint8), result)
svg_path(mask)
libraries = ("supervision", "contourpy", "matplotlib")
print(*(name for name in set(sys.modules) - before if name.partition(".")[0] in libraries))
"""


def test_threads_that_draw_import_no_library() -> None:
    # Two that do at the same time may see one half initialised.
    command, tests = [sys.executable, "-c", DRAW], Path(__file__).parents[2]
    done = subprocess.run(command, cwd=tests, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "\n"), done.stderr + done.stdout
