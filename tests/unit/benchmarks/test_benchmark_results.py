"""Results of benchmarks: summaries by hand, and what a result must hold."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from benchmark_results import check, flat
from benchmarks.scoring import pack
from benchmarks.studies.matching import WAYS as MATCHING
from benchmarks.studies.start import LIMITS as STARTS
from benchmarks.study import Measured, reports

from heap.config import from_dict
from heap.pretraining.config import PretrainConfig

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"
PAIR = {"different_regions": True, "object_in_each_half": False}
GOOD = {"file": "a.jpg", "kind": "good", "status": "done", "objects": 0, "reason": None}
BAD = {"file": "b.jpg", "kind": "empty", "status": "failed", "objects": None, "reason": "read: ..."}
SAME = {"file": "objects.json", "identical": True}
TRIED = {"encoder": "a", "size": None, "photos": 4, "grid": [28, 28], "step": "fit", "seconds": 1.0}
READ: dict[str, Any] = {
    "encoder": "embedded", "step": "read csv", "reader": "pandas", "images_without_objects": False,
    "images": 1, "objects": 2, "classes": 1, "labels": 2, "ious": {"0.9900": 1, "1.0000": 1},
    "boxes_off": {"0.00": 2}, "below": [], "seconds": 1.0,
}  # fmt: skip
ALIKE: dict[str, Any] = {"head": 0, "seed": 0, "number": 2, "apart": 0}
HELD = {"images": 2, "with_objects": 1, "objects": 2, "classes": 1}
TOOK: dict[str, Any] = {
    "step": "discover",
    "seconds": 9.0,
    "cpu_seconds": 5.0,
    "peak_mb": 800.0,
    "found": {},
}
KILL = {"during_a_write": False, "finished": 40, "redone": 4, "of": 60}
SEARCHED: dict[str, Any] = {
    "vectors": "clustered",
    "objects": 100,
    "fits": "all",
    "by_default": "exact",
}
RETRIEVED: dict[str, Any] = {
    "encoder": "embedded", "head": 0, "objects": 9, "images": "0 0 1 1", "of": "cat dog cat sofa",
    "object": "10 0 5 9", "image": "8 1 0 9", "whitened": "6 0 0 9", "mean": "1 0 0 9",
    "pooled": "0 9 0 9", "squeezed": "0 9 0 9", "as objects": "1 0 0 9",
}  # fmt: skip
KILLED = {
    "part": "kills",
    "command": "fit",
    "kills": 5,
    "failed": "",
    "identical": True,
    "left": [],
}
FUZZED = {"part": "fuzz", "area": "cli", "seconds": 60.0, "examples": 9, "failed": [], "left": []}
CROWD: dict[str, Any] = {
    "part": "clients",
    "clients": 2,
    "stuck": 0,
    "answers": True,
    "exit_code": 0,
    "said": [],
    "lost": [],
    "left": [],
    "corrections": 3,
}
BROWSED = {"part": "clients", "kind": "browse", "median": 9.0, "p95": 20.0, "longest": 30.0}
MATCHED: dict[str, Any] = {"encoder": "embedded", "picture": 0, "object": 7} | dict.fromkeys(
    MATCHING, True
)
TIMED: dict[str, Any] = {"encoder": "ViT-S/14", "repeat": 0}
PASS: dict[str, Any] = {"image": "a.jpg", "backend": "torch fp32", "objects": 1, "hit": True}
EMPTY = PASS | {"image": "b.jpg", "objects": 0, "hit": False, "iou": None}
MINIATURES: dict[str, list[dict[str, Any]]] = {
    "backends": [
        PASS | {"ms": 900.0, "iou": 1.0},
        EMPTY | {"ms": 700.0},
        PASS | {"ms": 500.0, "iou": 0.75, "backend": "onnxruntime int8"},
        EMPTY | {"ms": 400.0, "backend": "onnxruntime int8"},
    ],
    "cost": [
        {"method": method, "side": side, "encoder_ms": 2.0 * side, "ms": ms, "peak_mb": 900.0}
        for method, ms in (("heap, refined", 104.0), ("found", 4.0), ("tokencut", 9104.0))
        for side in (224, 448)
    ],
    "growth": [
        {"step": step, "images": images, "cpu_seconds": 1.0 + images / 100, "peak_mb": megabytes}
        | ({"bytes": 1000 * images, "files": 90} if step == "discover" else {})
        for step in ("discover", "10 more")
        for images, megabytes in ((500, 700.0), (1000, 800.0))
    ]
    + [{"step": "gallery", "images": images, "first_paint_ms": 90.0} for images in (500, 1000)],
    "matching": [MATCHED, MATCHED | {"box": False}],
    "start": [
        {"command": command, "state": state, "repeat": repeat, "cpu_seconds": seconds}
        for command in STARTS
        for state, seconds, repeat in (("before", 6.0, 0), ("now", 1.0, 0), ("now", 0.25, 1))
    ],
    "throughput": [
        TIMED | {"state": "bare", "ms": 600.0},
        TIMED | {"state": "before", "ms": 1000.0, "once_s": 9.0, "objects": 1.0},
        TIMED | {"state": "now", "ms": 700.0, "once_s": 8.0, "objects": 1.5},
        TIMED | {"state": "now", "ms": 900.0, "once_s": 7.0, "objects": 1.5, "repeat": 1},
        TIMED | {"state": "now", "stage": "gallery", "ms": 100.0, "wall_ms": 300.0},
        TIMED | {"state": "now", "stage": "encoder", "ms": 610.0, "wall_ms": 700.0},
        TIMED | {"state": "now", "stage": "encoder on objects", "ms": 90.0, "wall_ms": 99.0},
    ],
    "serve": [{"kind": "tile", "ms": 9.0}, {"kind": "tile", "ms": 11.0}],
    "search": [
        SEARCHED
        | {
            "mode": "exact",
            "ms": [9.0, 8.0, 30.0],
            "cpu_ms": [8.0, 8.0, 8.0],
            "recall": [1.0, 1.0, 1.0],
        },
        SEARCHED
        | {
            "mode": "indexed",
            "ms": [3.0, 1.0, 2.0],
            "cpu_ms": [1.0, 1.0, 1.0],
            "recall": [1.0, 0.5, 0.9],
        },
    ],
    "retrieval": [
        RETRIEVED,
        RETRIEVED
        | {
            "head": 1,
            "images": "1",
            "of": "cat",
            "object": "5",
            "image": "0",
            "whitened": "0",
            "mean": "0",
            "pooled": "0",
            "squeezed": "0",
            "as objects": "0",
        },
    ],
    "package": [
        *(
            pack(
                name,
                {
                    "embedded": {"iou": iou, "accuracy": 0.9, "corloc": True, "corloc_any": True},
                    "embedded-medium": {
                        "iou": 0.5,
                        "accuracy": 0.75,
                        "corloc": True,
                        "corloc_any": True,
                    },
                    "embedded-small": {
                        "iou": 0.25,
                        "accuracy": 0.5,
                        "corloc": False,
                        "corloc_any": True,
                    },
                    "boundary": {"iou": 0.5, "accuracy": 0.5, "corloc": False},
                    "smoothed": {"iou": 0.5, "accuracy": 0.5, "corloc": False},
                    "centre": {"iou": 0.5, "accuracy": 0.5, "corloc": True},
                },
            )
            for name, iou in (("1.jpg", 0.75), ("2.jpg", 0.51236))
        ),
        {
            "box": "c#0",
            "hits": {"embedded": True, "embedded-medium": True, "embedded-small": False},
        },
        {
            "box": "c#1",
            "hits": {"embedded": True, "embedded-medium": False, "embedded-small": False},
        },
        {
            "empty": "1.png",
            "alarms": {"embedded": False, "embedded-medium": True, "embedded-small": True},
        },
        {
            "empty": "2.png",
            "alarms": {"embedded": False, "embedded-medium": False, "embedded-small": True},
        },
    ],
    "fit": [
        {"model": "heap-alone/0", "with_features": True, "seconds": 9.0, "peak_mb": 800.0},
        {"model": "heap-prior/0", "with_features": False, "seconds": 4.0, "peak_mb": 800.0},
        {"model": "heap-alone/1", "with_features": False, "seconds": 2.0, "peak_mb": 800.0},
    ],
    "pretrain": [
        pack(
            name,
            {
                f"{method}/{seed}": {"iou": iou + seed / 8, "corloc": True}
                for method in ("pretrained", "random", "pretrained-cues", "random-cues")
                for seed in (0, 1)
            }
            | {"shipped": {"iou": iou, "corloc": False}},
        )
        for name, iou in (("1.jpg", 0.5), ("2.jpg", 0.75))
    ],
    "continue": [
        pack(name, {f"{when}/0": {"iou": iou, "corloc": True} for when in ("before", "after")})
        for name, iou in (("1.jpg", 0.5), ("2.jpg", 0.75))
    ],
    "encoders": [
        TRIED | {"peak_mb": 800.0},
        TRIED | {"peak_mb": 700.0, "encoder": "b"},
        TRIED | {"peak_mb": 2000.0, "encoder": "b", "step": "discover", "size": "480x640"},
    ],
    "pairs": [PAIR, PAIR, PAIR | {"different_regions": False}],
    "kill": [
        *({"command": "fit"} | KILL for _ in range(5)),
        {"command": "fit"} | SAME,
        *({"command": "discover"} | KILL for _ in range(5)),
        {"command": "discover", "file": "objects.json", "identical": False},
    ],
    "gallery": [
        {"step": "load", "seconds": 1.0, "longest_ms": 120.0, "longest_cpu_ms": 110.0},
        {"step": "load", "seconds": 3.0, "longest_ms": 90.0, "longest_cpu_ms": 60.0},
        {"step": "load", "seconds": 2.0, "longest_ms": 9.0, "longest_cpu_ms": 8.0},
        {"step": "scroll images", "seconds": 9.0, "longest_ms": 130.0, "longest_cpu_ms": 40.0},
        {"step": "scroll images", "seconds": 9.0, "longest_ms": 60.0, "longest_cpu_ms": 50.0},
    ],
    "hostile": [GOOD, BAD, BAD | {"reason": ""}],
    "soak": [
        KILLED,
        KILLED | {"kills": 3},
        FUZZED,
        FUZZED | {"failed": ["test_any_line: it hangs"]},
        *({"part": "clients", "second": 2.0 * at, "rss_mb": 400.0 + 10 * at} for at in range(5)),
        BROWSED | {"statuses": {"200": 7, "503": 1, "500": 1}},
        CROWD,
    ],
    "collection": [
        {"encoder": "embedded", "step": "store", "found": HELD},
        {"encoder": "embedded"} | TOOK,
        READ,
        READ | {"reader": "pyarrow"},
    ],
    "categories": [
        {"kind": "images", "images": "a.jpg b.jpg"},
        *(
            {"encoder": "embedded"} | row
            for row in (
                {"kind": "objects", "head": 0, "found": 3, "images": "0 1", "classes": "cat dog"},
                *(
                    ALIKE | {"k": count, "kind": "sorted", "clusters": "1 2"}
                    for count in ("8", "12", "20", "auto")
                ),
                *(
                    ALIKE | {"variant": variant, "kind": "whole", "clusters": "0 0"}
                    for variant in ("as objects", "squeezed", "pooled", "mean", "whitened")
                ),
            )
        ),
    ],
    "auto": [
        *(
            {"encoder": "e", "prior": prior, "photo": photo, "follows": follows}
            for prior, values in (("none", (0.1, 0.2)), ("self", (0.3, 0.5)), ("seed", (0.3, 0.5)))
            for photo, follows in enumerate(values)
        ),
        *(
            {"encoder": "e", "prior": prior, "image": "a.jpg", "iou": iou, "corloc": 1.0}
            for prior, iou in (("none", 0.5), ("self", 0.75), ("seed", 0.875))
        ),
        {"encoder": "e", "prior": "found", "refused": "it is of no use"},
    ],
    "outliers": [
        {
            "image": "a",
            "patches": 10,
            "outliers": 1,
            "largest": 2.5,
            "iou": 0.5,
            "corloc": 1.0,
            "iou_mended": 0.75,
            "corloc_mended": 1.0,
        },
        {
            "image": "b",
            "patches": 10,
            "outliers": 0,
            "largest": 1.5,
            "iou": 0.5,
            "corloc": 0.0,
            "iou_mended": 0.5,
            "corloc_mended": 0.0,
        },
    ],
    "distil": [
        *(
            {
                "image": image,
                "embedded": [0.75, 0.875, 0.75, 1.0, 1.0, None],
                "embedded-small": [0.25, 0.5, 0.25, 0.0, 1.0, None],
                "centre": [0.25, 0.5, None, 1.0, None, None],
                "student": [student, 0.75, 0.5, 1.0, None, None],
            }
            for image, student in (("a.jpg", 0.5), ("b.jpg", 0.75))
        ),
        {"box": "c#0", "hits": {"embedded": True, "embedded-small": False, "student": True}},
        {"box": "c#1", "hits": {"embedded": True, "embedded-small": False, "student": False}},
    ],
    "cluster": [
        {"workers": workers, "images": images, "seconds": images / workers, "failed": 0}
        | {"driver_mb": 900.0, "worker_mb": 800.0}
        | {"driver_cpu": 0.25 * images, "worker_cpu": images, "ray_cpu": 1.0}
        for workers in (1, 2)
        for images in (2, 8)
    ],
    "workbench": [
        {"way": way} | row
        for way in ("mouse", "keyboard")
        for row in (
            {"when": "named", "labels": 8, "hits": 4, "boxed": 6, "right": 3, "truth": 10},
            {"when": "looked through", "labels": 5, "hits": 4, "boxed": 5, "right": 5, "truth": 10},
            {"step": "sort", "clicks": 3, "keys": 2, "seconds": 1.5},
            {"step": "export", "clicks": 2, "keys": 0, "seconds": 2.0},
        )
    ],
    "workbench_size": [
        {"step": "load", "repeat": 0, "longest_ms": 300.0, "longest_cpu_ms": 200.0, "page_mb": 90.0}
        | {"first_paint_ms": 700.0},
        {"step": "map", "repeat": 0, "longest_ms": 120.0, "longest_cpu_ms": 60.0, "page_mb": 95.0},
        {"step": "map", "repeat": 1, "longest_ms": 90.0, "longest_cpu_ms": 80.0, "page_mb": 91.0},
    ],
    "cluster_kill": [
        {"part": "kill", "victim": "worker", "aimed_at": 1.0, "stored": 1},
        {"part": "start", "ended": "whole", "stored_before": 0, "stored_after": 4}
        | {"seconds": 7200.0, "cpu_seconds": {"driver": 2.0, "worker": 4.0}}
        | {"memory": [[1, 400, 300]]},
        {"part": "check", "listed": 4, "images": 4, "objects": 5, "failed": 0, "duplicates": 0}
        | {"orphans": 0, "unreadable": 0, "compared": 4, "different": 0},
        {"part": "use", "recall": 1.0, "categories": 2},
    ],
    "demo": [
        {"image": "a.jpg", "main": "cat", "objects": 2, "iou": 0.5},
        {"image": "b.jpg", "main": "dog", "objects": 2, "iou": 0.49},
        {"image": "c.jpg", "main": None, "objects": 3, "iou": None},
    ],
}


@pytest.mark.parametrize("name", ["pretrain-first", "pretrain-second", "pretrain-gpu"])
def test_settings_of_pretraining_can_be_used(name: str) -> None:
    path = RESULTS.parent / "settings" / f"{name}.json"
    assert from_dict(PretrainConfig, json.loads(path.read_text()))


@pytest.fixture(scope="module", params=reports())
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that a study writes for the rows of its miniature; not to be changed."""
    study = reports()[request.param]
    out = tmp_path_factory.mktemp("results") / study.out.name
    measured = Measured(
        data={"set": "miniature", "images": 2},
        encoder={"name": "none", "fingerprint": "0123456789abcdef"},
        rows=MINIATURES[study.name],
        figures={"seconds": 1.0, "runs": []},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["benchmarks", study.name, "--limit", "2"])
        study.write(measured, out)
    return out


