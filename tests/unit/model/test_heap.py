import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file, save_file
from torch import Tensor

from heap.base.errors import ConfigError, InputError, WeightsError
from heap.config import DiscoverConfig
from heap.encoder.load import load_encoder
from heap.images import Picture
from heap.model.heap import Heap
from heap.results import ImageResult


@pytest.fixture
def copy(model_folder: Path, tmp_path: Path) -> Path:
    """A copy of the model that a test may spoil."""
    return Path(shutil.copytree(model_folder, tmp_path / "copy"))


def assert_same(ours: ImageResult, theirs: ImageResult) -> None:
    assert ours.to_coco() == theirs.to_coco()
    for name, values in ours.to_numpy().items():
        np.testing.assert_array_equal(values, theirs.to_numpy()[name])
    np.testing.assert_array_equal(ours.objects.embeddings, theirs.objects.embeddings)
    np.testing.assert_array_equal(ours.regions.embeddings, theirs.regions.embeddings)
    np.testing.assert_array_equal(ours.foreground, theirs.foreground)
    np.testing.assert_array_equal(ours.background, theirs.background)


def test_it_finds_what_was_drawn(heap: Heap, pictures: list[Picture]) -> None:
    results = heap(pictures)
    assert [result.key for result in results] == [picture.key for picture in pictures]
    centred = 0
    for picture, result in zip(pictures, results, strict=True):
        assert (result.width, result.height) == (picture.width, picture.height)
        for x1, y1, x2, y2 in result.objects.boxes[:1]:
            centred += (x1 < picture.width / 2 < x2) and (y1 < picture.height / 2 < y2)
    assert centred >= 10, "every photo has its shape about the centre"


@pytest.mark.parametrize("merge", [-1.0, 0.625, 1.0])
def test_the_head_says_what_is_one_thing_unless_it_is_asked_otherwise(
    merge: float, heap: Heap, pictures: list[Picture], copy: Path
) -> None:
    values = json.loads((copy / "config.json").read_text())
    values["head"] |= {"min_score": 0.3}
    (copy / "config.json").write_text(json.dumps(values))
    changed = Heap.from_pretrained(copy, precision="fp32")
    changed.head.discriminant.alike.fill_(merge)
    assert changed.defaults == DiscoverConfig(merge=merge, min_score=0.3)
    for ours, theirs in zip(changed(pictures), heap(pictures, changed.defaults), strict=True):
        assert_same(ours, theirs)
    asked = DiscoverConfig(merge=0.5)
    for ours, theirs in zip(changed(pictures, asked), heap(pictures, asked), strict=True):
        assert_same(ours, theirs)


def test_more_pixels_are_asked_for_as_if_the_fit_had_had_them(
    heap: Heap, copy: Path, pictures: list[Picture]
) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["features"]["resolution"] *= 2
    (copy / "config.json").write_text(json.dumps(config))
    larger = Heap.from_pretrained(copy, precision="fp32")(pictures[0])
    asked = heap(pictures[0], {"resolution": config["features"]["resolution"]})
    usual = heap(pictures[0])
    assert isinstance(larger, ImageResult)
    assert isinstance(asked, ImageResult)
    assert isinstance(usual, ImageResult)
    assert asked.saliency.size > 3 * usual.saliency.size
    np.testing.assert_array_equal(asked.saliency, larger.saliency)
    np.testing.assert_array_equal(asked.objects.boxes, larger.objects.boxes)


def test_saving_and_loading_changes_nothing(
    heap: Heap, pictures: list[Picture], tmp_path: Path
) -> None:
    heap.save_pretrained(tmp_path / "again")
    loaded = Heap.from_pretrained(tmp_path / "again", precision="fp32")
    assert loaded.config == heap.config
    assert loaded.fingerprint == heap.fingerprint
    assert loaded.location == str((tmp_path / "again").resolve())
    for ours, theirs in zip(heap(pictures), loaded(pictures), strict=True):
        assert_same(ours, theirs)


