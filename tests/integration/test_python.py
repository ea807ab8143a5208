"""HEAP from Python beside other things: processes, threads, loops, settings of torch, wrong values.

Each is tried as a program would, in a process of its own without the checks of the test suite.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRELUDE = """
import faulthandler, os, signal, sys
faulthandler.register(signal.SIGALRM, chain=True)
signal.alarm(100)  # what hangs ends here, and says where it hung
import numpy as np
import torch
import heap
from PIL import Image
model_folder, photos, out = sys.argv[1:]
photo = os.path.join(photos, "00.png")
pixels = np.array(Image.open(photo))
"""
LOADED = """
model = heap.Heap.from_pretrained(model_folder, precision="fp32")
wanted = model(pixels)
"""


class Script:
    """Runs a program on the model of the tests."""

    def __init__(self, model: Path, photos: Path, out: Path) -> None:
        self._arguments = [str(model), str(photos), str(out)]
        self.out = out

    def __call__(self, python: list[str], code: str, *, threads: int = 1) -> str:
        path = self.out / "program.py"
        path.write_text(code)
        done = subprocess.run(
            [*python, str(path), *self._arguments],
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def script(model_folder: Path, photos: Path, tmp_path: Path) -> Script:
    return Script(model_folder, photos, tmp_path)


def test_a_forked_process_computes_after_a_call(script: Script) -> None:
    """With several threads of OpenMP, which a fork leaves behind, it used to wait for ever."""
    code = """
torch.set_num_threads(2)
torch.randn(800, 800) @ torch.randn(800, 800)
from heap.categories.cluster import cluster
child = os.fork()
if not child:
    signal.alarm(60)
    try:
        assert model(pixels) == wanted
        assert heap.Heap.from_pretrained(model_folder, precision="fp32")(pixels) == wanted
        heap.discover(photos, out + "/run", model=model, limit=4)
        run = heap.open(out + "/run")
        run.edit_categories(count=2)
        assert run.search(pixels, count=1)[0].id == "00.png#0"
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
status = os.waitpid(child, 0)[1]
assert status == 0, status
"""
    script([sys.executable], PRELUDE + LOADED + code, threads=2)


def test_threads_give_what_one_gives(script: Script, python: list[str]) -> None:
    code = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    assert set(pool.map(model, [pixels] * 8)) == {wanted}
"""
    script(python, PRELUDE + LOADED + code)


def test_spawned_processes_take_models_and_runs(script: Script) -> None:
    code = """
import multiprocessing
def look(arguments):
    model, run, pixels = arguments
    return model(pixels), run.search(pixels, count=1)[0].id, len(run)
if __name__ == "__main__":
    model = heap.Heap.from_pretrained(model_folder, precision="fp32")
    heap.discover(photos, out + "/run", model=model, limit=2)
    run = heap.open(out + "/run")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        (there,) = pool.map(look, [(model, run, pixels)])
    assert there == look((model, run, pixels)) == (model(pixels), "00.png#0", 2)
"""
    script([sys.executable], PRELUDE + code)


def test_workers_of_a_data_loader_call_a_model(script: Script, python: list[str]) -> None:
    """They are forked, as everywhere but on Windows and macOS."""
    code = """
from torch.utils.data import DataLoader, Dataset
class Photos(Dataset):
    def __init__(self, model, pixels):
        self.model, self.pixels = model, pixels
    def __len__(self):
        return 4
    def __getitem__(self, index):
        return self.model(self.pixels, names=str(index))
def first(batch):
    return batch[0]
loader = DataLoader(
    Photos(model, pixels), num_workers=2, collate_fn=first, multiprocessing_context="fork"
)
results = list(loader)
assert [result.key for result in results] == ["0", "1", "2", "3"]
assert all(result.objects == wanted.objects for result in results)
"""
    script(python, PRELUDE + LOADED + code, threads=2)


def test_a_running_loop_is_no_obstacle(script: Script, python: list[str]) -> None:
    """As in a notebook, whose cells are run by a loop."""
    code = """
import asyncio, urllib.request
async def cell():
    assert model(pixels) == wanted
    heap.discover(photos, out + "/run", model=model, limit=3)
    run = heap.open(out + "/run")
    run.edit_categories(count=1)
    run.export("csv", out + "/csv")
    with heap.serve(out + "/run", port=0) as serving:
        page = await asyncio.to_thread(urllib.request.urlopen, serving.address.page)
        assert b"<title>heap</title>" in page.read()
        assert serving.address.url in serving._repr_html_()
    try:
        await asyncio.to_thread(urllib.request.urlopen, serving.address.page)
    except urllib.error.URLError:
        pass
    else:
        raise AssertionError("it still answers")
    return run.search(pixels)[0].id
assert asyncio.run(cell()) == "00.png#0"
"""
    script(python, PRELUDE + LOADED + code)


def test_settings_of_torch_change_nothing(script: Script, python: list[str]) -> None:
    code = """
load = lambda: heap.Heap.from_pretrained(model_folder, precision="fp32")
for kind in (torch.float64, torch.bfloat16, torch.float16):
    torch.set_default_dtype(kind)
    assert model(pixels) == load()(pixels) == wanted, kind
    assert torch.get_default_dtype() == kind
torch.set_default_dtype(torch.float32)
# Stands for a GPU that this machine may not have: what lands on it cannot be read.
torch.set_default_device("meta")
assert model(pixels) == load()(pixels) == wanted
torch.set_default_device(None)
for mode in (torch.autocast("cpu", torch.bfloat16), torch.inference_mode(), torch.enable_grad()):
    with mode:
        assert model(pixels) == wanted, mode
assert load().train().requires_grad_(True).to("cpu").float()(pixels) == wanted
for change in ("half", "bfloat16", "double"):
    for part in (load(), load().encoder):
        try:
            getattr(part, change)()
        except heap.InputError as error:
            assert 'load the model with precision="bf16"' in str(error), error
        else:
            raise AssertionError(change)
assert torch.compile(model)(pixels) == wanted
"""
    script(python, PRELUDE + LOADED + code)


