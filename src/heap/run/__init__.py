"""A run: what is asked of it, in `reading`, and corrections, maps and exports, in `Run`."""

import getpass
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, SupportsFloat, SupportsIndex

from heap.base.errors import BusyError, InputError
from heap.base.numbers import real_number, text, whole_number
from heap.base.progress import OnProgress, silent
from heap.categories.edit import EditedCategories, edit_categories
from heap.categories.listing import categories, count_apart
from heap.run.reading import RunReader
from heap.store.history import Entry
from heap.store.place import folder_of
from heap.store.store import RunStore

if TYPE_CHECKING:
    from heap.categories.drawing import EditedMasks
    from heap.categories.projection import ObjectMap
    from heap.export.command import Exported
    from heap.export.formats import FormatName, ImageMode
    from heap.store.editing import Editor

_SEEDS = 0, 2**32 - 1
"""Range of the seeds that all generators of random numbers take."""


class Run(RunReader):
    """Results of `heap discover` for many images; `heap.open` makes one.

    Everything is read as it is stored at the moment, also while another process writes there.
    """

    def edit_categories(
        self,
        *,
        count: SupportsIndex | Literal["auto"] | None = None,
        again: bool = False,
        merge: Iterable[Sequence[SupportsIndex]] = (),
        rename: Mapping[Any, str] | None = None,
        reject: Iterable[SupportsIndex] = (),
        restore: Iterable[SupportsIndex] = (),
        seed: SupportsIndex = 0,
        who: str | None = None,
        on_progress: OnProgress = silent,
    ) -> EditedCategories:
        """Sort the objects into categories, and correct these, as `heap categories` does.

        The first call makes the categories: `count` of them, or as many as fit best. Later calls
        give new objects a category; with `again` the categories are made anew, and those that share
        their members with an earlier one keep its number and name. Then every group in `merge`
        becomes one category, its first; categories get the names in `rename`, of which an empty one
        takes a name away; and those in `reject` are marked as no objects, those in `restore` as
        objects after all. All is done, or nothing if any of it cannot be done; the gallery of a run
        on this machine is written again after a change. The history says that it was `who`, by
        default the user of this process. Where a run can only be read, its categories are given as
        they are, if no change is asked for.

        Raises:
            InputError: if something of this cannot be done, saying why.
            BusyError: if another process is writing to the run.
            StoreError: if the store is damaged or cannot be written.
        """
        from heap.store.editing import Editor

        wanted = count if count in (None, "auto") else whole_number("count", count)
        groups = [_categories(group) for group in merge]
        names = {
            whole_number("a category", at): text("a name", name)
            for at, name in (rename or {}).items()
        }
        rejected, restored = _categories(reject), _categories(restore)
        corrected = bool(groups or names or rejected or restored)
        if (
            not (again or count is not None or corrected)
            and self._is_read_only()
            and (listed := self.categories)
        ):
            return EditedCategories(listed, count_apart(self.store), 0, None)
        with Editor(self.store.run) as editor:
            count_sorted = edit_categories(
                editor,
                count=wanted,
                again=again,
                seed=whole_number("seed", seed, *_SEEDS),
                merged=groups,
                names=names,
                rejected=rejected,
                restored=restored,
                who=_user() if who is None else who,
            )
            changed = count_sorted or corrected
            gallery = self._write_gallery(editor.store, on_progress) if changed else None
            listed, apart = categories(editor.store), count_apart(editor.store)
        return EditedCategories(listed, apart, count_sorted, gallery)

    def edit_masks(
        self,
        *,
        replace: Mapping[str, Any] | None = None,
        add: Mapping[str, Sequence[Any]] | None = None,
        split: Mapping[str, Any] | None = None,
        who: str | None = None,
        on_progress: OnProgress = silent,
    ) -> "EditedMasks":
        """Correct masks of objects, and add objects that were missed.

        Objects get the masks in `replace`, by their ids; images get more objects, by a list of
        masks for a key in `add`; and objects in `split` become several, by the masks of their
        parts, by "parts" where they are not connected, or by "regions". The first, or largest, part
        keeps the id. A mask is an array of the shape (height, width) of the upright original, an
        `Rle`, or COCO's size and counts. Boxes, regions and embeddings follow; where the model or
        the photo is not at hand, embeddings are `outdated`. All is done, or nothing if any of it
        cannot be done; the gallery is written again. See `heap.categories.drawing.edit_masks`.

        Raises:
            InputError: if something of this cannot be done, saying why.
            BusyError: if another process is writing to the run.
            StoreError: if the store is damaged or cannot be written.
        """
        from heap.categories.drawing import MaskEdits, edit_masks
        from heap.store.editing import Editor

        edits = MaskEdits(dict(replace or {}), dict(add or {}), dict(split or {}))
        with Editor(self.store.run) as editor:
            edited = edit_masks(editor, edits, self.embed, _user() if who is None else who)
            self._write_gallery(editor.store, on_progress)
        return edited

    def map(
        self,
        *,
        again: bool = False,
        keep: bool = True,
        seed: SupportsIndex = 0,
        on_progress: OnProgress = silent,
    ) -> "ObjectMap":
        """Map of all objects, on which alike ones lie beside each other, as t-SNE places them.

        It is computed once, which takes a minute or two for 50,000 objects on two cores, and kept
        with the run; objects that are new since get places among those most similar to them. With
        `again`, or as soon as a fifth of the objects is new, it is computed again. It is not kept
        where the run cannot be written now, nor without `keep`. A gallery shows the map that is
        kept, and is written again with it.

        Raises:
            InputError: if there are no objects, or no embeddings.
            StoreError: if the store is damaged or cannot be written.
        """
        from heap.categories.projection import draw_map

        drawn = draw_map(
            self.store, again=again, seed=whole_number("seed", seed, *_SEEDS),
            on_progress=on_progress,
        )  # fmt: skip
        if drawn.rows is not None and keep and not self._is_read_only():
            from heap.store.editing import Editor

            # What another process is writing may have other objects soon: the next call keeps it.
            with suppress(BusyError), Editor(self.store.run) as editor:
                editor.write_map(drawn.rows)
                self._write_gallery(editor.store, on_progress)
        return drawn.map

    def undo(self, *, on_progress: OnProgress = silent) -> Entry:
        """Take back the last correction that stands; the gallery is written again.

        Raises:
            InputError: if there is none.
            BusyError: if another process is writing to the run.
            StoreError: if the store is damaged or cannot be written.
        """
        return self._travel(lambda editor: editor.undo(), on_progress)

    def redo(self, *, on_progress: OnProgress = silent) -> Entry:
        """Make again the correction that was taken back last, until another one is made.

        Raises:
            InputError: if there is none.
            BusyError: if another process is writing to the run.
            StoreError: if the store is damaged or cannot be written.
        """
        return self._travel(lambda editor: editor.redo(), on_progress)

    def _travel(self, travel: "Callable[[Editor], Entry]", on_progress: OnProgress) -> Entry:
        from heap.store.editing import Editor

        with Editor(self.store.run) as editor:
            entry = travel(editor)
            self._write_gallery(editor.store, on_progress)
        return entry

    @staticmethod
    def _write_gallery(store: RunStore, on_progress: OnProgress) -> Path | None:
        """Write the gallery of a run on this machine again; returns its place."""
        from heap.view.gallery import GALLERY, write_gallery

        folder = folder_of(store.run)
        if folder is None:
            return None
        write_gallery(store, folder / GALLERY, on_progress)
        return folder / GALLERY

    def export(
        self,
        format: "FormatName",
        out: Path | str | None = None,
        *,
        categories: bool = False,
        min_score: SupportsFloat = 0.0,
        where: str | None = None,
        objects: Iterable[str] | None = None,
        split: str | None = None,
        seed: SupportsIndex = 0,
        crops: bool = False,
        images: "ImageMode | None" = None,
        on_progress: OnProgress = silent,
    ) -> "Exported":
        """Write the objects for other tools, to `out` or to `export-FORMAT` in the run.

        With `categories` these are the classes; otherwise there is one, `object`. Of a run with
        `where`, a condition such as `category = 3`, or `objects`, a list of ids, only these are
        written, with the images they are in, by default to `export-FORMAT-selection`. `split` has
        shares of the images by name, such as `train=0.8,val=0.2`; another `seed` gives other
        splits. With `crops` every object is cut out too. `images` brings the
        original images along as copies or links, or not; by default as the format needs them. They
        are read where `photos` and `urls` of `heap.open` say.

        Raises:
            InputError: as `heap.export.command.export` does.
            ConfigError: if there is no such format.
            StoreError: if the store is damaged.
        """
        from heap.export.command import Choices, export
        from heap.export.selection import Selection
        from heap.export.splits import Splits

        selection = Selection(
            None if where is None else text("where", where),
            None if objects is None else frozenset(_ids(objects)),
        )
        choices = Choices(
            categories=categories,
            min_score=real_number("min_score", min_score),
            selection=selection,
            splits=Splits()
            if split is None
            else Splits.parse(text("split", split), whole_number("seed", seed)),
            crops=crops,
            images=images,
            photos=self.photos.root,
            urls=self.photos.urls,
        )
        target = None if out is None else Path(out)
        return export(self.store.run, format, target, choices, on_progress)

    def _is_read_only(self) -> bool:
        """Whether it is on this machine, in a folder that this process may not write to."""
        folder = folder_of(self.store.run)
        return folder is not None and not os.access(folder, os.W_OK)


def _categories(numbers: Iterable[Any]) -> list[int]:
    try:
        return [whole_number("a category", number) for number in numbers]
    except TypeError:
        raise InputError(f"categories are {numbers!r}; give a list of their numbers") from None


def _ids(objects: Iterable[Any]) -> list[str]:
    # A text is a list of letters to Python.
    if isinstance(objects, str) or not isinstance(objects, Iterable):
        raise InputError(f"objects are {objects!r}; give a list of their ids")
    return [text("an object", id) for id in objects]


def _user() -> str:
    """Name of the user of this process; empty where the system has none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
