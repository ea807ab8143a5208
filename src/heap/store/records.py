"""What a run stores of an image: a result, or the reason that there is none."""

from dataclasses import dataclass, field

from heap.results import ImageResult


@dataclass(frozen=True)
class Finished:
    """An image that was worked on to the end, with or without objects."""

    result: ImageResult
    thumbnail: bytes = b""
    """The upright image re-encoded small, as JPEG; empty if none is wanted."""
    digest: str = ""
    """Digest of the image file, as the feature cache names it."""
    note: str = ""
    """What the user should know of it, such as "first of 3 frames"."""
    source: str = ""
    """Where the image was read: an absolute path, the URL of a file whose path is not UTF-8, or
    another URL; empty if it cannot be read again."""
    stamp: str = field(default="", compare=False)
    """What `Source.stamp` said of it before it was read."""

    @property
    def key(self) -> str:
        """Name of the image in its run."""
        return self.result.key


@dataclass(frozen=True)
class Stored:
    """What tells whether an image of a run is one that was listed."""

    key: str
    source: str
    """Absolute path or URL; empty if it is not known."""
    digest: str
    """SHA-256 of the image file; empty if it failed."""
    stamp: str
    """What `Source.stamp` said of it; empty if that is not known."""
    failed: bool


@dataclass(frozen=True)
class Counts:
    """How many images and objects a run holds."""

    done: int
    """Images with at least one object."""
    empty: int
    """Images in which nothing was found."""
    failed: int
    objects: int
