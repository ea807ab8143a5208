"""Mutated annotations, lists and configurations: read, or refused with a reason."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import SEEDS, mutated, mutated_tree, tries
from hypothesis import given
from miniatures import HEIGHT, WIDTH, annotation, coco, coco_json, picture, voc, voc_xml

from heap.base.errors import HeapError, InputError
from heap.benchmark.datasets import check_dataset, open_dataset
from heap.cli.reading import read_sections
from heap.config import (
    DiscoverConfig,
    FeatureConfig,
    FitConfig,
    HeadConfig,
    LossConfig,
    from_dict,
)
from heap.encoder.files import find_files
from heap.encoder.weights import load_model, read_normalisation
from heap.images import list_images
from heap.model.heap import Heap
from heap.pretraining.config import PretrainConfig

CONFIGS = (FeatureConfig, HeadConfig, LossConfig, FitConfig, DiscoverConfig, PretrainConfig)


def is_explained(act: Callable[[], object]) -> bool:
    """Whether it can be done; if not, the error has to be one of ours that says why."""
    refusal = refused(act)
    assert refusal is None or len(refusal) > 20
    return refusal is None


def refused(act: Callable[[], object]) -> str | None:
    try:
        act()
    except HeapError as error:
        return str(error)
    return None


def changed(value: Any, draw: np.random.Generator) -> bytes:
    """JSON in which some values, and sometimes bytes, are odd."""
    text = json.dumps(mutated_tree(value, draw)).encode()
    return mutated(text, draw) if draw.random() < 0.3 else text


def read_all(spec: str) -> None:
    """Read every annotation of a data set; what is read has to make sense."""
    for item in open_dataset(spec).examples:
        truth = item.read(WIDTH, HEIGHT)
        assert np.isfinite(truth.boxes).all()
        assert (truth.boxes >= 0).all()
        assert (truth.boxes <= [WIDTH, HEIGHT, WIDTH, HEIGHT]).all()
        assert (truth.boxes[:, :2] <= truth.boxes[:, 2:]).all()
        for masks in (truth.foreground, truth.instances):
            assert masks is None or masks.shape[-2:] == (HEIGHT, WIDTH)


def check_files(root: Path, name: str, write: Callable[[np.random.Generator], None]) -> None:
    @given(seed=SEEDS)
    @tries(4)
    def check(seed: int) -> None:
        write(np.random.default_rng(seed))
        problems = check_dataset(name, root)
        usable = is_explained(lambda: read_all(f"{name}:{root}"))
        assert usable or problems, "`heap datasets check` says of everything that is refused"

    check()


def test_coco(tmp_path: Path) -> None:
    whole = coco_json([annotation(1), annotation(2, segmentation={
        "size": [HEIGHT, WIDTH], "counts": [20, 30, HEIGHT * WIDTH - 50]
    }, iscrowd=1)])  # fmt: skip
    root = coco(tmp_path)
    file = root / "instances.json"

    def write(draw: np.random.Generator) -> None:
        file.write_bytes(changed(whole, draw))

    check_files(root, "coco", write)


def test_voc(tmp_path: Path) -> None:
    root = voc(tmp_path, "2012", {"Main/trainval": ["a"]})
    file, text = root / "Annotations" / "a.xml", voc_xml("a").encode()
    odd = (b"", b"-1", b"nan", b"1e999", b"&lt;", b"<x/>", b"\xff", b"9" * 400, b"../../x")

    def write(draw: np.random.Generator) -> None:
        if draw.random() < 0.5:
            file.write_bytes(mutated(text, draw))
            return
        pieces = text.split(b">")
        at = int(draw.integers(len(pieces) - 1))
        _, sign, tag = pieces[at].rpartition(b"<")
        pieces[at] = odd[int(draw.integers(len(odd)))] + sign + tag
        file.write_bytes(b">".join(pieces))

    check_files(root, "voc2012", write)


def test_lists(tmp_path: Path) -> None:
    for name in ("a.jpg", "b/c.jpg", "é.jpg"):
        picture(tmp_path / name)
    text = f"a.jpg\nb/c.jpg\n{tmp_path}/a.jpg\né.jpg\nfile://{tmp_path}/a.jpg\n".encode()
    file = tmp_path / "list.txt"

    @given(seed=SEEDS)
    @tries(8)
    def check(seed: int) -> None:
        file.write_bytes(mutated(text, np.random.default_rng(seed)))

        def read() -> None:
            for source in list_images(file):
                source.key.encode()
                # What a URL names is asked from nobody here.
                if "://" not in source.location:
                    with suppress(InputError):
                        source.read()

        is_explained(read)

    check()


@pytest.mark.parametrize("kind", CONFIGS)
def test_configurations(kind: type[Any]) -> None:
    usual = json.loads(json.dumps(asdict(kind())))

    @given(seed=SEEDS)
    @tries(8)
    def check(seed: int) -> None:
        values = mutated_tree(usual, np.random.default_rng(seed))
        if isinstance(values, dict):
            is_explained(lambda: from_dict(kind, values))

    check()


def test_settings_files(tmp_path: Path) -> None:
    whole = {"fit": asdict(FitConfig()), "head": asdict(HeadConfig())}
    file = tmp_path / "settings.json"

    @given(seed=SEEDS)
    @tries(8)
    def check(seed: int) -> None:
        file.write_bytes(changed(whole, np.random.default_rng(seed)))
        is_explained(lambda: read_sections(file, ("features", "head", "losses", "fit")))

    check()


def test_the_configuration_of_a_model(
    model_folder: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    whole = json.loads((model_folder / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes((model_folder / "model.safetensors").read_bytes())
    file = tmp_path / "config.json"

    @given(seed=SEEDS)
    @tries()
    def check(seed: int) -> None:
        file.write_bytes(changed(whole, np.random.default_rng(seed)))
        is_explained(lambda: Heap.from_pretrained(tmp_path, encoder=str(encoder_folder)))

    check()


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
def test_the_configuration_of_an_encoder(name: str, encoder_folder: Path, tmp_path: Path) -> None:
    for path in encoder_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = json.loads((encoder_folder / name).read_text())

    @given(seed=SEEDS)
    @tries()
    def check(seed: int) -> None:
        (tmp_path / name).write_bytes(changed(whole, np.random.default_rng(seed)))

        def load() -> None:
            files = find_files(tmp_path)
            load_model(files)
            read_normalisation(files)

        is_explained(load)

    check()
