"""What every result of a benchmark must hold."""

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

PROTOCOLS = {
    "bench_auto": "saliency-grid-v1",
    "bench_embedded": "saliency-discover-v1",
    "bench_package": "saliency-discover-v1",
    "bench_fit": "saliency-448-v1",
    "bench_pairs": "pairs-v1",
    "bench_kill": "kill-v1",
    "bench_hostile": "hostile-v1",
    "bench_soak": "soak-v1",
    "bench_demo": "demo-v1",
    "bench_distil": "saliency-discover-v1",
    "bench_outliers": "saliency-found-v1",
    "bench_pretrain": "saliency-grid-v1",
    "bench_continue": "saliency-void-v1",
    "bench_encoders": "encoders-v1",
    "bench_gallery": "gallery-v1",
    "bench_serve": "serve-v1",
    "bench_collection": "collection-v1",
    "bench_categories": "categories-v1",
    "bench_matching": "matching-v1",
    "bench_search": "search-v1",
    "bench_start": "start-v1",
    "bench_throughput": "throughput-v1",
    "bench_retrieval": "retrieval-objects-v1",
}
"""The protocol of each benchmark."""
LARGEST = 800_000
"""Bytes of a result: that of the categories has every sorting of every object on three encoders."""


def flat(value: Any, at: str = "") -> dict[str, Any]:
    """Nested figures by their dotted names."""
    if isinstance(value, list | dict):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return {key: each for k, v in pairs for key, each in flat(v, f"{at}.{k}").items()}
    return {at: value}


def check(path: Path) -> None:
    """Refuse a result that lacks something, or whose summary is not that of its rows."""
    result = json.loads(path.read_text(encoding="utf-8"))
    assert path.stat().st_size < LARGEST
    name = result["name"]
    assert name == path.stem
    assert result["protocol"] == PROTOCOLS[name]
    assert re.fullmatch(rf"python -m benchmarks\.{name}( .*)?", result["command"])
    assert " /" not in result["command"], "a path of one machine says nothing to others"
    assert result["data"]["images"] > 0
    assert len(result["encoder"]["fingerprint"]) == 16
    assert result["versions"].keys() == {"heap", "torch", "transformers", "python"}
    assert result["machine"]["cores"] > 0
    assert result["machine"]["processor"]
    assert "/" not in "".join(str(row.get("image", "")) for row in result["rows"])
    again = import_module(f"benchmarks.{name}").summarise(result["rows"])
    assert flat(result["summary"]) == pytest.approx(flat(again), abs=1e-5)
