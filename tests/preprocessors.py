"""What says how an encoder's colours were normalised, for encoders that tests make."""

import json
from pathlib import Path


def add_preprocessor(encoder: Path) -> None:
    """Write the file of the preprocessor with ImageNet's mean and deviation."""
    colours = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    (encoder / "preprocessor_config.json").write_text(json.dumps(colours))