@pytest.fixture
def written(whole: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(whole, tmp_path))


class TestWrittenResults:
    def test_follow_from_their_rows(self, written: Path) -> None:
        check(written)

    def test_are_refused_with_another_figure(self, written: Path) -> None:
        result = json.loads(written.read_text())
        figures = flat(result["summary"])
        assert figures
        block = result["summary"]
        while isinstance(block, dict) and isinstance(next(iter(block.values())), dict):
            block = next(iter(block.values()))
        key = next(iter(block))
        block[key] = block[key] + 0.01
        written.write_text(json.dumps(result))
        with pytest.raises(AssertionError):
            check(written)

    @pytest.mark.parametrize("key", ["protocol", "encoder", "command", "versions", "machine"])
    def test_are_refused_without_what_they_were_made_with(self, written: Path, key: str) -> None:
        result = json.loads(written.read_text())
        del result[key]
        written.write_text(json.dumps(result))
        with pytest.raises(KeyError):
            check(written)


class TestSummariesByHand:
    def summary(self, name: str) -> dict[str, Any]:
        return reports()[name].summarise(MINIATURES[name])

    def test_package(self) -> None:
        found = self.summary("package")
        assert found["methods"]["embedded"]["iou"] == pytest.approx((0.75 + 0.51236) / 2)
        assert found["methods"]["embedded"]["corloc_any"] == 1
        assert "corloc_any" not in found["methods"]["centre"]
        ahead = found["ahead_of"]["embedded"]["embedded-small"]
        assert ahead["iou"]["mean"] == pytest.approx(0.38118)
        assert ahead["corloc"] == {"mean": 1, "interval": [1, 1]}
        assert found["neighbour"] == {
            "embedded": 1.0, "embedded-medium": 0.5, "embedded-small": 0.0,
        }  # fmt: skip
        assert found["alarms"] == {
            "embedded": 0.0, "embedded-medium": 0.5, "embedded-small": 1.0,
        }  # fmt: skip

    def test_pretrain_takes_mean_and_deviation_over_the_seeds(self) -> None:
        found = self.summary("pretrain")["methods"]["pretrained"]
        assert found["iou"] == pytest.approx(0.6875)
        assert found["iou_std"] == pytest.approx(0.125 / 2**0.5)

    def test_fits_after_the_first_have_their_features(self) -> None:
        found = self.summary("fit")
        assert found == {"first_fit_with_features_seconds": 9.0, "later_fits_seconds": 3.0}

    def test_auto(self) -> None:
        found = self.summary("auto")["e"]
        assert found["priors"]["self"] == pytest.approx({"follows": 0.4, "iou": 0.75, "corloc": 1})
        assert found["priors"]["found"] == {"refused": "it is of no use"}
        assert (found["chosen"], found["best"]) == ("self", "seed")

    def test_pairs(self) -> None:
        found = self.summary("pairs")
        assert found["different_regions"]["count"] == 2
        assert found["different_regions"]["share"] == pytest.approx(2 / 3)
        assert found["object_in_each_half"]["interval"] == [0, 0]

    def test_kill(self) -> None:
        found = self.summary("kill")
        assert found["fit"]["kept"] == pytest.approx(0.9)
        assert found["fit"]["passed"]
        assert not found["discover"]["identical"]
        assert not found["discover"]["passed"]

    def test_hostile_wants_a_reason(self) -> None:
        found = self.summary("hostile")
        assert (found["good_done"], found["bad_listed"], found["passed"]) == (1, 1, False)

    def test_soak_tells_what_went_wrong(self) -> None:
        found = self.summary("soak")
        assert (found["kills"]["fit"]["kills"], found["kills"]["fit"]["rounds"]) == (8, 2)
        assert found["fuzz"]["cli"] == {"minutes": 2.0, "examples": 18, "failed": 1}
        crowd = found["clients"]
        assert (crowd["peak_mb"], crowd["early_mb"], crowd["late_mb"]) == (440, 410, 440)
        assert crowd["growth"] == pytest.approx(440 / 410 - 1)
        assert (crowd["unexpected"], crowd["refused_for_now"]) == ({"500": 1}, 1)
        assert crowd["ended_well"]
        assert not found["passed"]

    def test_workbench_counts_actions_and_compares_labels(self) -> None:
        found = self.summary("workbench")["keyboard"]
        assert (found["clicks"], found["keys"], found["seconds"]) == (5, 2, 3.5)
        assert found["named"] == {
            "labels": 8, "precision": 0.5, "recall": 0.4, "right_class": 0.5,
        }  # fmt: skip
        assert found["looked through"]["right_class"] == 1

    def test_the_size_of_the_workbench_takes_the_longest_task_after_loading(self) -> None:
        found = self.summary("workbench_size")
        assert (found["longest_cpu_ms"], found["first_paint_ms"], found["page_mb"]) == (80, 700, 95)
        assert found["longest_cpu_ms_passed"], "loading may take longer"
        assert found["tasks"]["longest_ms"] == {"load": 300, "map": 120}

    def test_gallery_takes_the_longest_task_of_all_repeats(self) -> None:
        found = self.summary("gallery")
        assert found["longest_ms"] == {"load": 120, "scroll images": 130}
        assert found["longest_cpu_ms"] == {"load": 110, "scroll images": 50}
        assert (found["longest_cpu_ms_scrolling"], found["load_seconds"]) == (50, 2.0)
        assert found["passed"], "loading is no scrolling, and others may take the processor"

    def test_encoders_tell_large_photos_apart(self) -> None:
        found = self.summary("encoders")
        assert found["encoders"] == 2
        assert (found["peak_mb"], found["large_peak_mb"]) == ({"fit": 800}, {"discover": 2000})

    def test_collection(self) -> None:
        found = self.summary("collection")["embedded"]
        assert found["passed"]
        assert found["readers"]["read csv, pandas"]["iou_mean"] == pytest.approx(0.995)

    def test_categories(self) -> None:
        found = self.summary("categories")["embedded"]["k"]["8"]
        assert found["ours"]["together"]["nmi"] == pytest.approx(1)
        assert found["whole"]["mean"]["purity"] == 0.5

    def test_matching(self) -> None:
        found = self.summary("matching")["embedded"]
        assert (found["box"]["count"], found["box"]["of"], found["mask"]["share"]) == (1, 2, 1)

    def test_search(self) -> None:
        cell = self.summary("search")["clustered"]["100"]["all"]
        assert cell["exact"]["median_ms"] == 9
        assert cell["indexed"]["recall"] == pytest.approx(0.8)
        assert cell["times_faster"] == 4.5

    def test_start_takes_the_least(self) -> None:
        found = self.summary("start")["heap models"]
        assert found["now"] == {"least": 0.25, "median": 0.625}
        assert found["before"]["least"] == 6.0
        assert found["passed"]

    def test_a_student_stands_between_its_teacher_and_the_small_encoder(self) -> None:
        summary = self.summary("distil")
        assert summary["methods"]["student"]["iou"] == pytest.approx(0.625)
        ahead = {name: gap["iou"]["mean"] for name, gap in summary["student_ahead_of"].items()}
        assert ahead == pytest.approx({"embedded": -0.125, "embedded-small": 0.375})
        assert summary["neighbour"] == {"embedded": 1.0, "embedded-small": 0.0, "student": 0.5}

    def test_back_ends_are_compared_by_their_masks(self) -> None:
        summary = self.summary("backends")
        assert summary["torch fp32"] == {
            "images": 2, "ms": 800, "iou": 1, "same": 1, "corloc": 0.5, "objects": 0.5,
        }  # fmt: skip
        rounded = summary["onnxruntime int8"]
        assert (rounded["ms"], rounded["iou"], rounded["same"]) == (450, 0.75, 0.5)

    def test_throughput_is_the_share_of_the_bare_encoder(self) -> None:
        found = self.summary("throughput")["ViT-S/14"]
        assert (found["share"], found["share_before"]) == (600 / 800, 600 / 1000)
        assert not found["passed"]
        assert found["passes"] == pytest.approx(700 / 800)
        assert list(found["stages_ms"]) == ["encoder", "gallery", "encoder on objects"]
        assert found["once_s"] == {"before": 9.0, "now": 7.5}

    def test_methods_are_compared_with_their_encoder(self) -> None:
        summary = self.summary("cost")
        # 896 + 104, 896 + 4 and 896 + 9104 ms at 448 pixels; 448 + 104 at 224.
        times = {"heap, refined": 1.0, "found": 0.9, "tokencut": 10.0}
        assert summary["times_of_heap_refined"] == pytest.approx(times)
        assert summary["growth"]["heap, refined"] == pytest.approx(1000 / 552)
        assert summary["passed"] == {"found": False}

    def test_growth_is_what_each_further_image_costs(self) -> None:
        summary = self.summary("growth")
        assert summary["ms_between"] == {"500 to 1000": pytest.approx(10.0)}
        assert summary["cpu_seconds"]["10 more"] == {"500": 6.0, "1000": 11.0}
        assert summary["bytes_per_image"] == {"500": 1000.0, "1000": 1000.0}
        assert summary["peak_mb"]["discover"] == {"500": 700.0, "1000": 800.0}
        assert not summary["passed"], "a seventh more memory"

    def test_retrieval_is_the_mean_over_classes_and_heads(self) -> None:
        found = self.summary("retrieval")["embedded"]
        # Cats of the heads 0.75 and 0.5, dogs of the first head 0; nothing is asked of sofas.
        assert found["mean"]["object"]["precision"] == pytest.approx((0.75 + 0.5 + 0) / 3)
        assert found["mean"]["object"]["hit_rate"] == pytest.approx((1 + 1 + 0) / 3)
        ahead = found["ahead_of"]["pooled"]["image"]["precision"]["mean"]
        assert ahead == pytest.approx((0.4 + 0.1 - 0.9) / 3)
        assert found["classes"]["cat"]["queries"] == 1.5

    def test_demo_counts_one_half_as_found(self) -> None:
        found = self.summary("demo")
        assert found["main_object_found"]["count"] == 1
        assert found["main_object_found"]["of"] == 2
        assert found["objects_where_there_is_none"] == 3
