"""Program that decodes the image on standard input, see `heap.images.process`."""

import io
import sys

import numpy as np

from heap.images.decode import upright_rgb


def main() -> None:
    """Write the pixels, whether they lay on their side, and the note to standard output."""
    pixels, turned, note = upright_rgb(sys.stdin.buffer.read(), int(sys.argv[1]))
    archive = io.BytesIO()
    np.savez(archive, pixels=pixels, turned=turned, note=note or "")
    sys.stdout.buffer.write(archive.getvalue())


if __name__ == "__main__":
    main()
