"""Results, objects and categories of a run, its model, and search among its objects."""

import os
from collections.abc import Iterable, Iterator
from functools import partial
from html import escape
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex

import numpy as np
from jaxtyping import Float32

from heap.base.errors import InputError
from heap.base.numbers import box_of, text, whole_number
from heap.base.progress import OnProgress, silent
from heap.categories.listing import Category, categories
from heap.config import DiscoverConfig, from_dict
from heap.results import ImageResult
from heap.store import schema
from heap.store.columns import read_rows
from heap.store.database import reading
from heap.store.history import Entry, read_history
from heap.store.objects import ObjectTable
from heap.store.photos import Photos
from heap.store.place import folder_of
from heap.store.search import Hits, nearest, vector_of
from heap.store.store import RunStore
from heap.store.texts import is_storable, quote

if TYPE_CHECKING:
    from heap.categories.sorting import ProposedCategories
    from heap.images import Picture
    from heap.model.heap import Heap
    from heap.store.difference import RunDifference

_SHOWN = 6
"""Images that a notebook shows of a run."""


class RunReader:
    """Questions to a run; all is read as it is stored at the moment, and nothing is written."""

    def __init__(
        self, run: Path | str, *, photos: Path | str | None = None, urls: bool = False
    ) -> None:
        self.store = RunStore.open(run)
        self.photos = Photos(self.store, None if photos is None else Path(photos), urls=urls)
        """Reads the photos of the run again."""
        self._model: Heap | None = None
        # Now, for the folder that relative paths start from may become another one.
        self._arguments = _arguments(run, photos, urls)

    def __repr__(self) -> str:
        counts = self.store.counts()
        images = counts.done + counts.empty
        return (
            f"Run({str(self.store.run)!r}, {images} images, {counts.objects} objects, "
            f"{counts.failed} failed)"
        )

    def _repr_html_(self) -> str:
        """Its numbers and first images with their objects drawn on them, for notebooks."""
        from heap.report.strip import strip_of

        first = islice((record for record in self.store.records() if record.thumbnail), _SHOWN)
        pictures = strip_of((record.thumbnail, record.result) for record in first)
        return f"<p>{escape(repr(self))}</p>{pictures}"

    def __eq__(self, other: object) -> bool:
        """Whether both are the same run, read in the same way."""
        return isinstance(other, RunReader) and self._arguments == other._arguments

    def __hash__(self) -> int:
        return hash(self._arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by its place: a copy, also in another process, opens the run there."""
        place, photos, urls = self._arguments
        return partial(type(self), photos=photos, urls=urls), (place,)

    def __len__(self) -> int:
        """Number of images that were worked on to the end."""
        counts = self.store.counts()
        return counts.done + counts.empty

    @property
    def objects(self) -> ObjectTable:
        """The objects of all images."""
        return ObjectTable(self.store)

    @property
    def categories(self) -> list[Category]:
        """The categories that `edit_categories` has made, by number."""
        return categories(self.store)

    @property
    def history(self) -> list[Entry]:
        """The corrections that were made, oldest first; those that were taken back are the last."""
        with reading(self.store.run):
            return read_history(self.store.database)

    def results(self) -> Iterator[ImageResult]:
        """The result of each image, in the order of their keys."""
        return self.store.results()

    @property
    def discovered_with(self) -> DiscoverConfig:
        """Settings that the objects were found with.

        Raises:
            InputError: if an earlier version of this package found them, whose embeddings were
                others.
        """
        settings: dict[str, Any] = self.store.config.get("discover", {})
        if "crop" not in settings:
            raise InputError(
                f"{self.store.run} was made by an earlier version; its objects cannot be compared "
                "with a new image: discover them again, into another folder"
            )
        return from_dict(DiscoverConfig, settings)

    def model(self, name: str | None = None, *, encoder: str | None = None) -> "Heap":
        """The model that the run was made with, loaded once.

        `name` says where it is now, and `encoder` where its encoder is.

        Raises:
            InputError: if it is another model, or not known where it is.
        """
        if self._model is None:
            from heap.model.heap import Heap

            place = name or self.store.model
            if not place:
                raise InputError(f"{self.store.run} does not say what model made it; name one")
            model = Heap.from_pretrained(place, encoder=encoder)
            if model.fingerprint != self.store.config["head"]:
                raise InputError(
                    f"{self.store.run} was made with another model than {place}; name the right one"
                )
            self._model = model
        return self._model

    def search(
        self,
        image: Any = None,
        *,
        box: Any = None,
        object_id: str | None = None,
        where: str | None = None,
        count: SupportsIndex = 20,
        exact: bool | None = None,
    ) -> Hits:
        """Find the objects most like one of the run, or like what an image shows in a box.

        `image` is one as a program holds it, see `heap.images.held`: a path, a URL, an array, a
        tensor, a Pillow image, bytes or a binary file; or, where there is no file of that name, the
        key of an image of the run. `box` is a list, tuple, array or tensor of x1, y1, x2, y2.
        Without a `box` the model's main object of the image is looked for, or all of the image if
        the model finds none. `where` is a condition such as `score > 0.5 AND category = 3`, see
        `heap.store.condition`. Every object is compared, unless there are very many and `exact` is
        not set: then `searched_with` of the result is the index that was used, see
        `heap.store.search.nearest`.

        Raises:
            InputError: unless either an image or an object is given, and for images, boxes and
                conditions that cannot be used.
            ImageError: if the image cannot be decoded, or is of the run and cannot be read again.
        """
        if (image is None) == (object_id is None) or (box is not None and image is None):
            raise InputError("search takes an image, and a box of it if wanted, or an object")
        wanted = whole_number("count", count, least=1)
        where = None if where is None else text("where", where)
        if object_id is not None:
            vector = vector_of(self.store, text("object_id", object_id))
            without = [object_id]
            return nearest(self.store, vector, wanted, where=where, without=without, exact=exact)
        edges = None if box is None else box_of(box)
        return nearest(self.store, self._embed(image, edges), wanted, where=where, exact=exact)

    def preview_categories(
        self, count: SupportsIndex | Literal["auto"] = "auto", *, seed: SupportsIndex = 0
    ) -> "ProposedCategories":
        """Categories that `edit_categories(count=count, again=True)` would make; nothing changes.

        The first call grows the merge tree of the objects, seconds for 10,000 of them; it is kept
        in memory, so that other numbers of categories are shown at once.

        Raises:
            InputError: if they cannot be made, saying why.
            StoreError: if the store is damaged.
        """
        from heap.categories.sorting import preview_categories

        wanted: int | Literal["auto"] = "auto"
        if count != "auto":
            wanted = whole_number("count", count)
        return preview_categories(self.store, wanted, seed=whole_number("seed", seed))

    def difference(
        self, other: "RunReader", *, on_progress: OnProgress = silent
    ) -> "RunDifference":
        """Difference between this run and another one of the same photos.

        Photos are matched by the content of their files, and objects by their masks; see
        `heap.store.difference`.

        Raises:
            StoreError: if a store is damaged.
        """
        from heap.store.difference import difference

        return difference(self.store, other.store, on_progress)

    def embed(self, key: str, boxes: Iterable[Any]) -> Float32[np.ndarray, "box dim"]:
        """Embeddings of boxes of an image of the run, by its model; boxes are as in `search`.

        Raises:
            InputError: if there is no such image, or the model is not where it was.
            ImageError: if the photo cannot be read again.
        """
        model, config = self.model(), self.discovered_with
        picture = self._picture_again(key)
        if picture is None:
            raise InputError(f"{self.store.run} has no image {key!r}")
        return np.asarray(model.embed([(picture, box_of(box)) for box in boxes], config))

    def _embed(
        self, image: Any, box: tuple[float, float, float, float] | None
    ) -> Float32[np.ndarray, " dim"]:
        from heap.model.embedding import whole_box

        picture, config = self._picture_of(image), self.discovered_with
        if box is None and len(objects := self.model()([picture], config)[0].objects):
            return np.asarray(objects.embeddings[0])
        return np.asarray(self.model().embed([(picture, box or whole_box(picture))], config)[0])

    def _picture_of(self, image: Any) -> "Picture":
        """Picture of an image that a program holds, or of one of the run by its key."""
        from heap.images.held import is_single, to_picture

        named = isinstance(image, str) and not os.path.lexists(image)
        if named and (picture := self._picture_again(image)) is not None:
            return picture
        if not is_single(image):
            raise InputError("search takes one image; ask for each of several by itself")
        return to_picture(image)

    def _picture_again(self, key: str) -> "Picture | None":
        """Picture of an image of the run, read again; None if there is no such image."""
        from heap.images import decode_bytes

        if not is_storable(key):
            return None
        table = self.store.table(schema.IMAGES)
        for row in read_rows(table, ["source", "digest"], f"key = {quote(key)}").to_pylist():
            photo = self.photos.read(key, row["source"], row["digest"])
            return decode_bytes(key, photo.data)
        return None


def _arguments(
    run: Path | str, photos: Path | str | None, urls: bool
) -> tuple[str, str | None, bool]:
    folder = folder_of(run)
    place = str(run) if folder is None else os.path.realpath(folder)
    return place, None if photos is None else os.path.realpath(photos), urls
