"""The application that the commands belong to, its consoles, and its handling of errors."""

import io
import logging
import signal
import sys
import traceback

import cyclopts
from cyclopts import App
from rich.console import Console

from heap.base.errors import HeapError
from heap.base.interrupt import stopping_signals

app = App(
    name="heap",
    help="Find the objects in unlabelled images. Start with `heap discover PHOTOS --out RUN`, then "
    "open RUN/gallery.html. `--debug` after any command shows where an error came from.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)
out_console = Console()
# A path that is cut in two at the width of a terminal cannot be copied or looked for.
err_console = Console(stderr=True, soft_wrap=True)


def main() -> None:
    """Run the command line; errors are one line and an exit code, with --debug a traceback."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    logging.basicConfig(level=logging.DEBUG if debug else logging.ERROR, stream=sys.stderr)
    # Pillow logs an error for every damaged image, which we report ourselves.
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    _show_all_characters()
    for number in stopping_signals():
        signal.signal(number, signal.default_int_handler)
    try:
        result = app(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.exit(result if isinstance(result, int) else 0)
    except (HeapError, cyclopts.CycloptsError) as error:
        if debug:
            traceback.print_exc()
        err_console.print(f"heap: {_in_a_line(error)}", markup=False, highlight=False)
        sys.exit(error.exit_code if isinstance(error, HeapError) else 2)
    except OSError as error:
        if debug:
            traceback.print_exc()
        hint = "check the space and permissions, then repeat the command: it goes on from here"
        reason = f"{_in_a_line(error)}; {hint}"
        err_console.print(f"heap: {reason}", markup=False, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        err_console.print("heap: interrupted; the same command goes on from here")
        sys.exit(130)


def _in_a_line(error: Exception) -> str:
    """Return the message as one line, although values in it may have line ends."""
    return " ".join(str(error).splitlines())


def _show_all_characters() -> None:
    """Escape characters that a stream's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
