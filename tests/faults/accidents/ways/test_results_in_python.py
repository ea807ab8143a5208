"""Way in 2: results and values in Python."""

import pytest

from .conftest import Program


@pytest.mark.way(2, "Two results, or their objects, could not be compared: ambiguous truth value")
@pytest.mark.parametrize("part", ["look()", "look().objects", "look().regions"])
def test_comparing(program: Program, part: str) -> None:
    program(f"assert {part} == {part}")


@pytest.mark.way(2, "Results, objects and regions could be in no set: unhashable arrays")
@pytest.mark.parametrize("part", ["look()", "look().objects", "look().regions"])
def test_hashes(program: Program, part: str) -> None:
    program(f"assert hash({part}) == hash({part})")


@pytest.mark.way(2, "A result printed all of its arrays")
def test_short_repr(program: Program) -> None:
    program("assert len(repr(look())) < 200, len(repr(look()))")


@pytest.mark.way(2, "A notebook showed no picture of a result")
def test_picture_in_a_notebook(program: Program) -> None:
    program("""
        import io
        with Image.open(io.BytesIO(look()._repr_png_())) as shown:
            assert shown.size == (wanted.width, wanted.height)
    """)


@pytest.mark.way(2, "A run that is open could not be pickled or copied")
def test_copies_of_runs(program: Program) -> None:
    program("""
        import copy
        opened = heap.open(run)
        assert len(opened.objects)
        for again in (pickle.loads(pickle.dumps(opened)), copy.deepcopy(opened)):
            assert len(again.objects) == len(opened.objects)
    """)


@pytest.mark.way(2, "A result was no table")
def test_table_of_a_result(program: Program) -> None:
    program("""
        table = look().to_pandas()
        assert np.array_equal(table[["x1", "y1", "x2", "y2"]].to_numpy(), wanted.objects.boxes)
    """)


@pytest.mark.way(2, "`to_coco` with a number of NumPy gave what JSON cannot write")
def test_coco_with_numbers_of_numpy(program: Program) -> None:
    program("""
        import json
        json.dumps(look().to_coco(np.int64(7), np.int32(3)))
    """)


@pytest.mark.way(2, "The masks of a result did not become arrays")
def test_masks_as_arrays(program: Program) -> None:
    program("""
        masks = np.stack(look().objects.masks)
        assert masks.shape == (len(wanted.objects), *pixels.shape[:2])
        assert np.array_equal(masks, look().to_numpy()["masks"])
    """)


@pytest.mark.way(2, "A box had to be a tuple: an array or a tensor was an error of NumPy or torch")
@pytest.mark.parametrize("box", ["np.array([0, 0, 40, 40])", "torch.tensor([0, 0, 40, 40])"])
def test_boxes(program: Program, box: str) -> None:
    program(f"""
        expected = heap.open(run).search(photo, box=(0.0, 0.0, 40.0, 40.0), count=3)
        assert heap.open(run).search(photo, box={box}, count=3) == expected
    """)


@pytest.mark.way(2, "What is wrong with a box was said by an error of NumPy, or not at all")
@pytest.mark.parametrize(
    ("box", "words"),
    [("(1, 2, 3)", "3 numbers"), ("'0,0,40,40'", "'0,0,40,40'"), ("(0, 0, 'a', 9)", "'a'")],
)
def test_boxes_that_cannot_be_used(program: Program, box: str, words: str) -> None:
    program(f"assert {words!r} in refusal(heap.open(run).search, photo, box={box})")


@pytest.mark.way(2, "Integers of NumPy were none")
def test_integers_of_numpy(program: Program) -> None:
    program("""
        from heap.config import DiscoverConfig
        assert len(heap.open(run).search(object_id="01.png#0", count=np.int64(2))) == 2
        assert DiscoverConfig(proposals=np.int64(3)).proposals == 3
    """)


@pytest.mark.way(2, "`device='auto'`, a word of the command line, was an error in Python")
def test_device_of_the_command_line(program: Program) -> None:
    program("""
        load = heap.Heap.from_pretrained
        assert same(*load(model_folder, device="auto", precision="fp32")([picture]))
    """)


@pytest.mark.way(2, "Values that cannot be raised errors of torch and Python, unexplained")
@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("heap.open(run).search, photo, count=2.5", "2.5"),
        ("heap.open(run).search, photo, count='3'", "'3'"),
        ("heap.open(run).search, object_id=3", "3"),
        ("heap.Heap.from_pretrained, 3", "3"),
        ("heap.Heap.from_pretrained, model_folder, encoder=3", "3"),
        ("fit, None", "None"),
        ("fit, 3", "3"),
    ],
)
def test_values_that_cannot_be(program: Program, call: str, value: str) -> None:
    program(f"""
        said = refusal({call})
        assert {value!r} in said, said
        assert "pydantic" not in said and "torch." not in said and "Input should" not in said
    """)
