"""What is annotated in an image: what a method is scored against."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from heap.images import Picture, Source, decode

VOID = 255
"""In a class map: pixels that are not scored."""


@dataclass(frozen=True)
class Truth:
    """The annotation of one image; what its data set does not have is None."""

    boxes: Float64[np.ndarray, "object 4"]
    """xyxy, 0-based pixel edges, x2 and y2 exclusive. Of the parts of the mask where the data set
    has no boxes."""
    crowds: Bool[np.ndarray, " object"]
    """Boxes around a crowd: no objects, but what is found there is not wrong either."""
    foreground: Bool[np.ndarray, "height width"] | None = None
    """All that is annotated, whatever its class."""
    void: Bool[np.ndarray, "height width"] | None = None
    """Pixels that are not scored; None: all are."""
    classes: UInt8[np.ndarray, "height width"] | None = None
    """Class of each pixel, 0 background, `VOID` not scored."""
    instances: Bool[np.ndarray, "object height width"] | None = None
    """Mask of each of the objects that `boxes` has, in the same order."""
    box_classes: tuple[str, ...] | None = None
    """Name of the class of each of the boxes."""


@dataclass(frozen=True)
class Example:
    """An image of a data set; neither it nor its annotation has been read yet."""

    key: str
    """Unique in its data set."""
    image: Path
    split: str
    """`train`, `val`, ...; `all` where a data set has no splits."""
    read: Callable[[int, int], Truth]
    """Reads the annotation of the image, whose width and height it is given.

    Raises InputError, naming file and place, if it is wrong or does not fit the image.
    """

    def picture(self) -> Picture:
        """The decoded image.

        Raises:
            ImageError: if it cannot be used.
        """
        return decode(Source(self.key, str(self.image)))

    def truth(self, picture: Picture) -> Truth:
        """Its annotation.

        Raises:
            InputError: naming file and place, if it is wrong or of another size.
        """
        return self.read(picture.width, picture.height)


@dataclass(frozen=True)
class Dataset:
    """Images with annotations."""

    name: str
    """As `heap datasets` lists it."""
    place: Path
    examples: tuple[Example, ...]
    """By split, then by key."""
    classes: tuple[str, ...] = ()
    """Names of the classes of its class maps by number; 0 is the background."""
