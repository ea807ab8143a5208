"""Everything found in the images of one run, in one embedded database."""

import os

# LanceDB reads it once, when it is imported. Its warnings are of no use to our users: that a part
# of an index is empty, or that many objects are alike.
os.environ.setdefault("LANCEDB_LOG", "error")
