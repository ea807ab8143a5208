"""Command line of the studies."""

import sys

from cyclopts import App

from benchmarks.common import main
from benchmarks.study import find_study, study_names

app = App(name="python -m benchmarks", help="Run a study; see benchmarks/README.md.")
# Each has slow imports of its own: those of all are needed only for the list.
for name in [name for name in study_names() if name in sys.argv[1:2]] or study_names():
    app.command(find_study(name).command(), name=name)

main(app)
