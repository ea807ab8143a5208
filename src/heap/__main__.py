"""`python -m heap` is `heap`, which is this too: it starts with nothing but this file."""

import gc
import sys

_ALLOCATIONS = 10_000
"""New objects after which garbage is looked for, instead of Python's 700. What imports make stays
to the end, and looking through it a thousand times took a sixth of the start."""


def main() -> None:
    """Run the command line; Ctrl+C while it is being imported is one line too."""
    gc.set_threshold(_ALLOCATIONS)
    try:
        from heap.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("heap: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
