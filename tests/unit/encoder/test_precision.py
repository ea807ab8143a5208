from pathlib import Path

import pytest
import torch

from heap.base.errors import ConfigError
from heap.encoder.precision import choose_precision, has_bf16


def test_bf16_is_used_where_the_processor_lists_an_instruction_for_it() -> None:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        pytest.skip("no other source for what the processor can do")
    flags = cpuinfo.read_text().split()
    listed = any(flag in flags for flag in ("avx512_bf16", "amx_bf16", "bf16", "svebf16"))
    assert has_bf16(torch.device("cpu")) == listed
    assert choose_precision("auto", torch.device("cpu")) == ("bf16" if listed else "fp32")


def test_a_choice_is_kept() -> None:
    device = torch.device("cpu")
    assert choose_precision("fp32", device) == "fp32"
    assert choose_precision("bf16", device) == "bf16"


def test_a_precision_that_there_is_not_is_refused() -> None:
    for name in ("fp16", "banana"):
        with pytest.raises(ConfigError, match=f"no precision '{name}'; choose one of auto, fp32"):
            choose_precision(name, torch.device("cpu"))


def test_devices_that_are_not_known_to_have_it_use_fp32() -> None:
    assert choose_precision("auto", torch.device("meta")) == "fp32"
