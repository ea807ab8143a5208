"""Programs on two devices, which are processes on the CPU here."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def on_two(*command: object) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments as `accelerate launch` does on two devices.

    What a test defines can be imported there.
    """
    # `accelerate launch --cpu` starts one process whatever it is told: several are left to MPI.
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
              "--main_process_port", "0"]  # fmt: skip
    return subprocess.run(
        [sys.executable, *launch, *map(str, command)],
        env={**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1",
             "PYTHONPATH": str(HERE)},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
