"""Folders of encoders: loading them, changing them, and what is said when they are refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from heap.base.errors import WeightsError
from heap.encoder.base import Encoder
from heap.encoder.load import load_encoder


def load(folder: Path) -> Encoder:
    return load_encoder(str(folder), precision="fp32")


def refusal(folder: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        load(folder)
    message = str(caught.value)
    assert str(folder) in message
    assert "\n" not in message
    return message


def change_config(folder: Path, **values: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))
