"""`python -m heap` is `heap`, which is this too: it starts with nothing but this file."""

import sys


def main() -> None:
    """Run the command line; Ctrl+C while it is being imported is one line too."""
    try:
        from heap.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("heap: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
