"""Model card of a fitted head: the README.md of its folder."""

import json
from typing import Any

from huggingface_hub import ModelCard

_CARD = """---
library_name: heap
tags: [unsupervised-object-discovery, saliency-detection, self-supervised]
---
# A HEAP head on {encoder}

Groups the patch features of a frozen encoder into regions and tells foreground regions
from background, without a label (HEAP, AAAI 2024; the head's details and the orientation are
choices of the `heap` package). It finds what stands out in everyday photos; it does not name it.

```python
import heap

run = heap.discover("photos/", "run/", model="THIS FOLDER OR HUB NAME")
```

## Made from

```json
{provenance}
```

## Limits

Trained on what the images above show, with whatever bias they have. Small objects, crowds and
things that fill the whole picture are often missed. Not for decisions about people.
"""


def model_card(config: dict[str, Any]) -> ModelCard:
    """Model card for a model with this configuration, as `asdict` of `ModelConfig` gives it."""
    about = json.dumps(config["provenance"], indent=2)
    return ModelCard(_CARD.format(encoder=config["features"]["encoder"], provenance=about))
