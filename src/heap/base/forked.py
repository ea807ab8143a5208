"""Computing in a process that was forked from one that had computed already."""

import os

_first = _owner = os.getpid()


def compute_after_fork() -> None:
    """Let libraries compute in one thread, in a process that was forked since this was imported.

    Threads of OpenMP do not survive a fork, and whoever waits for them waits for ever. PyTorch's
    own workers of a DataLoader compute in one thread for the same reason.
    """
    global _owner
    if os.getpid() == _owner:
        return
    _owner = os.getpid()
    # Imported here: only a forked process needs them, and has torch already.
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    # There are several copies of OpenMP: torch's, scikit-learn's, and those of BLAS.
    threadpool_limits(1)


def usable_threads() -> int:
    """Number of threads that a library may be told to compute in: one in a forked process."""
    return 1 if os.getpid() != _first else len(os.sched_getaffinity(0))
