"""Transformers without its bars and advice, where it loads and saves models."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers.utils import logging


@contextmanager
def quietly() -> Iterator[None]:
    """Keep transformers off the terminal: only `heap.cli` prints; faults become errors of ours."""
    switch: Any = logging  # Any: most of its functions are not annotated
    shown, level = switch.is_progress_bar_enabled(), switch.get_verbosity()
    switch.disable_progress_bar()
    switch.set_verbosity_error()
    try:
        yield
    finally:
        switch.set_verbosity(level)
        if shown:
            switch.enable_progress_bar()
