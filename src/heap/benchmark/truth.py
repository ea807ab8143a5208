"""Annotation of an image, which methods are scored against."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from heap.images import Picture, Source, decode

VOID = 255
"""Value of the pixels in a class map that are not scored."""


@dataclass(frozen=True)
class Truth:
    """The annotation of one image; what its data set does not have is None."""

    boxes: Float64[np.ndarray, "object 4"]
    """xyxy, 0-based pixel edges, x2 and y2 exclusive. Where a data set has no boxes, they are those
    of the parts of its mask."""
    crowds: Bool[np.ndarray, " object"]
    """Whether a box is around a crowd: it is no object, but what is found in it is not wrong."""
    foreground: Bool[np.ndarray, "height width"] | None = None
    """Pixels of everything that is annotated, whatever its class."""
    void: Bool[np.ndarray, "height width"] | None = None
    """Pixels that are not scored; None: all are."""
    classes: UInt8[np.ndarray, "height width"] | None = None
    """Class of each pixel, 0 background, `VOID` not scored."""
    instances: Bool[np.ndarray, "object height width"] | None = None
    """Masks of the objects in `boxes`, in the same order."""
    box_classes: tuple[str, ...] | None = None
    """Names of the classes of the boxes."""


@dataclass(frozen=True)
class Example:
    """An image of a data set; neither it nor its annotation has been read yet."""

    key: str
    """Name that is unique in the data set."""
    image: Path
    split: str
    """`train`, `val` and so on; `all` where a data set has no splits."""
    read: Callable[[int, int], Truth]
    """Function that reads the annotation of the image from its width and height.

    Raises InputError, naming file and place, if it is wrong or does not fit the image.
    """

    def picture(self) -> Picture:
        """Decode the image.

        Raises:
            ImageError: if it cannot be used.
        """
        return decode(Source(self.key, str(self.image)))

    def truth(self, picture: Picture) -> Truth:
        """Read its annotation.

        Raises:
            InputError: naming file and place, if it is wrong or of another size.
        """
        return self.read(picture.width, picture.height)


@dataclass(frozen=True)
class Dataset:
    """Images with annotations."""

    name: str
    """Name in `heap datasets`."""
    place: Path
    examples: tuple[Example, ...]
    """By split, then by key."""
    classes: tuple[str, ...] = ()
    """Names of the classes of its class maps by number; 0 is the background."""
