"""An hour and a half of what people and accidents do: kills, fuzzing, and many clients at once."""

from pathlib import Path
from typing import Any, Literal

from benchmarks.common import RUNS, images_in
from benchmarks.report import Row, about_encoder, digest
from benchmarks.soak.clients import about_clients, soak_server
from benchmarks.soak.fuzzing import about_fuzzing, fuzz
from benchmarks.soak.kills import PHOTOS, about_kills, kill, sorted_run
from benchmarks.soak.rows import Rows
from benchmarks.study import Measured, Study
from heap.model.heap import Heap

MODEL = "embedded-small"
GROWTH = 0.15
"""Share by which the memory of a server may grow from the second fifth of the time to the last."""
KILLED_BADLY = ("failed", "other_results", "files_left")
Part = Literal["kills", "fuzz", "clients"]
PARTS: tuple[Part, ...] = ("kills", "fuzz", "clients")


def bench(
    *,
    kills: int = 50,
    minutes: float = 60.0,
    clients: int = 50,
    serve_minutes: float = 5.0,
    parts: list[Part] | None = None,
    work: Path = RUNS / "bench_soak",
    seed: int = 0,
) -> Measured | None:
    """Kill, fuzz and crowd; goes on where it was stopped, and writes the result at the end.

    Args:
        kills: How often each of `discover`, `fit`, `categories --merge` and `export` is killed.
        minutes: Of fuzzing, shared by images, texts, stores, the HTTP interface and the command
            line.
        clients: Of one `heap serve`, all at once.
        serve_minutes: How long they go on.
        parts: Only these; the result is written when all of them are done.
        work: Folder of everything that is made on the way; delete it to begin anew.
        seed: Of all that is drawn.
    """
    rows = {part: Rows(work / f"{part}.jsonl") for part in PARTS}
    for part in parts or PARTS:
        if part == "kills":
            kill(kills, work, rows[part], seed)
        elif part == "fuzz":
            fuzz(minutes, rows[part], work / "temporary-fuzz", seed)
        elif not rows[part].all:
            run = sorted_run(work, MODEL, PHOTOS, 5)
            for row in soak_server(run, work, clients, serve_minutes, seed):
                rows[part].add(row)
    if not all(part.all for part in rows.values()):
        return None
    photos = images_in(PHOTOS)
    return Measured(
        data={
            "set": "pieces of the demo photos, files made by the fuzzers",
            "images": len(photos),
            "sha256": digest(photos),
        },
        encoder=about_encoder(Heap.from_pretrained(MODEL)),
        rows=[row for part in rows.values() for row in part.all],
    )


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Work and findings of each part."""
    of = {part: [row for row in rows if row["part"] == part] for part in PARTS}
    killed, fuzzed = about_kills(of["kills"]), about_fuzzing(of["fuzz"])
    crowd = about_clients(of["clients"])
    return {
        "kills": killed,
        "fuzz": fuzzed,
        "clients": crowd,
        "passed": not any(counts[name] for counts in killed.values() for name in KILLED_BADLY)
        and not any(counts["failed"] for counts in fuzzed.values())
        and not any(row["left"] for row in of["fuzz"])
        and not (crowd["unexpected"] or crowd["lost"] or crowd["files_left"])
        and crowd["ended_well"]
        and crowd["growth"] < GROWTH,
    }


STUDY = Study("soak-v1", bench, summarise)
