"""Bodies of requests and answers; boxes are xyxy, pixel edges in the upright original."""

from typing import Annotated, Literal

from pydantic import Base64Bytes, BaseModel, Field

from heap.categories.listing import Category
from heap.store.condition import LENGTH
from heap.store.difference import PhotoDifference
from heap.store.search import Hit
from heap.view.contents import ObjectPlaces

Box = tuple[float, float, float, float]
_MOST = 10_000
"""Most categories or objects of one correction, so that none holds up all others."""

_MOST_EXPORTED = 100_000
"""Most objects of an export that are named one by one."""
_MOST_MASKS = 64
"""Most masks of one correction."""
_Side = Annotated[int, Field(ge=1)]
_MOST_RUNS = 1_000_000
"""Most run lengths of a mask."""


class CategoryAnswer(BaseModel):
    """A category."""

    id: int
    name: str
    """Empty if nobody has given one."""
    title: str
    """The name, or the text that stands for it."""
    rejected: bool
    group: int
    """Number of the group of similar categories that it is in."""
    size: int
    coherence: float | None
    """Mean cosine of the members with the prototype; null without members."""
    typical: list[str]
    """Objects nearest to the prototype, nearest first."""

    @classmethod
    def from_category(cls, category: Category) -> "CategoryAnswer":
        """Return the answer for a category."""
        return cls(
            id=category.id,
            name=category.name,
            title=category.title,
            rejected=category.rejected,
            group=category.group,
            size=category.size,
            coherence=category.coherence if category.size else None,
            typical=list(category.typical),
        )


class PreviewAnswer(BaseModel):
    """Categories as they would be if they were made again."""

    categories: list[CategoryAnswer]
    """By number; one that continues a category of now has its number and name."""
    apart: int
    """Objects that would fit into no category."""
    moved: int
    """Objects that would leave the category that they are in now."""
    lost: list[str]
    """Names that no category would have any more."""


class ObjectAnswer(BaseModel):
    """An object."""

    id: str
    key: str
    """Name of its image."""
    box: Box
    score: float
    category: int | None
    """0: of no category; null: not sorted yet."""
    similarity: float | None
    """Cosine with what was looked for."""

    @classmethod
    def from_hit(cls, hit: Hit) -> "ObjectAnswer":
        """Return the answer for an object that a search has found."""
        return cls(
            id=hit.id, key=hit.key, box=hit.box, score=hit.score, category=hit.category,
            similarity=hit.similarity,
        )  # fmt: skip


class ShapeAnswer(BaseModel):
    """An object as it is drawn."""

    path: str
    """SVG path of its outline on the canvas, to be filled by the even-odd rule."""
    object: ObjectAnswer


class Discovered(BaseModel):
    """Objects that the model finds in an image that is not of the run."""

    width: int
    height: int
    canvas: tuple[int, int]
    shapes: list[ShapeAnswer]
    photo: Base64Bytes
    """The image, upright, no side over 1600 pixels, as JPEG: browsers do not show every format."""
    regions: Base64Bytes
    """The region map in colours, as PNG."""
    nearest: list[list[ObjectAnswer]]
    """Objects of the run that are most like each shape, in the order of the shapes."""


class StateAnswer(BaseModel):
    """State of what is computed in the background; all else is empty until it is done."""

    state: Literal["none", "running", "done", "failed"]
    """`none`: nothing was begun."""
    done: int = 0
    total: int = 0
    """Steps in all; 0: not known."""
    reason: str = ""
    """Reason why it failed."""


class ExportAnswer(StateAnswer):
    """State of an export, and its contents when it is done."""

    number: int = 0
    """Exports that were begun so far: another one has another number."""
    format: str = ""
    folder: str = ""
    images: int = 0
    objects: int = 0
    classes: list[str] = []
    crops: int = 0
    unread: int = 0
    """Images that could not be read again."""
    reader: str = ""
    """Advice on reading it, in a line."""


class MapAnswer(StateAnswer, ObjectPlaces):
    """Map of all objects."""


class InspectionAnswer(StateAnswer):
    """Images and objects that stand out."""

    copies: list[list[str]] = []
    """Keys of images of the same content, or nearly, in groups."""
    unusual: list[str] = []
    """Objects that are least like any other, most unusual first."""


class RunCard(BaseModel):
    """A run among several; its own interface is below `/runs/NAME/`."""

    name: str
    images: int = 0
    """Images that were worked on to the end."""
    objects: int = 0
    failed: int = 0
    model: str = ""
    encoder: str = ""
    changed: str | None = None
    """Time of the last write, UTC, in ISO 8601; null: not known."""
    thumbnails: list[str] = []
    """Names of a few images that have objects."""
    reason: str = ""
    """Reason why it cannot be opened; empty if it can."""


class SeenAnswer(BaseModel):
    """An object of one of two runs."""

    index: int
    """Place among the objects of its image, rejected ones included."""
    box: Box
    iou: float | None
    """Intersection over union with the same object of the other run; null: only this one has it."""


