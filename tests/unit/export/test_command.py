import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import cyclopts
import numpy as np
import pytest
from PIL import Image
from runs import make_run, ring, sort_into, with_source

from heap.base.errors import InputError, StoreError
from heap.cli.export import export as export_command
from heap.export.command import Choices, Exported, export
from heap.export.formats import FORMATS, FormatName
from heap.export.splits import Splits

COCO = "annotations/instances_default.json"
SIZE = (60, 80)
MASKS = [ring(SIZE, (30, x), 12, 4) for x in (15, 40, 65)]
KEYS = [f"{number}/ü.jpg" for number in range(9)]
OF = {key: MASKS[: number % 4] for number, key in enumerate(KEYS)}
SPLITS = Splits.parse("train=0.6,val=0.4", seed=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = make_run(tmp_path_factory.mktemp("made"), OF, SIZE)
    sort_into(found, {1: "wheel [b]"}, {f"{KEYS[1]}#0": 1})
    return found


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def mode_of(path: Path) -> str:
    with Image.open(path) as image:
        return image.mode


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_holds_every_image_and_leaves_nothing_half_done(
    run: Path, tmp_path: Path, format: FormatName
) -> None:
    found = export(run, format, tmp_path / "out", Choices(categories=True, splits=SPLITS))
    assert found.classes == ("wheel [b]", "other")
    assert sum(count.images for count in found.splits.values()) == 9
    assert sum(count.objects for count in found.splits.values()) == 12
    assert all(count.images for count in found.splits.values())
    assert (found.crops, found.failures) == (0, ())
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    wanted = 9 if FORMATS[format].images == "copy" else 0
    images = [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".jpg", ".png")]
    assert [mode_of(path) for path in images].count("RGB") == wanted


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    run = make_run(tmp_path, {key: OF[key] for key in KEYS[2:4]}, SIZE)
    choices = Choices(splits=SPLITS, crops=True)
    formats: tuple[FormatName, ...] = ("coco", "voc", "parquet", "masks")
    for format in formats:
        first, second = (tmp_path / f"{format}{at}" for at in (1, 2))
        export(run, format, first, choices)
        export(run, format, second, choices)
        assert files(first) == files(second) != set()
        for name in files(first):
            assert (first / name).read_bytes() == (second / name).read_bytes()


def test_an_export_lies_in_the_run_and_replaces_the_earlier_one(run: Path) -> None:
    for min_score, objects in ((0.0, 12), (0.85, 6)):  # Of six images; three have none.
        found = export(run, "csv", choices=Choices(min_score=min_score))
        assert found.folder == run / "export-csv"
        rows = table(found.folder / "objects.csv")
        assert len([row for row in rows if row["id"]]) == objects
        assert [row["image"] for row in rows if not row["id"]] == [KEYS[0], KEYS[4], KEYS[8]]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("format", FORMATS)
def test_every_export_says_which_photo_a_file_belongs_to(
    run: Path, tmp_path: Path, format: FormatName
) -> None:
    folder = export(run, format, tmp_path / "out", Choices(splits=SPLITS)).folder
    rows = table(folder / "photos.csv")
    assert [row["photo"] for row in rows] == KEYS
    for number, row in enumerate(rows):
        assert row["name"] == f"{number}/ü"
        assert row["source"] == str(run.parent / "photos" / f"{number}.png")
        assert row["split"] == SPLITS.of(row["photo"])
        assert row["objects"] == str(len(OF[row["photo"]]))
        assert (folder / row["file"]).is_file() == (FORMATS[format].images == "copy")


ODD = {
    "a.jpg": MASKS,
    "a.png": [],
    "-b.jpg": MASKS[:1],
    "x:y/images/c.jpg": MASKS[:1],
    "caf%E9.jpg": [],
}
"""Two share a name, one begins as a formula does, one has a letter that Windows does not take and a
folder that YOLO looks for, and the name of one is in Latin-1."""


@pytest.fixture(scope="module")
def odd_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("odd"), ODD, SIZE)


@pytest.mark.parametrize("format", FORMATS)
def test_odd_names_are_in_every_format(odd_run: Path, tmp_path: Path, format: FormatName) -> None:
    found = export(odd_run, format, tmp_path / "out", Choices(images="copy", crops=True))
    rows = {row["photo"]: row for row in table(found.folder / "photos.csv")}
    assert set(rows) == {"a.jpg", "a.png", "'-b.jpg", "x:y/images/c.jpg", "caf%E9.jpg"}
    assert len({row["name"] for row in rows.values()}) == len(ODD)
    assert all((found.folder / row["file"].lstrip("'")).is_file() for row in rows.values())
    # `-b` and, where that may be, `x_y/images/c` are as they were.
    assert found.renamed == 4
    folder = "_images" if format.startswith("yolo") else "images"
    assert rows["x:y/images/c.jpg"]["name"] == f"x_y/{folder}/c"


