"""Fit of several processes, one on each device, as `accelerate launch` and `torchrun` start them.

They share what is slow, the encoder's pass over the images. The head, of which a step takes
milliseconds, is trained by the first alone: so several devices give the very model that one gives.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from heap.base.device import count_processes

_LONGEST = timedelta(days=7)
"""Time that the others wait for the head at most; the default of torch is half an hour."""


@contextmanager
def waiting_for_each_other() -> Iterator[Callable[[], None]]:
    """Function that returns once all processes have called it; a process alone never waits."""
    if count_processes() == 1:
        yield lambda: None
        return
    from torch import distributed

    # A program that trains something of its own has them in touch already.
    ours = not distributed.is_initialized()
    if ours:
        # By gloo also where there are GPUs: nothing but the order of the processes is at stake, and
        # a barrier on a GPU keeps it busy.
        distributed.init_process_group("gloo", timeout=_LONGEST)
    try:
        yield distributed.barrier
    finally:
        if ours:
            distributed.destroy_process_group()