def test_a_model_of_the_package_is_called_so_wherever_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "embedded-small").mkdir()
    monkeypatch.chdir(tmp_path)
    assert Heap.from_pretrained("embedded-small").location == "embedded-small"


@pytest.mark.fault("F36")
def test_one_image_alone_gives_what_it_gives_among_others(
    heap: Heap, pictures: list[Picture]
) -> None:
    together = heap(pictures, DiscoverConfig(batch=5))
    for picture, result in zip(pictures, together, strict=True):
        (alone,) = heap([picture])
        np.testing.assert_array_equal(alone.regions.label_map, result.regions.label_map)
        np.testing.assert_allclose(alone.saliency, result.saliency, atol=1e-5)
        for ours, theirs in zip(alone.objects.masks, result.objects.masks, strict=True):
            ours_dense, theirs_dense = ours.decode(), theirs.decode()
            assert (ours_dense & theirs_dense).sum() / (ours_dense | theirs_dense).sum() > 0.999


@pytest.mark.fault("F12")
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 2), (7, 7), (64, 64)])
def test_nothing_to_see_gives_numbers_and_no_nan(size: tuple[int, int], heap: Heap) -> None:
    width, height = size
    pixels = np.full((height, width, 3), 128, dtype=np.uint8)
    (result,) = heap([Picture("flat", pixels, width, height, "", None)])
    assert np.isfinite(result.saliency).all()
    assert np.isfinite(result.regions.embeddings).all()
    assert np.isfinite(result.foreground).all()
    assert result.regions.label_map.max() + 1 == len(result.regions.areas)
    for x1, y1, x2, y2 in result.objects.boxes:
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height


def test_images_are_what_a_program_holds(heap: Heap, pictures: list[Picture]) -> None:
    """One in, one out; many in, a list; a generator in, an iterator that is not ahead of it."""
    expected = [result.to_coco() for result in heap(pictures[:3])]
    arrays = [picture.pixels for picture in pictures[:3]]
    names = [picture.key for picture in pictures[:3]]
    assert heap(arrays[0], names=names[0]).to_coco() == expected[0]
    assert [result.to_coco() for result in heap(arrays, names=names)] == expected
    taken = list[int]()

    def endless() -> Iterator[np.ndarray]:
        number = 0
        while True:
            taken.append(number)
            yield arrays[number % 3]
            number += 1

    results = heap(endless(), DiscoverConfig(batch=2), names=map(str, count()))
    assert next(results).key == "0"
    assert len(taken) == 2, "a batch, and no more"
    with pytest.raises(InputError, match="several images need a list of names"):
        heap(arrays, names="a")
    assert heap(arrays[0], names=["a"]).key == "a"
    for names in ([], ["a", "b"]):
        with pytest.raises(InputError, match="one image has one name"):
            heap(arrays[0], names=names)


def test_no_picture_gives_no_result(heap: Heap) -> None:
    assert heap([]) == []


def test_regions_that_nobody_chose_are_left_out(heap: Heap, pictures: list[Picture]) -> None:
    for result in heap(pictures):
        regions = result.regions
        assert np.array_equal(np.unique(regions.label_map), np.arange(len(regions.areas)))
        assert len(regions.scores) == len(regions.embeddings) == len(regions.areas)
        assert set(result.objects.regions) <= set(range(len(regions.areas)))


def test_the_card_says_where_the_model_comes_from(model_folder: Path) -> None:
    card = ModelCard.load(model_folder / "README.md")
    assert card.data.library_name == "heap"
    about = json.loads(card.text.partition("```json")[2].partition("```")[0])
    assert about["images"] == 12
    assert about["losses"]["prior"] == "boundary"