def test_random_numbers_are_those_of_the_program(script: Script) -> None:
    code = """
import random
def drawn():
    return random.getstate(), np.random.get_state()[1:3], torch.get_rng_state()
def kept(work):
    before = drawn()
    result = work()
    after = drawn()
    assert before[0] == after[0]
    assert np.array_equal(before[1][0], after[1][0]) and before[1][1] == after[1][1]
    assert torch.equal(before[2], after[2])
    return result
model = kept(lambda: heap.Heap.from_pretrained(model_folder))
kept(lambda: model(pixels))
kept(lambda: heap.discover(photos, out + "/run", model=model, limit=4))
run = heap.open(out + "/run")
kept(lambda: run.search(pixels))
kept(lambda: run.edit_categories(count=2))
"""
    script([sys.executable], PRELUDE + code)


def test_the_names_of_the_package(script: Script, python: list[str]) -> None:
    """None hides a builtin, all are listed, and nothing is printed or logged unasked."""
    code = """
import builtins, logging
names = {}
exec("from heap import *", names)
assert not (set(names) - {"__builtins__"}) & set(dir(builtins))
assert set(heap.__all__) | {"open", "__version__"} <= set(dir(heap))
assert heap.__version__
assert all(issubclass(kind, heap.HeapError) for kind in (heap.InputError, heap.ImageError))
handlers = list(logging.getLogger().handlers)
model = heap.Heap.from_pretrained(model_folder)
heap.discover(photos, out + "/run", model=model, limit=2)
assert logging.getLogger().handlers == handlers
assert not logging.getLogger("heap").handlers
"""
    assert script(python, PRELUDE + code) == ""


def test_wrong_values_are_refused_with_the_value(script: Script, python: list[str]) -> None:
    code = """
from heap.config import DiscoverConfig
model = heap.Heap.from_pretrained(model_folder)
heap.discover(photos, out + "/run", model=model, limit=np.int64(2))
run = heap.open(out + "/run")
new = out + "/new"
wrong = {
    "count is 2.5": lambda: run.search(pixels, count=2.5),
    "count is '3'": lambda: run.search(pixels, count="3"),
    "where is 3": lambda: run.search(pixels, where=3),
    "object_id is 3": lambda: run.search(object_id=3),
    "box has 3 numbers": lambda: run.search(pixels, box=(1, 2, 3)),
    "count is 'two'": lambda: run.edit_categories(count="two"),
    "a category is 'a'": lambda: run.edit_categories(reject=["a"]),
    "a category is 1.5": lambda: run.edit_categories(merge=[(1.5, 2)]),
    "categories are 1": lambda: run.edit_categories(restore=1),
    "seed is -1": lambda: run.edit_categories(seed=-1),
    "min_score is 'a'": lambda: run.export("csv", min_score="a"),
    "split is {'train': 1}": lambda: run.export("csv", split={"train": 1}),
    "'coc' is no format": lambda: run.export("coc"),
    "3 is no model": lambda: heap.Heap.from_pretrained(3),
    "encoder is 3": lambda: heap.load_encoder(3),
    "device 'gpu' cannot be used": lambda: heap.load_encoder("embedded-small", device="gpu"),
    "no precision 'fp16'": lambda: heap.load_encoder("embedded-small", precision="fp16"),
    "threshold = 3.0": lambda: DiscoverConfig(threshold=3.0),
    "min_scor = 0": lambda: model(pixels, {"min_scor": 0}),
    "proposals = 2.5": lambda: model(pixels, {"proposals": 2.5}),
    "limit is 2.5": lambda: heap.discover(photos, new, model=model, limit=2.5),
    "limit is 0": lambda: heap.discover(photos, new, model=model, limit=0),
    "timeout is '3'": lambda: heap.discover(photos, new, model=model, timeout="3"),
    "image 0 has no name": lambda: heap.discover([pixels], new, model=model),
    "tells it from the others": lambda: heap.fit(pixels, new),
    "images are 3": lambda: heap.discover(3, new, model=model),
    "images are None": lambda: heap.fit(None, new),
    "port is 70000": lambda: heap.serve(out + "/run", port=70000),
    "port is 'a'": lambda: heap.serve(out + "/run", port="a"),
}
for words, call in wrong.items():
    try:
        call()
    except heap.InputError as error:
        assert words in str(error), (words, str(error))
        for theirs in ("pydantic", "torch.", "Input should", "type="):
            assert theirs not in str(error), str(error)
    else:
        raise AssertionError(f"not refused: {words}")
"""
    script(python, PRELUDE + code)


def test_every_line_of_the_page_works(python: list[str], tmp_path: Path) -> None:
    """Blocks of docs/python.md, one after the other, print what their comments say."""
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert {language for language, _ in blocks} == {"python"}
    shutil.copytree(ROOT / "demo" / "photos", tmp_path / "demo" / "photos")
    program = tmp_path / "page.py"
    program.write_text("\n".join(code for _, code in blocks))
    done = subprocess.run(
        [*python, str(program)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = re.findall(r"print\(.*\)  # (.*)", page)
    assert len(said) == 3
    for line in said:
        words = ".*".join(map(re.escape, line.split("...")))
        assert re.search(f"^{words}$", done.stdout, re.MULTILINE), line
    assert not [
        link for link in re.findall(r"\]\(([^)#:]+)", page) if not (ROOT / "docs" / link).exists()
    ]
