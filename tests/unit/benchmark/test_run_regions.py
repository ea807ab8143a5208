"""Regions of the embedded model, from pictures to tables."""

from pathlib import Path

import numpy as np
import pytest
from scenes import voc_set

from heap.base.errors import InputError
from heap.benchmark.protocols import PROTOCOLS
from heap.benchmark.results import Results
from heap.benchmark.results.compare import compare
from heap.benchmark.run.bench import Bench
from heap.benchmark.tables import to_markdown_page
from heap.encoder.registry import recipe
from heap.model.heap import Heap

from .evaluating import entry, run, task
from .made import table

NAMES = ("regions-voc12-v1", "region-oracle-v1")


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve scenes of cats and dogs."""
    return voc_set(tmp_path_factory.mktemp("pets"))


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The encoder that comes with the package."""
    features = recipe("embedded-small").features("embedded-small")
    return Bench(features, cache=tmp_path_factory.mktemp("features"), precision="fp32")


@pytest.fixture(scope="module")
def evaluated(pets: Path, packaged: Bench, tmp_path_factory: pytest.TempPathFactory) -> Results:
    out = tmp_path_factory.mktemp("evaluated") / "a.json"
    what = task(f"voc2012-seg:{pets}", *NAMES)
    return run(what, packaged, entry("heap", out, {}, model=None))


def nearest(regions: list[tuple[int, int, np.ndarray]]) -> list[list[bool]]:
    """Of each region of a class, whether the ten nearest of other images have it too."""
    found = []
    for image, name, query in regions:
        others = [each for each in regions if each[0] != image]
        others.sort(key=lambda each: -float(each[2] @ query))
        if name:
            found.append([each[1] == name for each in others[:10]])
    return found


def test_values_are_those_of_the_model_itself(
    evaluated: Results, pets: Path, packaged: Bench
) -> None:
    """By the model on each picture, and loops over patches, pixels and pairs."""
    heap = Heap.from_pretrained("embedded-small", precision="fp32")
    kinds: dict[str, list[tuple[int, int, np.ndarray]]] = {"features": [], "head": []}
    oracles = []
    for image, example in enumerate(task(f"voc2012-seg:{pets}", *NAMES).examples()):
        picture = example.picture()
        classes = example.truth(picture).classes
        assert classes is not None
        features = packaged.see(picture).features
        chosen = heap.analyse(features).regions.label_map.ravel()
        centred = (features.patches - heap.head.centre).numpy()
        rows, cols = (
            ((np.arange(pixels) + 0.5) * patches / pixels).astype(int)
            for pixels, patches in zip(classes.shape, features.grid, strict=True)
        )
        full = chosen.reshape(features.grid)[rows][:, cols]
        best = np.zeros(classes.shape, dtype=bool)
        for number in np.unique(chosen):
            inside = classes[full == number]
            best |= (full == number) & (np.mean(inside > 0) > 0.5)
            names = [name for name in np.unique(inside) if np.mean(inside == name) > 0.5]
            name = int(names[0]) if names else 0
            mean = features.patches.numpy()[chosen == number].mean(axis=0)
            head = centred[chosen == number].mean(axis=0)
            for kind, embedding in (("features", mean), ("head", head)):
                kinds[kind].append((image, name, embedding / np.linalg.norm(embedding)))
        oracles.append((best & (classes > 0)).sum() / (best | (classes > 0)).sum())
    values = {
        name: metric.value
        for scores in evaluated.protocols.values()
        for name, metric in scores.metrics.items()
    }
    assert values["iou_oracle"] == pytest.approx(np.mean(oracles), abs=1e-4)
    for kind, regions in kinds.items():
        found = np.array(nearest(regions))
        assert values[f"recall_1_{kind}"] == pytest.approx(found[:, 0].mean(), abs=1e-4)
        assert values[f"recall_10_{kind}"] == pytest.approx(found.any(axis=1).mean(), abs=1e-4)
        assert values[f"precision_10_{kind}"] == pytest.approx(found.mean(), abs=1e-4)
    notes = evaluated.protocols[NAMES[0]].notes
    assert notes["regions"] == len(kinds["head"])
    assert set(notes["queries"]) <= {"cat", "dog"}


def test_it_is_good_at_scenes_this_simple(evaluated: Results) -> None:
    oracle = evaluated.protocols["region-oracle-v1"].metrics["iou_oracle"]
    found = evaluated.protocols["regions-voc12-v1"].metrics["recall_10_features"]
    assert oracle.value is not None
    assert oracle.value > 0.4
    assert found.value is not None
    assert found.value > 0.5
    assert found.low is not None
    assert found.low <= found.value


def test_tables_and_comparisons_have_them(evaluated: Results) -> None:
    text = to_markdown_page([evaluated], ["regions"])
    rows = table(text, f"Regions, {evaluated.data.label}")
    assert [heading.partition("<br>")[0] for heading in rows["method/encoder"]] == [
        "R@1, features", "R@10, features", "P@10, features",
        "R@1, head", "R@10, head", "P@10, head", "IoU of regions chosen by truth",
    ]  # fmt: skip
    differences = compare([evaluated], [evaluated], PROTOCOLS)
    assert len(differences) == 7
    assert {each.difference.value for each in differences} == {0}


def test_a_method_without_regions_is_refused_before_anything_is_done(
    pets: Path, packaged: Bench, tmp_path: Path
) -> None:
    what = task(f"voc2012-seg:{pets}", "region-oracle-v1", "corloc-found-v1")
    heap, peer = (
        entry(name, tmp_path / f"{name}.json", {}, model=None) for name in ("heap", "tokencut")
    )
    with pytest.raises(InputError) as caught:
        run(what, packaged, heap, peer)
    assert str(caught.value).startswith(
        "protocol region-oracle-v1 scores regions, which method tokencut does not report; "
    )
    assert str(caught.value).endswith("or one of heap-alone, heap-self, heap")
    assert list(tmp_path.iterdir()) == []
