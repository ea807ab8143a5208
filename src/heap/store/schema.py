"""The tables of a run, column by column; `SCHEMA_VERSION` counts the changes to them.

Arrays that are only ever read whole are stored as bytes, C order and little endian: the label map
as uint16, all else as float32, so that what goes in comes out bit for bit. Object vectors are a
fixed-size list, the form that vector search needs.
"""

import pyarrow as pa

SCHEMA_VERSION = 6

CONFIG = "config"
IMAGES = "images"
OBJECTS = "objects"
CATEGORIES = "categories"
INDEX = "search_index"
FOLDERS = "folders"
HISTORY = "history"
MAP = "map"

CONFIG_SCHEMA = pa.schema(
    [
        pa.field("schema_version", pa.int64(), nullable=False),
        pa.field("heap_version", pa.string(), nullable=False),
        pa.field("config", pa.string(), nullable=False),  # the complete configuration, as JSON
        pa.field("model", pa.string()),  # since version 2: its name, folder or hub name
    ]
)
"""One row, written last when a run is made: a store without it is none."""

IMAGES_SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),  # done | empty | failed
        pa.field("checksum", pa.binary(), nullable=False),  # of the row and the image's objects
        pa.field("stage", pa.string()),  # failed only
        pa.field("reason", pa.string()),  # failed only
        # All that follows is null for a failed image, but for its source.
        pa.field("digest", pa.string()),  # of the image file
        pa.field("note", pa.string()),
        pa.field("width", pa.int64()),  # of the upright original, in pixels
        pa.field("height", pa.int64()),
        pa.field("objects", pa.int64()),  # rows of this image in the table of objects
        pa.field("grid_h", pa.int64()),
        pa.field("grid_w", pa.int64()),
        pa.field("saliency", pa.binary()),  # grid_h × grid_w
        pa.field("label_map", pa.binary()),  # grid_h × grid_w
        pa.field("region_embeddings", pa.binary()),  # region × dim
        pa.field("region_scores", pa.binary()),  # region
        pa.field("region_areas", pa.binary()),  # region
        pa.field("foreground", pa.list_(pa.float32())),  # dim
        pa.field("background", pa.list_(pa.float32())),  # dim
        pa.field("thumbnail", pa.binary()),  # JPEG, upright; may be empty
        # Since version 2.
        # Absolute path or URL; of a path that is not UTF-8 a file URL; of an image that was in
        # memory the path of its copy, from the folder of the run. Empty: cannot be read again.
        pa.field("source", pa.string()),
        # Since version 3.
        pa.field("stamp", pa.string()),  # size and times of the file; empty: not known
    ]
)
"""One row per image, written after its objects: the row says that the image is finished."""


def objects_schema(dim: int) -> pa.Schema:
    """One row per object; boxes are xyxy pixel edges in the upright original."""
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),  # key#index
            pa.field("key", pa.string(), nullable=False),  # of its image
            pa.field("index", pa.int64(), nullable=False),  # place in its image, from 0
            pa.field("x1", pa.float32(), nullable=False),
            pa.field("y1", pa.float32(), nullable=False),
            pa.field("x2", pa.float32(), nullable=False),
            pa.field("y2", pa.float32(), nullable=False),
            pa.field("score", pa.float32(), nullable=False),
            pa.field("region", pa.int64(), nullable=False),
            pa.field("mask_height", pa.int64(), nullable=False),
            pa.field("mask_width", pa.int64(), nullable=False),
            pa.field("mask_counts", pa.string(), nullable=False),  # COCO's compressed run lengths
            pa.field("vector", pa.list_(pa.float32(), dim), nullable=False),
            # Since version 2.
            pa.field("category", pa.int64()),  # null: not sorted yet; 0: of no category
            pa.field("similarity", pa.float32()),  # cosine with the prototype of its category
            pa.field("rejected", pa.bool_(), nullable=False),  # by a person: no object
            # Since version 4.
            pa.field("checksum", pa.int64()),  # of the row, see `heap.store.checked`
            # Since version 5.
            pa.field("reviewed", pa.bool_(), nullable=False),  # a person has decided about it
            # Since version 6.
            pa.field("drawn", pa.bool_(), nullable=False),  # its mask is by a person
            pa.field("outdated", pa.bool_(), nullable=False),  # its vector is of an earlier mask
        ]
    )


def categories_schema(dim: int) -> pa.Schema:
    """One row per category of objects, since version 2; made by `heap categories`."""
    return pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False),  # from 1; never used again
            pa.field("name", pa.string(), nullable=False),  # empty: nobody has named it
            pa.field("rejected", pa.bool_(), nullable=False),  # by a person: no objects
            pa.field("prototype", pa.list_(pa.float32(), dim), nullable=False),  # of length 1
            pa.field("least", pa.float32(), nullable=False),  # similarity of a new member
            pa.field("made_with", pa.string(), nullable=False),  # criterion and settings, as JSON
        ]
    )


INDEX_SCHEMA = pa.schema(
    [
        pa.field("objects", pa.int64(), nullable=False),  # that were not rejected at the time
        pa.field("probes", pa.int64(), nullable=False),  # parts of it that a search looks through
        pa.field("recall", pa.float64(), nullable=False),  # of the 20 nearest objects
        pa.field("queries", pa.int64(), nullable=False),  # objects that this was measured on
    ]
)
"""One row, written when the vectors of objects have an index and its recall is known.

Without it every object is looked at, as it is by earlier versions of this package, which know
neither table nor index; what they write is found with the index too.
"""

FOLDERS_SCHEMA = pa.schema([pa.field("folder", pa.binary(), nullable=False)])
"""One row for each folder that photos were read from, in the bytes of the file system.

Without it, as in runs of earlier versions, photos are read again only where the user says.
"""

HISTORY_SCHEMA = pa.schema(
    [
        pa.field("number", pa.int64(), nullable=False),  # from 1
        pa.field("time", pa.string(), nullable=False),  # UTC, ISO 8601
        pa.field("who", pa.string(), nullable=False),  # empty: not known
        pa.field("what", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),  # begun | done | undone
        pa.field("versions", pa.string(), nullable=False),  # of tables, as JSON; empty: at rest
        pa.field("before", pa.string(), nullable=False),  # rows that were changed, as JSON
        pa.field("after", pa.string(), nullable=False),
    ]
)
"""One row for each correction that a person has made; runs of earlier versions have no such table.
"""

MAP_SCHEMA = pa.schema(
    [
        pa.field("digest", pa.binary(), nullable=False),  # BLAKE2b of the vector, 8 bytes
        pa.field("x", pa.float32(), nullable=False),  # both in [0, 1], y downwards
        pa.field("y", pa.float32(), nullable=False),
    ]
)
"""One row for each embedding that has a place on the map of all objects; written when the map is
first asked for. What was embedded since gets its place from its neighbours.
"""
