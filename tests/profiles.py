"""ICC profiles for photos that tests make."""

from functools import cache

from PIL import ImageCms


@cache
def swapped_profile() -> bytes:
    """A profile by which red is shown green, and green red: sRGB's with two primaries exchanged.

    It has the time of its making in it, so it is made once.
    """
    whole = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    table = whole[128:].replace(b"rXYZ", b"?XYZ", 1).replace(b"gXYZ", b"rXYZ", 1)
    named = table.replace(b"?XYZ", b"gXYZ", 1).replace("sRGB".encode("utf-16-be"), b"\0w\0i\0d\0e")
    return whole[:128] + named