class PhotoDifferenceAnswer(BaseModel):
    """A photo of two runs."""

    keys: tuple[str, str]
    """Its name in each of them."""
    width: int
    height: int
    change: float
    """Number of objects that only one has, and the sum of 1 - IoU of those of both."""
    objects: tuple[list[SeenAnswer], list[SeenAnswer]]
    """Those of each run."""

    @classmethod
    def from_photo(cls, photo: PhotoDifference) -> "PhotoDifferenceAnswer":
        """Return the answer for a photo."""
        first, second = (
            [SeenAnswer(index=seen.index, box=seen.box, iou=seen.iou) for seen in side]
            for side in photo.objects
        )
        return cls(
            keys=photo.keys, width=photo.width, height=photo.height, change=photo.change,
            objects=(first, second),
        )  # fmt: skip


class DifferenceAnswer(StateAnswer):
    """Difference between two runs of the same photos."""

    both: int = 0
    """Objects of both, in the photos of both."""
    only: tuple[int, int] = (0, 0)
    """Objects that only the first, and only the second has."""
    alone: tuple[list[str], list[str]] = ([], [])
    """Photos that only the first, and only the second has."""
    photos: list[PhotoDifferenceAnswer] = []
    """Photos of both, most changed first."""


class EntryAnswer(BaseModel):
    """A correction of the run."""

    number: int
    time: str
    """UTC, in ISO 8601."""
    who: str
    what: str
    undone: bool
    """Whether it was taken back."""


class Corrected(BaseModel):
    """The run after a correction."""

    version: str
    what: str
    """What was done, or taken back, in words."""
    categories: list[CategoryAnswer]


class Redrawn(Corrected):
    """The run after a correction of masks."""

    ids: list[str]
    """Objects whose masks are others now, and those that are new."""
    outdated: int
    """Those of them whose embedding could not be made again."""
    reason: str
    """Reason why not."""


class Shapes(BaseModel):
    """Masks of an image, as COCO's plain run lengths: outside, inside and so on, by columns."""

    size: tuple[int, int]
    """Height and width; no side is over 1600 pixels."""
    masks: list[list[int]]
    """Those of the objects, best first, rejected ones included."""
    regions: list[list[int]]
    """Connected pieces of the regions of the image."""


class PlainMask(BaseModel):
    """A mask as COCO's plain run lengths."""

    size: tuple[_Side, _Side]
    """Height and width, as `Shapes` has them."""
    counts: list[int] = Field(max_length=_MOST_RUNS)


class Correction(BaseModel):
    """A change that somebody makes."""

    version: str | None = None
    """Version of the run that was seen: if somebody else has changed it since, the correction is
    refused with status 409. Null: it is made in any case."""
    who: str = Field(default="", max_length=60)
    """Name of the person, for the history."""


class Travel(Correction):
    """How far to go back in the history, or forth again."""

    steps: int = Field(default=1, ge=1, le=_MOST)
    """Number of corrections."""


class NewName(Correction):
    """A name for a category."""

    name: str
    """Empty: takes the name away."""


class CategoryRejection(Correction):
    """Whether the members of some categories are no objects."""

    ids: list[int] = Field(max_length=_MOST)
    rejected: bool


class ObjectRejection(Correction):
    """Whether some objects are none."""

    ids: list[str] = Field(max_length=_MOST)
    rejected: bool


class Review(Correction):
    """Decision about some objects, which count as reviewed from then on."""

    ids: list[str] = Field(max_length=_MOST)
    rejected: bool = False
    """Whether they are no objects."""
    category: int | None = None
    """Category that they get; null: they stay in theirs, unless there is a `name`."""
    name: str = ""
    """Name of a new category that is made of them."""


class Move(Correction):
    """Another category for some objects."""

    ids: list[str] = Field(max_length=_MOST)
    category: int | None = None
    """0: they get no category; null: a new category is made of them."""
    name: str = ""
    """Name of the new category; empty: it has none yet."""


class MaskCorrection(Correction):
    """Masks of objects of an image."""

    key: str
    """Name of the image."""
    replaced: dict[str, PlainMask] = Field(default={}, max_length=_MOST_MASKS)
    """Masks by the ids of the objects that get them."""
    added: list[PlainMask] = Field(default=[], max_length=_MOST_MASKS)
    """Objects that were missed."""
    split: dict[str, list[PlainMask]] = Field(default={}, max_length=_MOST_MASKS)
    """Masks of the parts of objects, by the ids of these; the first part keeps the id."""


class Merging(Correction):
    """Categories that become one: the first."""

    ids: list[int] = Field(max_length=_MOST)


class Sorting(Correction):
    """Options of sorting objects into categories."""

    count: int | Literal["auto"] | None = None
    """Categories to make; null: only new objects are sorted, or as many are made as fit best."""
    again: bool = False
    """Make them anew; those that share their members with an earlier one keep number and name."""


class ExportRequest(BaseModel):
    """Choices of an export."""

    format: str
    categories: bool = False
    """Categories are the classes."""
    where: str | None = Field(default=None, max_length=LENGTH)
    """A condition, such as `category = 3`: only objects that fit it, and their images."""
    ids: list[str] | None = Field(default=None, max_length=_MOST_EXPORTED)
    """Only these objects, and their images."""
    images: Literal["copy", "none"] | None = None
    """Whether the photos are in it; null: as the format is used."""
    min_score: float = Field(default=0.0, ge=0, le=1)
    split: str = ""
    """Such as train=0.8,val=0.2."""
    crops: bool = False
