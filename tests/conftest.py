"""What all tests share: no network, generated photos, a tiny encoder and a head fitted on it."""

import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import pytest
from filelock import FileLock
from PIL import Image
from properties import examples
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from heap.config import FeatureConfig
    from heap.encoder.base import Encoder
    from heap.images import Picture
    from heap.model.heap import Heap

Run = Callable[..., subprocess.CompletedProcess[str]]
Main = Callable[..., tuple[int, str, str]]
Once = Callable[[str, Callable[[Path], object]], Path]

SIZES = [(96, 64), (64, 96), (80, 80)]
COLOURS = [(220, 40, 40), (240, 200, 30), (60, 60, 230), (250, 250, 250)]

# Read when huggingface_hub is imported; nothing in this file does, but a conftest in a folder may.
os.environ["HF_HUB_OFFLINE"] = "1"
# Read when torch and NumPy are: workers would else run dozens of threads on a few cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

_SERVER = pytest.StashKey[str]()
"""Address of the server that all workers of xdist share."""
EXAMPLES = 40
"""Of a property that does not say its own number."""


def pytest_configure(config: pytest.Config) -> None:
    # Hypothesis fails an example that takes 0.2 s, which a busy machine may need for any.
    hypothesis.settings.register_profile("heap", deadline=None, max_examples=examples(EXAMPLES))
    hypothesis.settings.load_profile("heap")
    sys.addaudithook(_refuse_network)
    # Of what a hundred modules import nearly all stays to the end, and need not be looked through.
    gc.set_threshold(10_000)


def pytest_collection_finish() -> None:
    gc.freeze()


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        address = arguments[1]
    elif event == "socket.getaddrinfo":
        address = arguments
    else:
        return
    if isinstance(address, tuple) and address[0] not in (None, "127.0.0.1", "::1", "localhost"):
        raise RuntimeError(f"a test wants to reach {address}")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEAP_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


def draw_photo(number: int) -> np.ndarray:
    """A coloured disc or square on a greenish, textured background; the same for each number."""
    draw = np.random.default_rng(number)
    width, height = SIZES[number % len(SIZES)]
    grain = gaussian_filter(draw.normal(size=(height, width, 1)), (3, 3, 0))
    pixels = np.array([70, 110, 80]) + 150 * grain + draw.normal(0, 4, (height, width, 3))
    rows, cols = np.mgrid[:height, :width]
    down, right = rows - draw.uniform(0.4, 0.6) * height, cols - draw.uniform(0.4, 0.6) * width
    radius = draw.uniform(0.2, 0.3) * min(width, height)
    inside = np.hypot(down, right) < radius
    if number % 2:
        inside = np.maximum(abs(down), abs(right)) < radius
    pixels[inside] = COLOURS[number % len(COLOURS)] + draw.normal(0, 6, (int(inside.sum()), 3))
    return pixels.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Once:
    """Lets the first worker that needs a folder fill it; the others wait and take it as it is."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "shared"
    shared.mkdir(exist_ok=True)

    def fill(name: str, make: Callable[[Path], object]) -> Path:
        folder, whole = shared / name, shared / f"{name}.whole"
        with FileLock(shared / f"{name}.lock"):
            if not whole.exists():
                # A worker that failed has left it half full.
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                whole.touch()
        return folder

    return fill


@pytest.fixture(scope="session")
def photos(once: Once) -> Path:
    """A folder of twelve generated photos in three shapes."""

    def make(folder: Path) -> None:
        for number in range(12):
            Image.fromarray(draw_photo(number)).save(folder / f"{number:02d}.png")

    return once("photos", make)


@pytest.fixture(scope="session")
def pictures(photos: Path) -> list["Picture"]:
    """The photos, decoded."""
    from heap.images import decode, list_images

    return [decode(source) for source in list_images(photos)]


@pytest.fixture(scope="session")
def encoder_folder(once: Once) -> Path:
    """A tiny vision transformer with random weights, as transformers saves it."""

    def make(folder: Path) -> None:
        from benchmarks.stub_model import write_encoder

        write_encoder(folder)

    return once("encoder", make)


@pytest.fixture(scope="session")
def encoder(encoder_folder: Path) -> "Encoder":
    """That encoder, loaded."""
    from heap.encoder.load import load_encoder

    return load_encoder(str(encoder_folder), precision="fp32")


@pytest.fixture(scope="session")
def feature_config(encoder_folder: Path) -> "FeatureConfig":
    """Features small enough to fit a head on them in a second."""
    from heap.config import FeatureConfig

    return FeatureConfig(encoder=str(encoder_folder), resolution=64, cues=("colour", "boundary"))


@pytest.fixture(scope="session")
def model_folder(once: Once, photos: Path, feature_config: "FeatureConfig") -> Path:
    """A model that was fitted on the photos."""
    from heap.config import FitConfig, HeadConfig, LossConfig
    from heap.fitting.command import fit

    def make(folder: Path) -> None:
        fit(
            photos,
            folder,
            features=feature_config,
            head=HeadConfig(groups=4, blocks=1, heads=2, width=16),
            losses=LossConfig(prior="boundary"),
            config=FitConfig(steps=60, batch=6, learning_rate=1e-2, checkpoint_every=10),
            precision="fp32",
        )

    return once("model", make)


@pytest.fixture(scope="session")
def heap(model_folder: Path) -> "Heap":
    """That model, loaded; not to be changed."""
    from heap.model.heap import Heap

    return Heap.from_pretrained(model_folder, precision="fp32")


@contextmanager
def forking_server() -> Iterator[str]:
    """The address of an interpreter whose slow imports are done, or will be; see the file."""
    program = str(Path(__file__).with_name("forking_server.py"))
    with tempfile.TemporaryDirectory() as folder:
        address = f"{folder}/socket"
        server = subprocess.Popen([sys.executable, program, address], stdin=subprocess.PIPE)
        yield address
        server.communicate(timeout=60)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Have the controller of xdist start a server, which all workers share."""
    if _SERVER not in node.config.stash:
        context = ExitStack()
        node.config.stash[_SERVER] = context.enter_context(forking_server())
        node.config.add_cleanup(context.close)
    node.workerinput["forking_server"] = node.config.stash[_SERVER]


@pytest.fixture(scope="session")
def python(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Stands for `sys.executable` in commands: an interpreter whose slow imports are done.

    What depends on how an interpreter starts is tested with a real one.
    """
    front = [sys.executable, "-I", "-S", str(Path(__file__).with_name("forked.py"))]
    shared = getattr(request.config, "workerinput", {}).get("forking_server")
    with nullcontext(shared) if shared else forking_server() as address:
        yield [*front, address]


@pytest.fixture(scope="session")
def run_heap(python: list[str]) -> Run:
    """Runs the command in a process of its own."""

    def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [*python, "-m", "heap", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)

    return run


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Main:
    """The command in this process, where its imports are done: exit code, output, errors."""
    from heap import cli

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["heap", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert isinstance(caught.value.code, int)
        return caught.value.code, *capfd.readouterr()

    return run
