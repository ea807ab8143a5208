"""The whole job, from a run to a data set, by mouse and by keyboard alone."""

from collections import Counter
from pathlib import Path

import pytest
import yaml
from benchmarks.workbench import Keyboard, Mouse, Person
from playwright.sync_api import Page

import heap

from .opening import open_page

KINDS = {
    "cat": "cat", "dog": "dog", "sheep": "sheep", "cows": "cow", "chickens": "bird",
    "duck": "bird", "parrot": "bird", "flower": "plant", "fig": "plant",
}  # fmt: skip
NAMES = tuple(dict.fromkeys(KINDS.values()))


@pytest.mark.parametrize("kind", [Mouse, Keyboard])
def test_a_data_set_is_made_of_photos(
    page: Page, address: str, run: Path, kind: type[Person]
) -> None:
    opened = heap.open(run)
    # Sorting keeps the names of categories that stay.
    opened.edit_categories(rename={kept.id: "" for kept in opened.categories if kept.name})
    ids = [f"{result.key}#{at}" for result in opened.results() for at in range(len(result.objects))]
    classes = {id: KINDS[stem] for id in ids if (stem := id.rpartition(".")[0]) in KINDS}
    open_page(page, address)
    person = kind(page, classes, NAMES)
    assert list(person.do(8)) == ["sort", "name and join", "look through", "export"]
    if kind is Keyboard:
        assert not any(step.clicks for step in person.steps)

    folder = run / "export-yolo-detect"
    names = yaml.safe_load((folder / "data.yaml").read_text())["names"]
    assert set(names.values()) == set(classes.values())
    labels = {
        path.stem: Counter(names[int(line.split()[0])] for line in path.read_text().splitlines())
        for path in (folder / "labels").rglob("*.txt")
    }
    wanted = {path.stem: Counter[str]() for path in (folder / "images").rglob("*.jpg")}
    for id, name in classes.items():
        wanted[id.rpartition(".")[0]][name] += 1
    assert labels == wanted
    assert len(wanted) == 17