def test_without_images_files_fit_the_photos(odd_run: Path, tmp_path: Path) -> None:
    found = export(odd_run, "yolo", tmp_path / "out", Choices(images="none"))
    labels = files(found.folder / "labels" / "train")
    assert {"-b.txt", "x:y/images/c.txt", os.fsdecode(b"caf\xe9.txt")} < labels
    assert found.renamed == 2
    content = json.loads(export(odd_run, "coco").folder.joinpath(COCO).read_bytes())
    assert {each["file_name"] for each in content["images"]} == {
        "a.jpg", "a.png", "-b.jpg", "x:y/images/c.jpg", os.fsdecode(b"caf\xe9.jpg"),
    }  # fmt: skip


def test_a_split_without_an_image_leaves_the_earlier_export(run: Path, tmp_path: Path) -> None:
    export(run, "csv", tmp_path / "out")
    before = files(tmp_path / "out")
    with pytest.raises(InputError, match=r"val would have none of the 9 images.*--seed"):
        export(run, "csv", tmp_path / "out", Choices(splits=Splits.parse("train=0.99,val=0.01")))
    assert files(tmp_path / "out") == before


def lost(folder: Path) -> Path:
    """A run one of whose photos is gone, and another torn."""
    made = make_run(folder, dict.fromkeys(KEYS[:4], MASKS[:1]), SIZE)
    (folder / "photos" / "1.png").unlink()
    torn = folder / "photos" / "2.png"
    torn.write_bytes(torn.read_bytes()[:2000])
    return made


def test_images_that_cannot_be_read_again_are_left_out_and_said(tmp_path: Path) -> None:
    found = export(lost(tmp_path), "yolo", choices=Choices(crops=True))
    assert [failure.key for failure in found.failures] == KEYS[1:3]
    assert found.splits[""].images == found.crops == 2
    assert len(list((found.folder / "labels").rglob("*.txt"))) == 2
    assert len(list((found.folder / "images").rglob("*.png"))) == 2
    lines = (found.folder / "failed.jsonl").read_text().splitlines()
    assert [json.loads(line)["path"] for line in lines] == KEYS[1:3]


def test_only_crops_are_missing_where_no_images_are_wanted(tmp_path: Path) -> None:
    found = export(lost(tmp_path), "coco", choices=Choices(crops=True))
    assert (found.splits[""].images, found.crops, len(found.failures)) == (4, 2, 2)
    assert len(json.loads((found.folder / COCO).read_text())["images"]) == 4


def photos_of(run: Path) -> Path:
    return run.parent / "photos"


@pytest.mark.parametrize("crops", [False, True])
def test_photos_that_were_moved_leave_an_earlier_export_as_it_was(
    tmp_path: Path, crops: bool
) -> None:
    run = make_run(tmp_path, dict.fromkeys(KEYS[:4], MASKS[:1]), SIZE)
    wanted = Choices(crops=True, images="none") if crops else Choices()
    before = export(run, "yolo", choices=wanted).folder
    written = {name: (before / name).read_bytes() for name in files(before)}
    moved = photos_of(run).rename(tmp_path / "moved")
    with pytest.raises(InputError, match=r"4 photos .* \(gone\).* with --photos"):
        export(run, "yolo", choices=wanted)
    (moved / "1.png").rename(moved / "other.png")
    here = replace(wanted, photos=moved)
    with pytest.raises(InputError, match=r"1 photos could not be read again, 1/ü.jpg \(gone\)"):
        export(run, "yolo", choices=here)
    assert written == {name: (before / name).read_bytes() for name in files(before)}
    left = export(run, "yolo", tmp_path / "left", here)
    assert [failure.key for failure in left.failures] == KEYS[1:2]
    (moved / "other.png").rename(moved / "1.png")
    assert export(run, "yolo", choices=here).failures == ()
    assert written == {name: (before / name).read_bytes() for name in files(before)}


def test_an_export_without_a_single_photo_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path, dict.fromkeys(KEYS[:2], MASKS[:1]), SIZE)
    photos_of(run).rename(tmp_path / "moved")
    with pytest.raises(InputError, match="would hold 0 images"):
        export(run, "voc")
    assert not (run / "export-voc").exists()


def test_an_export_may_hold_fewer_images_than_the_earlier_one_where_no_photo_is_missing(
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path, dict.fromkeys(KEYS[:2], MASKS[:1]), SIZE)
    assert export(run, "yolo", choices=Choices(crops=True)).crops == 2
    assert export(run, "yolo", choices=Choices(crops=True, min_score=0.95)).crops == 0


def test_a_photo_that_was_exchanged_for_another_of_its_size_is_named_and_left_out(
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path, dict.fromkeys(KEYS[:3], MASKS[:1]), SIZE)
    photos = photos_of(run)
    (photos / "1.png").write_bytes((photos / "2.png").read_bytes())
    exported = export(run, "yolo", choices=Choices(crops=True))
    assert (exported.splits[""].images, exported.crops) == (2, 2)
    (line,) = (exported.folder / "failed.jsonl").read_text().splitlines()
    told = json.loads(line)
    assert (told["path"], told["stage"]) == (KEYS[1], "changed")
    assert "another content" in told["reason"]