def test_an_encoder_that_has_moved_is_named_anew(
    copy: Path, encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEAP_CACHE_DIR", str(tmp_path / "cache"))
    moved = shutil.copytree(encoder_folder, tmp_path / "far" / "moved")
    edit(copy, lambda config: config["features"].update(encoder=str(tmp_path / "gone")))
    with pytest.raises(WeightsError, match=r"gone, is neither .*--encoder"):
        Heap.from_pretrained(copy)
    assert Heap.from_pretrained(copy, encoder=str(moved)).encoder.name == str(moved)


def test_another_encoder_is_refused(copy: Path, encoder_folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(encoder_folder, tmp_path / "other")
    state = load_file(other / "model.safetensors")
    state["layernorm.bias"] += 1
    save_file(state, other / "model.safetensors", {"format": "pt"})
    load_encoder(str(other))
    with pytest.raises(WeightsError, match=r"another encoder.*other.*--encoder"):
        Heap.from_pretrained(copy, encoder=str(other))


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.fault("F24", "F26")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(colour="red"), "colour = 'red': there is no such setting"),
        (lambda c: c.update(__class__="os.system"), "__class__"),
        (lambda c: c["head"].update(tokens=5), "head.tokens"),
        (lambda c: c["head"].update(groups="4"), r"head.groups = '4'"),
        (lambda c: c["head"].update(groups=4.5), "head.groups"),
        (lambda c: c["head"].update(groups=int(1e9)), "head.groups = 1000000000"),
        (lambda c: c["head"].update(width=10**12), "head.width"),
        (lambda c: c["head"].update(temperature=float("nan")), "not plain JSON"),
        (lambda c: c["head"].update(heads=5), r"width.*heads"),
        (lambda c: c.update(features=[]), "features"),
        (lambda c: c["features"].update(facet="query"), "features.facet"),
        (lambda c: c.update(format=99), "newer version of heap"),
        (lambda c: c.update(format=1), "earlier version of heap.*fit the model again"),
    ],
)
def test_a_configuration_with_a_fault_is_refused_by_name(
    copy: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    edit(copy, change)
    with pytest.raises(ConfigError, match=message) as caught:
        Heap.from_pretrained(copy)
    assert str(copy / "config.json") in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "\0", "[" * 100_000], ids=["empty", "torn", "list", "nul", "deep"]
)
def test_a_configuration_that_is_no_json_object_is_refused(copy: Path, text: str) -> None:
    (copy / "config.json").write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json"):
        Heap.from_pretrained(copy)


def damage(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.fault("F23")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("tokens"), "tokens"),
        (lambda t: t.update(extra=torch.zeros(2)), "extra"),
        (lambda t: t.update(tokens=torch.zeros(5, 16)), "tokens"),
        (lambda t: t["score.bias"].fill_(torch.nan), r"score\.bias"),
        (lambda t: t["centre"][:1].fill_(torch.inf), "centre"),
    ],
    ids=["missing", "extra", "shape", "nan", "infinite"],
)
def test_weights_that_do_not_fit_are_refused_by_name(
    copy: Path, change: Callable[[dict[str, Tensor]], object], message: str
) -> None:
    damage(copy, change)
    with pytest.raises(WeightsError, match=rf"not finite: {message}$"):
        Heap.from_pretrained(copy)


@pytest.mark.fault("F22")
@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_truncated_weights_are_refused(copy: Path, length: int) -> None:
    whole = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(whole[:length])
    digest = hashlib.sha256(whole[:length]).hexdigest()
    with pytest.raises(
        WeightsError, match=rf"model\.safetensors cannot be loaded .*SHA-256 is {digest}"
    ):
        Heap.from_pretrained(copy)


def test_missing_weights_are_refused_and_a_pickle_does_not_serve(copy: Path) -> None:
    state = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    torch.save(state, copy / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"model\.safetensors cannot be loaded"):
        Heap.from_pretrained(copy)


@pytest.mark.parametrize("name", ["/nowhere/model", "nowhere", "own er/model", "../../etc", ""])
def test_a_model_that_does_not_exist(name: str) -> None:
    with pytest.raises(InputError, match="no model"):
        Heap.from_pretrained(name)


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no config\.json; `heap fit` makes one"):
        Heap.from_pretrained(tmp_path)
