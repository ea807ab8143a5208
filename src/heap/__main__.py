"""`python -m heap` is `heap`."""

from heap.cli import main

main()
