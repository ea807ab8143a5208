"""Boxes of the objects in photos by an exported model, on a machine without torch.

heap export-model embedded --out embedded.onnx      # where torch is
pip install onnxruntime scikit-learn pillow supervision jaxtyping pydantic
pip install --no-deps heap
python discover_onnx.py embedded.onnx PHOTO ...
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

from heap.config import DiscoverConfig, FeatureConfig, from_dict
from heap.features.cues import compute_cues
from heap.images.geometry import Geometry
from heap.model.analysis import Analysis
from heap.model.objects import find_objects
from heap.results import Objects, Regions


def find(session: onnxruntime.InferenceSession, photo: np.ndarray) -> Objects:
    """Objects of an upright RGB photo, best first, as `heap discover` finds them."""
    settings = json.loads(session.get_modelmeta().custom_metadata_map["heap"])
    features = from_dict(FeatureConfig, settings["features"])
    size = photo.shape[1], photo.shape[0]
    shape = Geometry.of_features(*size, features, settings["patch"])
    inputs = {"pixels": shape.resize(photo)[None]}  # a batch of one
    if features.cues:
        inputs["cues"] = compute_cues(features.cues, photo, shape.grid).reshape(1, *shape.grid, -1)
    outputs = session.run(None, inputs)
    saliency, objectness, *vectors, groups, means, scores, areas, foreground, background = (
        output[0] for output in outputs
    )
    regions = Regions(groups.astype(np.int64), means, scores, areas)
    analysis = Analysis(saliency, objectness, regions, *vectors, foreground, background)
    return find_objects(analysis, photo, size, from_dict(DiscoverConfig, settings["discover"]))


if __name__ == "__main__":
    session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
    for path in sys.argv[2:]:
        with Image.open(path) as image:
            photo = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        objects = find(session, photo)
        for box, score in zip(objects.boxes.tolist(), objects.scores.tolist(), strict=True):
            print(path, *box, f"{score:.3f}")
