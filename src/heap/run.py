"""A run: its results, its objects, its categories, and search among them."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from heap.base.errors import InputError
from heap.categories.listing import Category, categories
from heap.config import DiscoverConfig, from_dict
from heap.results import ImageResult
from heap.store import schema
from heap.store.columns import read_rows
from heap.store.condition import STORED, quote, read_condition
from heap.store.database import reading
from heap.store.photos import Photos
from heap.store.search import Hits, nearest, vector_of
from heap.store.store import RunStore

if TYPE_CHECKING:
    import pandas as pd

    from heap.images import Picture
    from heap.model.heap import Heap

Box = tuple[float, float, float, float]


class ObjectTable:
    """The objects of a run as a table, see `heap.store.schema`; read when it is asked for."""

    def __init__(self, store: RunStore) -> None:
        self._store = store

    def __len__(self) -> int:
        """Number of objects, rejected ones included."""
        table = self._store.find(schema.OBJECTS)
        return 0 if table is None else int(table.count_rows())

    def to_arrow(self, where: str | None = None) -> pa.Table:
        """All columns, masks as COCO's run lengths.

        `where` is a condition such as `score > 0.5 AND NOT rejected`, see
        `heap.store.condition`.

        Raises:
            InputError: if `where` is no such condition.
            StoreError: if the store is damaged.
        """
        condition = None if where is None else read_condition(where, STORED)
        table = self._store.find(schema.OBJECTS)
        if table is None:
            return schema.objects_schema(1).empty_table()
        with reading(self._store.run):
            return read_rows(table, table.schema.names, condition)

    def to_pandas(self, where: str | None = None) -> "pd.DataFrame":
        """The same for pandas, which must be installed."""
        return self.to_arrow(where).to_pandas()


class Run:
    """What `heap discover` has found in many images; `heap.open` makes one.

    It reads what is stored at the moment, also while another process writes there.
    """

    def __init__(
        self, run: Path | str, *, photos: Path | str | None = None, urls: bool = False
    ) -> None:
        self.store = RunStore.open(run)
        self.photos = Photos(self.store, None if photos is None else Path(photos), urls=urls)
        """Reads the photos of the run again."""
        self._model: Heap | None = None

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
        """The categories that `heap categories` has made, by number."""
        return categories(self.store)

    def results(self) -> Iterator[ImageResult]:
        """The result of each image, in the order of their keys."""
        return self.store.results()

    @property
    def discovered_with(self) -> DiscoverConfig:
        """How the objects were found.

        Raises:
            InputError: if an earlier version of this package found them, which compared them by
                something else.
        """
        made: dict[str, Any] = self.store.config.get("discover", {})
        if "crop" not in made:
            raise InputError(
                f"{self.store.run} was made by an earlier version; its objects cannot be compared "
                "with a new image: discover them again, into another folder"
            )
        return from_dict(DiscoverConfig, made)

    def model(self, name: str | None = None) -> "Heap":
        """The model that the run was made with, loaded once; `name` says where it is now.

        Raises:
            InputError: if it is another model, or not known where it is.
        """
        if self._model is None:
            from heap.model.heap import Heap

            place = name or self.store.model
            if not place:
                raise InputError(f"{self.store.run} does not say what model made it; name one")
            found = Heap.from_pretrained(place)
            if found.fingerprint != self.store.config["head"]:
                raise InputError(
                    f"{self.store.run} was made with another model than {place}; name the right one"
                )
            self._model = found
        return self._model

    def search(
        self,
        image: "Picture | Path | str | None" = None,
        *,
        box: Box | None = None,
        object_id: str | None = None,
        where: str | None = None,
        count: int = 20,
        exact: bool | None = None,
    ) -> Hits:
        """The objects most like one of the run, or like what an image shows in a box.

        `image` is any file or URL or, where there is no such file, the key of an image of the run.
        Without a `box` it is what the model finds the main object of the image, or all of the image
        if it finds none. `where` is a condition such as `score > 0.5 AND category = 3`, see
        `heap.store.condition`. Every object is looked at, unless there are very many and
        `exact` is not set; what is returned says so in `searched_with`, see
        `heap.store.search.nearest`.

        Raises:
            InputError: unless either an image or an object is given, and for images, boxes and
                conditions that cannot be used.
            ImageError: if the image cannot be decoded, or is of the run and cannot be read again.
        """
        if (image is None) == (object_id is None) or (box and image is None):
            raise InputError("search takes an image, and a box of it if wanted, or an object")
        if object_id is not None:
            vector = vector_of(self.store, object_id)
            without = [object_id]
            return nearest(self.store, vector, count, where=where, without=without, exact=exact)
        return nearest(self.store, self._embed(image, box), count, where=where, exact=exact)

    def _embed(
        self, image: "Picture | Path | str | None", box: Box | None
    ) -> Float32[np.ndarray, " dim"]:
        from heap.images import Picture
        from heap.model.embedding import whole_box

        picture = image if isinstance(image, Picture) else self._decode(str(image))
        config = self.discovered_with
        if box is None and len(found := self.model()([picture], config)[0].objects):
            return np.asarray(found.embeddings[0])
        return np.asarray(self.model().embed([(picture, box or whole_box(picture))], config)[0])

    def _decode(self, image: str) -> "Picture":
        """A file, what is at a URL, or an image of the run."""
        from heap.images import decode, decode_bytes, list_images

        if not os.path.lexists(image):
            table = self.store.table(schema.IMAGES)
            for row in read_rows(table, ["source", "digest"], f"key = {quote(image)}").to_pylist():
                photo = self.photos.read(image, row["source"], row["digest"])
                return decode_bytes(image, photo.data)
        source, *more = islice(list_images(image), 2)
        if more:
            raise InputError(f"{image!r} stands for several images; name one of them")
        return decode(source)
