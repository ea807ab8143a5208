"""`heap categories`, `heap search` and `heap inspect`: the view across the images of a run."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import cyclopts
from cyclopts import Parameter

from heap.base.errors import InputError
from heap.cli.app import err_console
from heap.cli.bars import Bars
from heap.cli.options import ANY_PHOTOS, PhotoOptions
from heap.cli.printing import AsJson, print_json, print_table
from heap.cli.reading import Seed

if TYPE_CHECKING:
    from heap.categories.inspection import Odd
    from heap.categories.listing import Category
    from heap.categories.sorting import ProposedCategories
    from heap.run import Run
    from heap.store.index import Index

_COLUMNS = ("category", "group", "name", "rejected", "objects", "coherence", "most typical")
_TYPICAL = 3
"""Members of a category that are named in a line."""
_DIGITS = 19
"""Digits of the numbers that are too long for the store, which has 64 bits."""


def categories(
    run: str,
    /,
    *,
    k: int | Literal["auto"] | None = None,
    again: bool = False,
    preview: Annotated[bool, Parameter(negative=())] = False,
    name: Annotated[list[str] | None, Parameter(negative=())] = None,
    merge: Annotated[list[str] | None, Parameter(negative=())] = None,
    reject: Annotated[list[int] | None, Parameter(negative=())] = None,
    restore: Annotated[list[int] | None, Parameter(negative=())] = None,
    undo: Annotated[bool, Parameter(negative=())] = False,
    redo: Annotated[bool, Parameter(negative=())] = False,
    history: Annotated[bool, Parameter(negative=())] = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Sort the objects of a run into categories, and name, merge or reject these.

    The first call makes the categories. Later calls give new objects a category and leave the
    others as they are, so numbers and names stay when images are added. What fits into no category
    is kept apart. The gallery of a run on this machine is written again after every change. One
    command does all that it asks for, or nothing if any of it cannot be done.

    Example: heap categories RUN --k 12, then heap categories RUN --name 3=dog --merge 4,7

    Args:
        run: Folder or URL of a run.
        k: How many categories to make, or auto: the largest number whose silhouette is nearly the
            best; where objects form no clear groups, as many as there are objects in each.
        again: Make the categories again; those that share their members with one of before keep
            its number and name.
        preview: Only show the categories that --again would make, with --k or without it, and what
            that would change.
        name: Name a category: 3=dog; 3= takes the name away.
        merge: Make one category of several: 4,7 makes 7 part of 4.
        reject: This category is no object; it is left out of exports.
        restore: It is one after all.
        undo: Take back the last correction, of whoever made it, instead; again for the one before.
        redo: Make again what was taken back last, instead.
        history: Only list the corrections: number, time, by whom, what, and what was taken back.
        seed: Of the clustering.
        as_json: Print the categories as JSON on standard output.
    """
    names, groups = _names(name or []), _groups(merge or [])
    corrections = [again, name, merge, reject, restore]
    if undo + redo + history + any([k, *corrections]) > 1:
        raise InputError("--undo, --redo and --history stand alone; give one of them at a time")
    if preview and (undo or redo or history or any(corrections)):
        raise InputError("--preview changes nothing; give only --k and --seed with it")
    from heap.run import Run

    if preview:
        _print_preview(Run(run).preview_categories(k or "auto", seed=seed), as_json=as_json)
        return
    if history:
        _print_history(Run(run), as_json=as_json)
        return
    if undo or redo:
        with Bars(err_console) as progress:
            travel = Run(run).undo if undo else Run(run).redo
            entry = travel(on_progress=progress)
        did = "taken back" if undo else "made again"
        err_console.print(f"{did}: {entry.what}")
        return
    with Bars(err_console) as progress:
        edited = Run(run).edit_categories(
            count=k,
            again=again,
            merge=groups,
            rename=names,
            reject=reject or (),
            restore=restore or (),
            seed=seed,
            on_progress=progress,
        )
    if as_json:
        listed = [_as_json(category) for category in edited.categories]
        print_json({"categories": listed, "apart": edited.apart})
        return
    print_table(_COLUMNS, map(_row, edited.categories))
    err_console.print(f"{edited.sorted} objects sorted, {edited.apart} in no category")
    if edited.gallery is not None:
        err_console.print(f"Open {edited.gallery}")


