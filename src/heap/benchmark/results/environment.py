"""Software and machine of a measurement."""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that figures depend on."""
    names = ("heap", "numpy", "scipy", "torch", "transformers")
    return {"python": platform.python_version()} | {name: version(name) for name in names}


def machine_info() -> dict[str, Any]:
    """Cores that may be used, and the name of the processor."""
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return {"cores": allowed or 1, "processor": _processor()}


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
