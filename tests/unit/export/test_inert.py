import csv
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco
from runs import make_run, sort_into

from heap.export.command import Choices, export
from heap.export.formats import FormatName
from heap.export.inert import inert_runs, inert_text
from heap.results import Rle

FORMULA = "=cmd|' /C calc'!A1"
SIZE = (20, 30)


def mask_after(first: int, *lengths: int) -> np.ndarray:
    """A mask in columns: so many pixels of background, so many of the object, and so on."""
    flat = np.zeros(SIZE[0] * SIZE[1], dtype=bool)
    at = first
    for number, length in enumerate(lengths):
        flat[at : at + length] = number % 2 == 0
        at += length
    return flat.reshape(SIZE, order="F")


@pytest.mark.parametrize(
    ("cell", "written"),
    [("=1+1", "'=1+1"), ("+1", "'+1"), ("-1.jpg", "'-1.jpg"), ("@SUM(A1)", "'@SUM(A1)"),
     ("\t=1", "'\t=1"), ("\r=1", "'\r=1"), ("\n=1", "'\n=1"), ("＝1", "'＝1"), ("'=1", "''=1"),
     ("cat.jpg", "cat.jpg"), ("a=b", "a=b"), ("", "")],
)  # fmt: skip
def test_what_could_be_a_formula_is_quoted_and_can_be_had_back(cell: str, written: str) -> None:
    assert inert_text(cell) == written
    assert written.removeprefix("'") == cell


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
@pytest.mark.parametrize(
    "lengths", [(5,), (5, 3), (587,), (5, 3, 20), (40, 13, 7, 100, 2, 9), (1, 1, 1, 1)]
)
def test_run_lengths_are_no_formula_and_those_of_the_same_mask(lengths: tuple[int, ...]) -> None:
    mask = mask_after(13, *lengths)
    counts = Rle.encode(mask).counts
    assert counts.startswith("=")
    again = inert_runs(counts)
    assert not again.startswith("=")
    decoded = coco.decode({"size": list(SIZE), "counts": again.encode()})
    np.testing.assert_array_equal(decoded.astype(bool), mask)
    np.testing.assert_array_equal(Rle(*SIZE, again).decode(), mask)


@pytest.mark.fault("F46")
@pytest.mark.parametrize(("kind", "table"), [("csv", "objects.csv"), ("masks", "labels.csv")])
def test_f46_no_cell_of_a_table_is_a_formula(tmp_path: Path, kind: FormatName, table: str) -> None:
    key = f"{FORMULA}.png"
    run = make_run(tmp_path, {key: [mask_after(13, 100)]}, SIZE)
    sort_into(run, {1: "@evil"}, {f"{key.replace(chr(39), chr(39) * 2)}#0": 1})
    folder = export(run, kind, choices=Choices(categories=True)).folder
    with (folder / table).open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())
    assert row["image"].removeprefix("'") == key
    assert row["label"].removeprefix("'") == "@evil"
