import subprocess
import sys
from math import sqrt
from pathlib import Path

import pytest
import torch

from heap.encoder import stages
from heap.encoder.stages import join_stages


def test_units_of_each_stride_share_the_length_of_a_patch() -> None:
    fine = torch.tensor([[[[3.0, 0], [0, -5]], [[4, 2], [1, 0]]]])
    coarse = torch.full((1, 1, 1, 1), -7.0)
    half = sqrt(0.5)
    wanted = half * torch.tensor([[[0.6, 0], [0, -1]], [[0.8, 1], [1, 0]], [[-1.0, -1], [-1, -1]]])
    torch.testing.assert_close(join_stages([fine, coarse], 16, 16)[0], wanted)


def test_coarse_maps_are_resized_bilinearly_before_they_are_scaled() -> None:
    fine = torch.ones(1, 1, 4, 4)
    coarse = torch.tensor([[[[1.0, 0], [1, 0]], [[0, 1], [0, 1]]]])
    shares = torch.tensor([1, 0.75, 0.25, 0])  # of the left column, at the centres of the patches
    lengths = (shares**2 + (1 - shares) ** 2).sqrt()
    wanted = torch.stack([torch.ones(4), shares / lengths, (1 - shares) / lengths])
    joined = join_stages([fine, coarse], 32, 32)[0]
    for row in range(4):
        torch.testing.assert_close(joined[:, row] * sqrt(2), wanted)


def test_the_last_map_of_a_stride_is_taken_and_finer_ones_are_not() -> None:
    draw = torch.Generator().manual_seed(0)
    image, stem, early, late, coarse = (
        torch.randn(2, 3, rows, cols, generator=draw)
        for rows, cols in ((24, 40), (6, 10), (3, 5), (3, 5), (2, 3))
    )
    joined = join_stages([image, stem, early, late, coarse], 24, 40)
    assert joined.shape == (2, 6, 3, 5)
    assert torch.equal(joined, join_stages([late, coarse], 24, 40))
    assert not torch.equal(joined, join_stages([early, coarse], 24, 40))


def test_half_precision_maps_give_float32() -> None:
    maps = [torch.rand(1, 4, 4, 4), torch.rand(1, 6, 2, 2)]
    rough = join_stages([each.bfloat16() for each in maps], 32, 32)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, join_stages(maps, 32, 32), atol=0.01, rtol=0)


def test_the_join_can_be_trained_through() -> None:
    coarse = torch.rand(1, 3, 1, 1, requires_grad=True)
    join_stages([torch.rand(1, 3, 2, 2), coarse], 16, 16)[:, 3].sum().backward()
    assert coarse.grad is not None
    assert coarse.grad.abs().sum() > 0


def test_maps_that_are_all_too_fine() -> None:
    with pytest.raises(ValueError, match="stride of 8"):
        join_stages([torch.rand(1, 3, 8, 8)], 32, 32)


def test_it_needs_torch_and_jaxtyping_alone() -> None:
    program = f"""
import runpy, sys
class Refuse:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("heap", "transformers", "pydantic", "safetensors"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
runpy.run_path({str(Path(stages.__file__))!r})
"""
    subprocess.run([sys.executable, "-c", program], check=True)
