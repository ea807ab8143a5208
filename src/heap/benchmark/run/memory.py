"""Peak of the memory of this process from a moment on."""

import sys
from pathlib import Path

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def forget_peak() -> None:
    """Measure from now on; only Linux can, elsewhere the peak is that of the whole process."""
    if sys.platform == "linux":
        try:
            _CLEAR.write_text("5")
        except OSError:  # Some containers forbid it.
            return


def peak_mb() -> float:
    """Peak of the resident memory, in megabytes of 1,000,000 bytes."""
    if sys.platform == "linux":
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    import resource

    # macOS reports bytes, other systems kilobytes.
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 1e6 if sys.platform == "darwin" else used * 1024 / 1e6
