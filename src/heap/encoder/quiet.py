"""Transformers without its progress bars, where it loads and saves models."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers.utils import logging


@contextmanager
def without_bars() -> Iterator[None]:
    """Keep the bars of transformers off the terminal: only `heap.cli` prints."""
    switch: Any = logging  # Any: most of its functions are not annotated
    shown = switch.is_progress_bar_enabled()
    switch.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            switch.enable_progress_bar()
