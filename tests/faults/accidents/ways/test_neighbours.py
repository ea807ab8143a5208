"""Way in 3: torch, processes and programs around the package."""

from pathlib import Path

import pytest

from .conftest import Console, Program


@pytest.mark.way(3, "Inside `torch.autocast` objects were others")
def test_autocast(program: Program) -> None:
    program("""
        with torch.autocast("cpu", torch.bfloat16):
            assert same(look())
    """)


@pytest.mark.way(3, "After `torch.set_default_dtype` a call failed, or gave other objects")
@pytest.mark.parametrize("kind", ["float64", "bfloat16", "float16"])
def test_default_dtype(program: Program, kind: str) -> None:
    program(f"""
        torch.set_default_dtype(torch.{kind})
        assert same(look(), *heap.Heap.from_pretrained(model_folder, precision="fp32")([picture]))
    """)


@pytest.mark.way(3, "`.half()`, `.bfloat16()` and `.double()` were taken without a word")
@pytest.mark.parametrize("change", ["half", "bfloat16", "double"])
def test_other_numbers(program: Program, change: str) -> None:
    program(f"assert 'bf16' in refusal(model.{change})")


@pytest.mark.way(3, "A model that `torch.compile` was given failed")
def test_compile(program: Program) -> None:
    program("assert same(*torch.compile(model)([picture]))")


@pytest.mark.way(3, "An unknown precision computed in fp32 without a word")
def test_unknown_precision(program: Program) -> None:
    program("assert 'fp16' in refusal(heap.Heap.from_pretrained, model_folder, precision='fp16')")


@pytest.mark.way(3, "Random numbers of a program were others after a model was loaded")
def test_random_state(program: Program) -> None:
    program("""
        import random
        def drawn():
            return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
        before = drawn()
        heap.Heap.from_pretrained(model_folder)
        look()
        heap.open(run).search(photo)
        after = drawn()
        assert before[:2] == after[:2]
        assert torch.equal(before[2], after[2])
    """)


@pytest.mark.way(3, "`from heap import *` hid `open`")
def test_star_import(program: Program) -> None:
    program("""
        import builtins
        names = {}
        exec("from heap import *", names)
        assert not (set(names) - {"__builtins__"}) & set(dir(builtins))
    """)


@pytest.mark.way(3, "A process that was forked after a call waited for ever in its own")
def test_fork(threaded_console: Console, tmp_path: Path) -> None:
    """The console forks for every program, and has computed with two threads before."""
    assert threaded_console("assert same(look())", tmp_path) == ""