def _print_preview(proposed: "ProposedCategories", *, as_json: bool) -> None:
    if as_json:
        listed = [_as_json(category) for category in proposed.categories]
        told = {"apart": proposed.apart, "moved": proposed.moved, "lost": proposed.lost}
        print_json({"categories": listed} | told)
        return
    print_table(_COLUMNS, map(_row, proposed.categories))
    lost = f"; without a category are the names {', '.join(proposed.lost)}" if proposed.lost else ""
    err_console.print(
        f"{proposed.moved} objects would leave their category, {proposed.apart} be in none{lost}"
    )


def _print_history(run: "Run", *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(entry) for entry in run.history])
        return
    rows = (
        (str(entry.number), entry.time, entry.who, entry.what, "taken back" * entry.undone)
        for entry in run.history
    )
    print_table(("number", "time", "who", "what", ""), rows)


def search(
    run: str,
    /,
    *,
    image: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    box: str | None = None,
    object_id: Annotated[str | None, Parameter(name="--object", allow_leading_hyphen=True)] = None,
    where: str | None = None,
    count: Annotated[int, Parameter(validator=cyclopts.validators.Number(gte=1))] = 20,
    exact: Annotated[bool, Parameter(negative=())] = False,
    model: str | None = None,
    encoder: str | None = None,
    photos: PhotoOptions = ANY_PHOTOS,
    as_json: AsJson = False,
) -> None:
    """Find the objects of a run that are most like an object, or like what an image shows.

    Every object is compared, so nothing is missed; among very many an index is used, which is said
    with its recall. Without --box the main object of the image is looked for. Embeddings of boxes
    and objects are compared by cosine.

    Example: heap search RUN --object cat.jpg#0 --where "score > 0.5 and category = 3"

    Args:
        run: Folder or URL of a run.
        image: Look for what this image shows, any file or URL, or an image of the run by its name.
        box: Only for what is in this box: x1,y1,x2,y2 in pixels of the upright original.
        object_id: Look for what is like this object of the run: KEY#NUMBER.
        where: Only among objects for which this holds: score, category, similarity, key, id, index,
            x1, y1, x2 and y2 compared by =, !=, <, <=, >, >=, IN (...) and IS NULL, joined by AND,
            OR, NOT and brackets; text is written as 'text'.
        count: How many to show.
        exact: Compare every object, however many there are.
        model: Where the model of the run is now, if it was moved.
        encoder: Where the encoder of that model is now.
        photos: Where the photos of the run are read again.
        as_json: Print what was found as JSON on standard output.
    """
    corners = None if box is None else _box(box)
    from heap.run import Run

    collection = Run(run, photos=photos.photos, urls=photos.urls)
    if model or encoder:
        collection.model(model, encoder=encoder)
    hits = collection.search(
        image, box=corners, object_id=object_id, where=where, count=count, exact=exact or None
    )
    if hits.searched_with is not None:
        _say_recall(hits.searched_with)
    if hits.outdated:
        err_console.print(
            f"{hits.outdated} objects with corrected masks have no embedding of these yet; repeat "
            "heap discover with the same images",
        )
    if as_json:
        print_json([asdict(hit) for hit in hits])
        return
    titles = {category.id: category.title for category in collection.categories}
    rows = [
        (hit.id, f"{hit.similarity:.3f}", titles.get(hit.category or 0, ""), f"{hit.score:.2f}",
         " ".join(f"{edge:.0f}" for edge in hit.box))
        for hit in hits
    ]  # fmt: skip
    print_table(("object", "similarity", "category", "score", "box"), rows)