@pytest.mark.parametrize("digest", ["", None])
def test_a_run_cannot_make_an_export_copy_other_files_of_this_machine(
    tmp_path: Path, digest: str | None
) -> None:
    run = make_run(tmp_path, dict.fromkeys(KEYS[:2], MASKS[:1]), SIZE)
    secret = tmp_path / "secret.png"
    secret.write_bytes((photos_of(run) / "0.png").read_bytes())
    with_source(run, KEYS[0], str(secret), digest)
    exported = export(run, "yolo", choices=Choices(crops=True))
    assert [(failure.key, failure.stage) for failure in exported.failures] == [(KEYS[0], "refused")]
    assert len(list(exported.folder.rglob("*.png"))) == 2


def test_an_export_that_is_interrupted_never_happened(run: Path, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int | None) -> None:
        if done == 5:
            assert [path.name for path in tmp_path.iterdir()] == [".out.partial"]
            raise KeyboardInterrupt

    formats: tuple[FormatName, ...] = ("coco", "yolo", "parquet")
    for format in formats:
        with pytest.raises(KeyboardInterrupt):
            export(run, format, tmp_path / "out", on_progress=stop)
        assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_user_and_a_place_without_a_run_are_refused(
    run: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no export"):
        export(run, "csv", run)
    with pytest.raises(StoreError, match="holds no run"):
        export(tmp_path, "csv", tmp_path / "out")
    with pytest.raises(InputError, match="--out"):
        export("memory://somewhere", "csv")


def test_label_maps_number_the_objects_by_score_and_go_to_16_bits(tmp_path: Path) -> None:
    low, high = np.zeros((30, 40), dtype=bool), np.zeros((30, 40), dtype=bool)
    low[5:20, 5:20] = high[10:30, 10:30] = True
    single = np.zeros((300, 30, 40), dtype=bool)
    single[np.arange(300), np.arange(300) // 40, np.arange(300) % 40] = True
    run = make_run(tmp_path, {"a.jpg": [high, low], "b.jpg": list(single)}, (30, 40))
    folder = export(run, "masks").folder
    rows = table(folder / "labels.csv")
    with Image.open(folder / "masks" / rows[0]["file"]) as image:
        values = np.asarray(image)
    assert values.dtype == np.uint8
    assert np.array_equal(values == 1, high)
    assert np.array_equal(values == 2, low & ~high)
    assert [(row["id"], row["value"], row["area"], row["visible"]) for row in rows[:2]] == [
        ("a.jpg#0", "1", "400", "400"),
        ("a.jpg#1", "2", "225", "125"),
    ]
    with Image.open(folder / "masks" / rows[2]["file"]) as image:
        deep = np.asarray(image)
    assert deep.dtype == np.uint16
    assert deep.ravel()[:300].tolist() == list(range(1, 301))


def run_command(*arguments: object) -> Exported | None:
    app = cyclopts.App()
    app.command(export_command)
    command = ["export", *map(str, arguments)]
    found: Exported | None = app(
        command, exit_on_error=False, print_error=False, result_action="return_value"
    )
    return found


def test_the_command_says_what_was_exported_and_what_reads_it(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_command(
        run, "--format", "yolo", "--out", tmp_path / "out", "--categories", "--crops",
        "--split", "train=0.6,val=0.4", "--seed", 1, "--min-score", 0.85, "--images", "link",
    )  # fmt: skip
    said = capsys.readouterr()
    words = {line.split()[0]: line.split()[1:] for line in said.out.splitlines() if line.strip()}
    assert int(words["train"][0]) + int(words["val"][0]) == 9
    assert int(words["train"][1]) + int(words["val"][1]) == 6
    assert words["classes"] == ["2", "wheel", "[b],", "other"]
    assert words["crops"] == ["6"]
    assert "not been sorted yet, and are of the class other: 11; `heap categories" in said.err
    assert f"data={tmp_path / 'out'}/data.yaml" in said.err
    images = list((tmp_path / "out" / "images").rglob("*.png"))
    assert len(images) == 9
    assert all(path.is_symlink() for path in images)


def test_the_command_names_what_cannot_be_read_and_refuses_what_makes_no_sense(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = lost(tmp_path)
    run_command(run, "--format", "voc")
    said = capsys.readouterr().err
    assert f"{KEYS[1]}: cannot read" in said
    assert "could not be read again: 2" in said
    with pytest.raises(cyclopts.CycloptsError, match="format"):
        run_command(run, "--format", "tiff")
    with pytest.raises(InputError, match="together"):
        run_command(run, "--format", "csv", "--split", "a=0.1")
