"""Twenty feature maps of photos: of those in `demo/photos`, and of three of them turned or cut."""

from dataclasses import replace
from functools import cache
from pathlib import Path

from heap.config import FeatureConfig
from heap.encoder.load import load_encoder
from heap.encoder.registry import CARDS
from heap.features.describe import describe
from heap.images import Picture, decode, list_images
from heap.methods.finding import Observed

PHOTOS = Path(__file__).parents[2] / "demo" / "photos"
COUNT = 20
SIDE = 12
"""Patches along a side of a square image: few enough for oracles that are loops."""


@cache
def real_maps(*, centred: bool) -> list[Observed]:
    """Features of the embedded encoder, as they are or less their mean over all photos.

    As they are, nearly all patches are alike; centred, they are as unlike as those of larger
    encoders.
    """
    pictures = _pictures()
    encoder = load_encoder("embedded-small", precision="fp32")
    usual = CARDS["embedded-small"].recipe.feature_config
    config = FeatureConfig(
        encoder="embedded-small",
        layer=usual.layer,
        facet=usual.facet,
        resolution=SIDE * encoder.patch,
    )
    maps = describe(encoder, pictures, config)
    if centred:
        mean = sum(each.patches.mean(dim=0) for each in maps) / len(maps)
        maps = [replace(each, patches=each.patches - mean) for each in maps]
    return [Observed(each, picture.pixels) for each, picture in zip(maps, pictures, strict=True)]


def _pictures() -> list[Picture]:
    found = [decode(source) for source in list_images(PHOTOS)]
    height, width, _ = found[1].pixels.shape
    changed = [
        found[0].pixels[:, ::-1].copy(),
        found[1].pixels[height // 5 : -height // 5, width // 5 : -width // 5].copy(),
        found[2].pixels[::-1, : -width // 4].copy(),
    ]
    found += [
        replace(found[0], pixels=pixels, width=pixels.shape[1], height=pixels.shape[0])
        for pixels in changed
    ]
    assert len(found) == COUNT
    return found