def _say_recall(index: "Index") -> None:
    from heap.store.recall import NEAREST

    err_console.print(
        f"searched with an index; recall@{NEAREST} {index.recall:.2f} on {index.queries} of its "
        "objects; --exact looks at all",
    )  # fmt: skip


def inspect(
    run: str,
    /,
    *,
    count: Annotated[int, Parameter(validator=cyclopts.validators.Number(gte=1))] = 10,
    as_json: AsJson = False,
) -> None:
    """Show what to look at in a run: copies, typical and unusual objects, empty and lost images.

    Near-duplicates are the same picture in another size, format or quality. The most typical
    objects have many like them; the most unusual ones are often mistakes.

    Example: heap inspect RUN --json > report.json

    Args:
        run: Folder or URL of a run.
        count: How many of each kind to show; as JSON all copies and empty images are in it.
        as_json: Print it as JSON on standard output.
    """
    from heap.categories.inspection import inspect as inspect_run
    from heap.store.store import RunStore

    seen = inspect_run(RunStore.open(run), count)
    if as_json:
        print_json(asdict(seen))
        return
    print_table(
        ("what", "likeness", "images or objects"),
        [
            *(("the same picture", "", ", ".join(group)) for group in seen.duplicates[:count]),
            *_odd("typical", seen.typical),
            *_odd("unusual", seen.unusual),
            *(("nothing found in", "", key) for key in seen.empty[:count]),
            *(("not where it was", "", key) for key in seen.gone[:count]),
        ],
    )
    err_console.print(
        f"pictures that are there more than once: {len(seen.duplicates)}; images without an "
        f"object: {len(seen.empty)}; images that are not where they were: {len(seen.gone)}"
    )


def _odd(name: str, objects: "Iterable[Odd]") -> list[tuple[str, str, str]]:
    return [(name, f"{odd.likeness:.2f}", odd.id) for odd in objects]


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        x1, y1, x2, y2 = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--box {text} cannot be used; give x1,y1,x2,y2 in pixels") from None
    return x1, y1, x2, y2


def _as_json(category: "Category") -> dict[str, Any]:
    return {
        "id": category.id, "group": category.group, "name": category.name,
        "rejected": category.rejected,
        "size": category.size, "coherence": round(category.coherence, 4),
        "typical": category.typical,
    }  # fmt: skip


def _row(category: "Category") -> tuple[str, ...]:
    return (
        str(category.id), str(category.group), category.name,
        "rejected" if category.rejected else "", str(category.size),
        f"{category.coherence:.2f}" if category.size else "",
        ", ".join(category.typical[:_TYPICAL]),
    )  # fmt: skip


def _names(options: list[str]) -> dict[int, str]:
    names: dict[int, str] = {}
    for text in options:
        number, sign, name = text.partition("=")
        if not sign or (category := _number(number)) is None:
            raise InputError(f"--name {text} cannot be used; give NUMBER=NAME, such as 3=dog")
        if category in names:
            raise InputError(f"--name {text} cannot be used: {category} has another name already")
        names[category] = name
    return names


def _groups(options: list[str]) -> list[list[int]]:
    groups: list[list[int]] = []
    for text in options:
        numbers = [_number(part) for part in text.split(",")]
        group = [number for number in numbers if number is not None]
        if len(group) < len(numbers):
            raise InputError(f"--merge {text} cannot be used; give numbers, such as 4,7")
        for other in groups:
            if twice := set(other) & set(group):
                whole = ",".join(map(str, dict.fromkeys([*other, *group])))
                raise InputError(
                    f"--merge {text} cannot be used: {min(twice)} is in another --merge too; "
                    f"give --merge {whole} for one category of all"
                )
        groups.append(group)
    return groups


def _number(text: str) -> int | None:
    """The number of a category; None if it cannot be one."""
    digits = text.strip()
    return int(digits) if digits.isdecimal() and len(digits) < _DIGITS else None
