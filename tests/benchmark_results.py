"""What every result of a benchmark must hold."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from benchmarks.study import reports

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
    name = path.stem.removeprefix("bench_")
    study = reports()[name]
    assert result["name"] == path.stem
    assert result["protocol"] in (study.protocol, *study.earlier)
    assert re.fullmatch(rf"python -m benchmarks {name}( .*)?", result["command"])
    assert " /" not in result["command"], "a path of one machine says nothing to others"
    assert result["data"]["images"] > 0
    assert len(result["encoder"]["fingerprint"]) == 16
    assert result["versions"].keys() >= {"heap", "torch", "transformers", "python"}
    assert result["machine"]["cores"] > 0
    assert result["machine"]["processor"]
    assert "/" not in "".join(str(row.get("image", "")) for row in result["rows"])
    again = study.summarise(result["rows"])
    assert flat(result["summary"]) == pytest.approx(flat(again), abs=1e-5)
