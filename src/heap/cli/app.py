"""The application that the commands belong to, its consoles, and its handling of errors."""

import io
import logging
import os
import signal
import sys
import traceback
from typing import Any

import cyclopts
from cyclopts import App
from rich.console import Console

from heap.base.errors import HeapError
from heap.base.interrupt import stopping_signals


class _Console(Console):
    """Console that lets `main` decide what happens when nobody reads it any more."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


# Names and paths may hold what rich takes for markup, and one that is cut in two at the width of a
# terminal cannot be copied or looked for.
_PLAIN: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False, "soft_wrap": True}
out_console = _Console(**_PLAIN)
err_console = _Console(stderr=True, **_PLAIN)
app = App(
    name="heap",
    help="Find the objects in unlabelled images. Start with `heap discover PHOTOS --out RUN`, then "
    "open RUN/gallery.html. `--debug` after any command shows where an error came from. Exit codes "
    "are 0 done, 1 failed, 2 wrong input or options, 3 no run there or a damaged one, "
    "130 interrupted, 141 nobody read the output to its end.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
    console=_Console(),
)

_GOING_ON = ("discover", "fit", "pretrain", "evaluate", "tune")
"""Commands that go on where they were stopped."""
_UNREAD = 128 + 13
"""Exit code where nobody reads the output any more, as of programs that SIGPIPE ends."""


def main() -> None:
    """Run the command line; errors are one line and an exit code, with --debug a traceback."""
    _open_streams()
    arguments = [_expand_home(argument) for argument in sys.argv[1:] if argument != "--debug"]
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
        _flush_output()
        sys.exit(result if isinstance(result, int) else 0)
    except (HeapError, cyclopts.CycloptsError) as error:
        if debug:
            traceback.print_exc()
        err_console.print(f"heap: {_in_a_line(error)}")
        sys.exit(error.exit_code if isinstance(error, HeapError) else 2)
    except BrokenPipeError:
        _forget_output()
        sys.exit(_UNREAD)
    except OSError as error:
        if debug:
            traceback.print_exc()
        goes_on = ": it goes on from here" if arguments[:1] and arguments[0] in _GOING_ON else ""
        hint = f"check the space and permissions, then repeat the command{goes_on}"
        reason = f"{_in_a_line(error)}; {hint}"
        err_console.print(f"heap: {reason}")
        _forget_output()
        sys.exit(1)
    except KeyboardInterrupt:
        stored = arguments[:1] and arguments[0] in _GOING_ON
        hint = "; the same command goes on from here" if stored else ""
        err_console.print(f"heap: interrupted{hint}")
        sys.exit(130)


def _in_a_line(error: Exception) -> str:
    """Return the message as one line, although values in it may have line ends."""
    return " ".join(str(error).splitlines())


def _expand_home(argument: str) -> str:
    """Argument with the home folder in the place of ~, which not every shell puts into --out=~/x.

    What is there by this very name stays as it is.
    """
    option, sign, value = argument.partition("=")
    if option.startswith("--") and sign:
        return f"{option}={_expand_home(value)}"
    known = argument.startswith("~") and not os.path.lexists(argument)
    return os.path.expanduser(argument) if known else argument  # noqa: PTH111 - text, not a path


def _open_streams() -> None:
    """Write to nowhere in the place of a stream that was closed, and which Python has as None."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123


def _flush_output() -> None:
    """Write what is left of the output, while an error can still be told."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(f"standard output cannot be written ({error.strerror})") from error


def _forget_output() -> None:
    """Drop what could not be written: the interpreter would try again, and complain, at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())


def _show_all_characters() -> None:
    """Escape characters that a stream's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
