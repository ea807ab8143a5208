from pathlib import Path

import pytest
from benchmarks.links import link_photos
from benchmarks.report import Row
from benchmarks.studies import cluster, cluster_kill


def test_the_rate_is_of_what_the_longer_runs_do_more() -> None:
    # 300 images more in 300 and 150 seconds; 40 seconds are those of every run.
    rows = [
        {"workers": workers, "images": images, "failed": 0, "seconds": 40 + images / workers}
        | {"driver_cpu": 10 + 0.01 * images, "worker_cpu": 5 + 0.8 * images, "ray_cpu": 30.0}
        | {"driver_mb": 900.0 + images / 100, "worker_mb": 700.0}
        for workers in (1, 2)
        for images in (100, 400)
    ]

    summary = cluster.summarise(rows)

    assert summary["images_per_second"] == {"1": pytest.approx(1), "2": pytest.approx(2)}
    assert summary["ratio_by_clock"] == pytest.approx(2)
    assert summary["cpu_ms_per_image"]["2"] == pytest.approx(
        {"driver": 10, "worker": 800, "ray": 0}
    )
    assert (summary["ratio_by_processor"], summary["passed"]) == (pytest.approx(2), True)
    assert summary["driver_mb"] == {"100": 901.0, "400": 904.0}
    assert summary["failed"] == 0


def test_a_driver_that_takes_as_long_as_the_workers_limits_them() -> None:
    rows = [
        {"workers": workers, "images": images, "failed": 0, "seconds": images / workers}
        | {"driver_cpu": 0.8 * images, "worker_cpu": 1.0 * images, "ray_cpu": 0.0}
        | {"driver_mb": 900.0, "worker_mb": 700.0}
        for workers in (1, 2)
        for images in (100, 400)
    ]

    summary = cluster.summarise(rows)

    assert (summary["ratio_by_processor"], summary["passed"]) == (pytest.approx(1.25), False)


def test_kills_are_of_every_kind_and_in_order() -> None:
    plan = cluster_kill.draw_kills(10, 100_000, seed=0)

    places, pauses, victims = zip(*plan, strict=True)
    assert list(places) == sorted(places)
    assert max(places) < 95_000
    assert all(0 <= pause < 30 for pause in pauses)
    assert sorted(map(victims.count, ("driver", "worker", "node"))) == [3, 3, 4]
    assert plan == cluster_kill.draw_kills(10, 100_000, seed=0)


def test_links_are_of_copies_in_turns(tmp_path: Path) -> None:
    originals = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for path in originals:
        path.write_bytes(path.name.encode())

    folder = link_photos(originals, 3, tmp_path / "work" / "photos")
    link_photos(originals, 3, tmp_path / "work" / "photos")

    linked = sorted(folder.rglob("*.jpg"))
    assert [path.read_bytes() for path in linked] == [b"a.jpg", b"b.jpg", b"a.jpg"]
    assert linked[0].samefile(linked[2])
    assert not linked[0].samefile(originals[0])


@pytest.mark.parametrize(
    ("wrong", "passed"), [({}, True), ({"duplicates": 1}, False), ({"images": 9}, False)]
)
def test_a_killed_run_passes_if_nothing_is_lost_or_doubled(
    wrong: dict[str, int], passed: bool
) -> None:
    check: Row = {"part": "check", "listed": 10, "images": 10, "objects": 12, "failed": 0}
    check |= {"duplicates": 0, "orphans": 0, "unreadable": 0, "compared": 5, "different": 0}
    start: Row = {"part": "start", "seconds": 1800, "cpu_seconds": {"driver": 0.2, "worker": 0.3}}
    rows: list[Row] = [
        start | {"stored_before": 0, "stored_after": 4, "ended": "killed", "memory": []},
        {"part": "kill", "victim": "driver"},
        start | {"stored_before": 4, "stored_after": 10, "ended": "whole"}
        | {"memory": [[5, 400, 300], [9, 410, 300]]},
        check | wrong,
        {"part": "use", "recall": 0.98, "categories": 5},
    ]  # fmt: skip

    summary = cluster_kill.summarise(rows)

    assert summary["passed"] == passed
    assert summary["kills"] == {"driver": 1, "worker": 0, "node": 0}
    assert (summary["starts"], summary["hours"]) == (2, 1.0)
    assert summary["cpu_ms_per_image"] == pytest.approx({"driver": 40, "worker": 60, "ray": 0})
    assert summary["memory_of_the_last_start"] == [[5, 400, 300], [9, 410, 300]]
