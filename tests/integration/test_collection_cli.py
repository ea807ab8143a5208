"""What `heap categories` does to a run, and says."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import heap
from heap.store import index
from heap.store.editing import Editor

Run = Callable[..., subprocess.CompletedProcess[str]]
Main = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def fresh(
    run_heap: Run, photos: Path, model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("collection") / "run"
    done = run_heap("discover", photos, "--model", model_folder, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def run(fresh: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(fresh, tmp_path / "run"))


def categories(main: Main, run: Path, *options: object) -> list[dict[str, Any]]:
    code, out, err = main("categories", run, "--json", *options)
    assert code == 0, err
    found: list[dict[str, Any]] = json.loads(out)["categories"]
    return found


def test_made_named_merged_and_rejected(main: Main, run: Path) -> None:
    made = categories(main, run, "--k", 3)
    assert [each["id"] for each in made] == [1, 2, 3]
    assert sum(each["size"] for each in made) >= 10
    assert all(len(each["typical"]) == min(12, each["size"]) for each in made)
    merged = categories(main, run, "--merge", "1,3", "--name", "1=round things", "--reject", 2)
    assert [(each["id"], each["name"], each["rejected"]) for each in merged] == [
        (1, "round things", False), (2, "", True)
    ]  # fmt: skip
    assert merged[0]["size"] == made[0]["size"] + made[2]["size"]
    again = categories(main, run, "--merge", "1,3", "--name", "1=round things", "--reject", 2)
    assert again == merged, "the same command can be repeated, as after a kill"
    assert categories(main, run, "--restore", 2, "--name", "1=")[1]["rejected"] is False


def test_the_gallery_is_written_again_after_a_change(main: Main, run: Path) -> None:
    page = run / "gallery.html"
    assert '"categories": []' in page.read_text("utf-8")
    _, _, err = main("categories", run, "--k", 2, "--name", "1=[b]round[/b]")
    assert f"Open {page}" in err.replace("\n", "")
    assert '"title": "[b]round[/b]"' in page.read_text("utf-8")
    before = page.stat().st_mtime_ns
    assert main("categories", run)[0] == 0
    assert page.stat().st_mtime_ns == before, "nothing has changed"
    categories(main, run, "--reject", 1)
    assert "[b]round[/b]" not in page.read_text("utf-8")


def test_the_table_says_what_there_is(main: Main, run: Path) -> None:
    code, out, err = main("categories", run, "--k", 2, "--name", "2=[b]round[/b]")
    assert code == 0
    assert "[b]round[/b]" in out
    assert "objects sorted" in err
    # As often as one likes, and nothing is sorted twice.
    code, _, err = main("categories", run)
    assert (code, err.split(",")[0]) == (0, "0 objects sorted")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--name", "dog"], "--name dog cannot be used; give NUMBER=NAME"),
        (["--merge", "1;2"], "--merge 1;2 cannot be used; give numbers"),
        (["--merge", "1,9"], "no category 9; it has 1, 2"),
        (["--k", 5], "--again makes other ones"),
        (["--reject", 7], "no category 7"),
    ],
)
def test_what_cannot_be_done_is_said(
    main: Main, run: Path, options: list[object], says: str
) -> None:
    categories(main, run, "--k", 2)
    code, _, err = main("categories", run, *options)
    assert code == 2
    assert says in err
    assert err.count("\n") == 1


def test_a_second_writer_is_refused_at_once(main: Main, run: Path) -> None:
    with Editor(run):
        code, _, err = main("categories", run)
    assert code == 2
    assert "is being written by process" in err


def test_what_is_no_run_is_refused(main: Main, tmp_path: Path) -> None:
    code, _, err = main("categories", tmp_path)
    assert code == 3
    assert "holds no run" in err


class TestSearch:
    def found(self, main: Main, run: Path, *options: object) -> list[dict[str, Any]]:
        code, out, err = main("search", run, "--json", *options)
        assert code == 0, err
        hits: list[dict[str, Any]] = json.loads(out)
        return hits

    def test_by_image_by_box_and_by_object(self, main: Main, run: Path, photos: Path) -> None:
        photo = sorted(photos.iterdir())[0]
        best = self.found(main, run, "--image", photo, "--count", 3)
        assert len(best) == 3
        assert best[0]["id"] == f"{photo.name}#0"
        corners = ",".join(f"{edge:.0f}" for edge in best[0]["box"])
        by_box = self.found(main, run, "--image", photo, "--box", corners)
        assert by_box[0]["key"] == photo.name
        others = self.found(main, run, "--object", best[0]["id"], "--where", "score > 0.1")
        assert others
        assert best[0]["id"] not in {hit["id"] for hit in others}
        assert all(hit["score"] > 0.1 for hit in others)
        assert [hit["similarity"] for hit in others] == sorted(
            (hit["similarity"] for hit in others), reverse=True
        )

    def test_with_an_index_its_recall_is_said(
        self, main: Main, run: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        search = ("search", run, "--object", "00.png#0", "--json")
        without = main(*search)
        assert (without[0], without[2]) == (0, "")
        monkeypatch.setattr(index, "SIZE", 5)
        categories(main, run, "--k", 2)
        code, out, err = main(*search)
        assert code == 0
        assert re.fullmatch(
            r"searched with an index; recall@20 [01]\.\d\d on \d+ of its objects; --exact looks at "
            r"all\n",
            err,
        )
        exact = main(*search, "--exact")
        assert (exact[0], exact[2]) == (0, "")
        found = [{hit["id"] for hit in json.loads(text)} for text in (out, exact[1], without[1])]
        assert found[0] == found[1] == found[2]

    def test_a_preview_shows_what_again_would_make(self, main: Main, run: Path) -> None:
        categories(main, run, "--k", 2, "--name", "2=boxes")
        before = heap.open(run).objects.to_pandas()["category"].tolist()
        code, out, err = main("categories", run, "--preview", "--k", 1, "--json")
        assert (code, err) == (0, "")
        told = json.loads(out)
        assert (len(told["categories"]), told["lost"]) == (1, ["boxes"])
        assert heap.open(run).objects.to_pandas()["category"].tolist() == before
        code, _, err = main("categories", run, "--preview", "--k", 1)
        assert f"{told['moved']} objects would leave" in err
        assert "without a category are the names boxes" in err
        code, _, err = main("categories", run, "--preview", "--again")
        assert (code, "--preview changes nothing" in err) == (2, True)

    def test_the_table_names_categories(self, main: Main, run: Path) -> None:
        categories(main, run, "--k", 2, "--name", "1=balls")
        code, out, _ = main("search", run, "--object", "00.png#0", "--where", "category = 1")
        assert code == 0
        assert out.count("balls") >= 1

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ([], "search takes an image"),
            (["--image", "nowhere.jpg"], "nowhere.jpg"),
            (["--object", "nowhere.jpg#0"], "has no object 'nowhere.jpg#0'"),
            (["--image", "00.png", "--box", "1,2,3"], "give x1,y1,x2,y2"),
            (["--object", "00.png#0", "--where", "score >"], "cannot be used"),
            (["--object", "00.png#0", "--model", "embedded"], "another model than embedded"),
        ],
    )
    def test_what_cannot_be_done_is_said(
        self, main: Main, run: Path, options: list[object], says: str
    ) -> None:
        code, _, err = main("search", run, *options)
        assert code == 2
        assert says in err
        assert err.count("\n") == 1


def test_inspect_names_copies_and_empty_images(
    main: Main, photos: Path, model_folder: Path, tmp_path: Path
) -> None:
    some = tmp_path / "some"
    some.mkdir()
    for path in sorted(photos.iterdir())[:3]:
        shutil.copy(path, some)
    shutil.copy(some / "00.png", some / "copy.png")
    out = tmp_path / "run"
    assert main("discover", some, "--model", model_folder, "--out", out, "--json")[0] == 0
    code, text, err = main("inspect", out)
    assert code == 0, err
    assert "00.png, copy.png" in text
    assert "pictures that are there more than once: 1" in err
    found = json.loads(main("inspect", out, "--json")[1])
    assert found["duplicates"] == [["00.png", "copy.png"]]
    assert found["empty"] == []
    assert {"id", "likeness"} == set(found["typical"][0])


def test_corrections_are_listed_taken_back_and_made_again(main: Main, run: Path) -> None:
    for options in (("--k", 2), ("--name", "1=pets"), ("--reject", 2)):
        assert main("categories", run, *options)[0] == 0
    rows = [line.split("\t") for line in main("categories", run, "--history")[1].splitlines()]
    assert [(row[3], row[4]) for row in rows[1:]] == [
        ("sorted the objects", ""), ("named category 1 “pets”", ""), ("rejected category 2", "")
    ]  # fmt: skip
    for what in ("rejected category 2", "named category 1 “pets”"):
        assert f"taken back: {what}" in main("categories", run, "--undo")[2]
    assert [each["name"] for each in categories(main, run)] == ["", ""]
    assert "made again: named category 1" in main("categories", run, "--redo")[2]
    told = json.loads(main("categories", run, "--history", "--json")[1])
    assert [entry["undone"] for entry in told] == [False, False, True]
    code, _, error = main("categories", run, "--undo", "--redo")
    assert code == 2
    assert "stand alone" in error
