"""Records that a run stores of its images."""

from dataclasses import dataclass, field

from heap.results import ImageResult


@dataclass(frozen=True)
class Finished:
    """An image that was worked on to the end, with or without objects."""

    result: ImageResult
    thumbnail: bytes = b""
    """The upright image re-encoded small, as JPEG; empty if none is wanted."""
    digest: str = ""
    """SHA-256 of the image file; the feature store has the same."""
    note: str = ""
    """Remark for the user, such as "first of 3 frames"; empty if there is none."""
    source: str = ""
    """Absolute path of the image, the URL of a file whose path is not UTF-8, or another URL; of an
    image that was in memory the path of its copy, from the folder of the run; empty if it cannot be
    read again."""
    stamp: str = field(default="", compare=False)
    """`Source.stamp` of the image before it was read."""
    drawn: tuple[int, ...] = ()
    """Places of the objects whose masks are by a person."""

    @property
    def key(self) -> str:
        """Name of the image in its run."""
        return self.result.key


@dataclass(frozen=True)
class Stored:
    """Place and content of an image of a run, to tell whether a listed image is the same."""

    key: str
    source: str
    """Absolute path or URL; empty if it is not known."""
    digest: str
    """SHA-256 of the image file; empty if it failed."""
    stamp: str
    """`Source.stamp` of the image; empty if that is not known."""
    failed: bool


@dataclass(frozen=True)
class Counts:
    """Numbers of images and objects in a run."""

    done: int
    """Images with at least one object."""
    empty: int
    """Images in which nothing was found."""
    failed: int
    objects: int
