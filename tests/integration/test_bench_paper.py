"""The tables of the papers from the official layouts in miniature, by real processes."""

import json
from pathlib import Path

import pytest
from benchmarks.studies.paper import Places, bench, check
from miniatures import annotation, coco_json, pairs, picture, voc

from heap.base.errors import InputError
from heap.benchmark.results import read_results

METHODS = ("centre", "found")


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """One data set for each task."""
    names = [f"2008_00000{number}" for number in range(4)]
    lists = {"Main/trainval": names, "Segmentation/train": names[:2], "Segmentation/val": names[2:]}
    voc(tmp_path, "2012", lists, ["SegmentationClass"])
    duts = pairs(tmp_path / "DUTS-TE", "DUTS-TE-Image", "DUTS-TE-Mask")
    return Places(voc12=tmp_path / "VOCdevkit", coco20k=coco20k(tmp_path / "coco"), duts=duts)


def coco20k(root: Path) -> Path:
    names = [f"COCO_train2014_00000000000{number}.jpg" for number in (1, 2)]
    whole = coco_json([annotation(1, image=1), annotation(2, image=2)], names)
    (root / "annotations").mkdir(parents=True)
    (root / "annotations" / "instances_train2014.json").write_text(json.dumps(whole))
    (root / "coco_20k_filenames.txt").write_text("".join(f"train2014/{name}\n" for name in names))
    for name in names:
        picture(root / "train2014" / name)
    return root


@pytest.fixture
def duts_tr(tmp_path: Path, photos: Path) -> Path:
    """As it is published, with a mask that must not be learned from."""
    root = pairs(tmp_path / "DUTS-TR", "DUTS-TR-Image", "DUTS-TR-Mask", names=["mini"])
    for photo in sorted(photos.iterdir())[:3]:
        (root / "DUTS-TR-Image" / photo.name).write_bytes(photo.read_bytes())
    return root


@pytest.mark.usefixtures("forked")
def test_the_tables_come_out_of_the_official_layouts(
    places: Places, duts_tr: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"found": {"steps": 3}}))
    bench(
        places=places,
        encoder=str(encoder_folder),
        photos=duts_tr,
        method=METHODS,
        settings=[settings],
        seed=(0, 1),
        out=tmp_path / "out",
        work=tmp_path / "work",
    )
    results = tmp_path / "out" / encoder_folder.name
    found = {path.relative_to(results).as_posix() for path in results.rglob("*.json.gz")}
    sets = ("voc2012", "coco20k", "duts-te", "voc2012-seg")
    files = ("centre", "found-0", "found-1")
    assert found == {f"{each}/{name}.json.gz" for each in sets for name in files}
    counts = {each: read_results(results / each / "found-1.json.gz").data.images for each in sets}
    assert counts == {"voc2012": 4, "coco20k": 2, "duts-te": 2, "voc2012-seg": 4}
    learned = read_results(results / "duts-te" / "found-0.json.gz")
    assert learned.method.fit is not None
    assert learned.method.fit["images"] == 3, "one of the four is a copy"
    features = learned.encoder.features
    assert (features["resolution"], features["native"]) == (1024, True)
    assert not list((tmp_path / "work").rglob("features/*"))
    tables = (results / "tables.md").read_text()
    for title in ("Discovery, COCO20k", "Saliency, DUTS-TE", "Retrieval, VOC 2012 segmentation"):
        assert f"### {title}" in tables
    assert list((results / "charts").glob("*.png"))


def test_only_what_was_given_is_measured() -> None:
    sets = list(Places(voc07=Path("a"), voc12=Path("b"), dut_omron=Path("c")).sets())
    assert [used.spec for used in sets] == [
        "voc2007:a", "voc2012:b", "dut-omron:c", "voc2012-seg:b",
    ]  # fmt: skip
    assert all(used.protocols for used in sets)
    assert all(name.startswith("corloc-") for name in sets[0].protocols)
    assert any(name.endswith("-solver") for name in sets[2].protocols)
    assert all(name.startswith("retrieval-voc12-") for name in sets[3].protocols)


class TestBeforeHoursOfWork:
    def test_there_must_be_data(self) -> None:
        with pytest.raises(InputError, match="name at least one, such as --ecssd"):
            bench(method=["centre"])

    def test_there_must_be_photos_to_learn_from(self, places: Places) -> None:
        with pytest.raises(InputError, match="found learn from unlabelled images"):
            check(list(places.sets()), METHODS, None, None)

    def test_a_data_set_that_is_not_complete_is_named(self, places: Places) -> None:
        assert places.duts is not None
        mask = places.duts / "DUTS-TE-Mask" / "b.png"
        mask.unlink()
        with pytest.raises(InputError, match=r"b\.png"):
            check(list(places.sets()), ["centre"], None, None)
