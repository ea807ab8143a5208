import json
from pathlib import Path

import pytest

from heap.base.errors import InputError, StoreError
from heap.benchmark.run.journal import Journal, Row

MADE_WITH = {"method": {"name": "lost", "settings": {"patches": 100}}, "grid": ("a", 1), "seed": 0}
ROWS: dict[str, Row] = {
    "one": {"iou": 0.1, "flags": [True, None]},
    "zw\u00f6lf\u2028": {"iou": 1 / 3},
}


def filled(path: Path) -> Journal:
    journal = Journal(path, MADE_WITH)
    for image, row in ROWS.items():
        journal.add(image, row)
    return journal


def test_rows_are_there_again_when_it_is_opened_again(tmp_path: Path) -> None:
    journal = filled(tmp_path / "not" / "there" / "a.jsonl")
    assert journal.rows() == ROWS
    again = Journal(journal.path, MADE_WITH)
    assert again.rows() == ROWS
    assert again.images == journal.images == set(ROWS)
    assert len(journal.path.read_text().splitlines()) == 1 + len(ROWS)
    again.remove()
    assert list(journal.path.parent.iterdir()) == []


def test_it_goes_on_wherever_a_kill_has_torn_it(tmp_path: Path) -> None:
    whole = filled(tmp_path / "whole.jsonl").path.read_bytes()
    ends = [number + 1 for number, byte in enumerate(whole) if byte == ord("\n")]
    torn = tmp_path / "torn.jsonl"
    near = {end + step for end in ends for step in (-1, 0, 1)} - {len(whole) + 1}
    for length in sorted({*near, *range(0, len(whole), 40)}):
        torn.write_bytes(whole[:length])
        journal = Journal(torn, MADE_WITH)
        lines = sum(end <= length for end in ends)
        assert list(journal.rows()) == list(ROWS)[: max(0, lines - 1)]
        for image in ROWS.keys() - journal.images:
            journal.add(image, ROWS[image])
        assert Journal(torn, MADE_WITH).rows() == ROWS


def test_one_of_another_evaluation_is_refused_and_left_alone(tmp_path: Path) -> None:
    journal = filled(tmp_path / "a.jsonl")
    before = journal.path.read_bytes()
    other = {**MADE_WITH, "seed": 1, "method": {"name": "lost", "settings": {"patches": 50}}}
    with pytest.raises(InputError) as caught:
        Journal(journal.path, other)
    message = str(caught.value)
    assert message.startswith(f"{journal.path} belongs to another evaluation: ")
    assert "method.settings.patches (100 -> 50), seed (0 -> 1);" in message
    assert "grid" not in message
    assert journal.path.read_bytes() == before


@pytest.mark.parametrize("damage", [b"\0\0\0\0\n", b"[3, 4]\n", b"\xff\n", b"7\n"])
@pytest.mark.parametrize("line", [0, 2])
def test_damage_is_named_by_its_line(damage: bytes, line: int, tmp_path: Path) -> None:
    path = filled(tmp_path / "a.jsonl").path
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:line], damage, *lines[line:]]))
    with pytest.raises(StoreError, match=f"damaged in line {line + 1}; delete it"):
        Journal(path, MADE_WITH)


def test_the_header_is_plain_json(tmp_path: Path) -> None:
    path = filled(tmp_path / "a.jsonl").path
    header = json.loads(path.read_text().splitlines()[0])
    assert header["grid"] == ["a", 1], "a tuple that came back as a list is no other evaluation"
