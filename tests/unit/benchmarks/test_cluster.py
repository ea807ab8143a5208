import pytest
from benchmarks.studies.cluster import summarise


def test_the_rate_is_of_what_the_longer_runs_do_more() -> None:
    # 300 images more in 300 and 150 seconds; 40 seconds are those of every run.
    rows = [
        {"workers": workers, "images": images, "failed": 0, "seconds": 40 + images / workers}
        | {"driver_mb": 900.0 + images / 100, "worker_mb": 700.0}
        for workers in (1, 2)
        for images in (100, 400)
    ]

    summary = summarise(rows)

    assert summary["images_per_second"] == {"1": pytest.approx(1), "2": pytest.approx(2)}
    assert (summary["ratio"], summary["passed"]) == (pytest.approx(2), True)
    assert summary["driver_mb"] == {"100": 901.0, "400": 904.0}
    assert summary["failed"] == 0
