"""`heap discover --engine ray` over very many images, killed again and again: is anything lost?

The victim is the driver, a worker, or a node of the cluster: all of its processes, after which
another node comes. After the driver the same command goes on. Photos are hard links to small ones
and the model is a stub, so that what is measured is everything around the model. The study goes on
where it was itself stopped.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import heap
from benchmarks.cluster_processes import VICTIMS, Driver, Machines, stored_images
from benchmarks.common import DATA, RUNS, Data, images_in, in_one_thread, run_heap
from benchmarks.links import link_photos
from benchmarks.report import Row, about_encoder, digest
from benchmarks.soak.rows import Rows
from benchmarks.stub_model import SETTINGS, make_stub
from benchmarks.study import Measured, Study
from heap.base.errors import InputError
from heap.model.heap import Heap
from heap.store import schema
from heap.store.columns import decode_texts, read_rows
from heap.store.index import find_index, make_index
from heap.store.store import RunStore

LATEST = 0.95
"""Share of the images after which no kill is aimed at: the command could end before it."""
PAUSE_S = 30.0
"""Most seconds between the images that a kill is aimed at and the kill, drawn by chance."""
COMPARED = 1000
"""First images of the listing that are discovered on one machine, too, and compared."""
QUERIES = 20
"""Objects that are searched for, by the index and by comparing all."""
_FITTED_ON = 24


def bench(
    *,
    data: Data = DATA,
    images: int = 100_000,
    kills: int = 10,
    workers: int = 2,
    categories: int = 50,
    work: Path = RUNS / "bench_cluster_kill",
    seed: int = 0,
) -> Measured:
    """Discover, killed at random moments, then open, search and sort what is there.

    Args:
        data: Folder with `pretrain/duts-tr`, whose photos are linked.
        images: Number of links.
        kills: Number of kills; their moments and victims are drawn.
        workers: Number of nodes, each of which has one worker.
        categories: Number of categories that are made in the end.
        work: Folder of links, model and run; delete it to begin anew.
        seed: Seed of moments and victims.
    """
    # Workers get real paths, and where a photo lies is part of what is compared.
    work = work.resolve()
    originals = images_in(data / "pretrain" / "duts-tr")
    photos = link_photos(originals, images, work / "photos")
    model = make_stub(work, originals[:_FITTED_ON])
    rows = Rows(work / "rows.jsonl")
    if not any(row["part"] == "start" and row["ended"] == "whole" for row in rows.all):
        with Machines(workers) as machines:
            plan = draw_kills(kills, images, seed)
            _discover(machines, photos, work / "run", model, workers, plan, rows)
    if not any(row["part"] == "check" for row in rows.all):
        rows.add({"part": "check", **_check(work, photos, model, images)})
    if not any(row["part"] == "use" for row in rows.all):
        rows.add({"part": "use", **_use(work / "run", categories)})
    used = originals[: min(len(originals), images)]
    about = {"set": "links to pretrain/duts-tr", "images": images, "sha256": digest(used)}
    return Measured(about, about_encoder(Heap.from_pretrained(model)), rows.all)


def draw_kills(kills: int, images: int, seed: int) -> list[tuple[float, float, str]]:
    """Draw kills: after how many stored images, how many seconds later, and which process."""
    draw = np.random.default_rng(seed)
    places = np.sort(draw.uniform(0, LATEST * images, kills))
    pauses = draw.uniform(0, PAUSE_S, kills)
    # All victims about equally often.
    victims = draw.permutation(np.resize(VICTIMS, kills))
    return list(zip(places.tolist(), pauses.tolist(), victims.tolist(), strict=True))


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Was all of it there in the end, what did an image cost, and did memory grow?"""
    kills, starts = ([row for row in rows if row["part"] == part] for part in ("kill", "start"))
    (check,) = [row for row in rows if row["part"] == "check"]
    (use,) = [row for row in rows if row["part"] == "use"]
    new = sum(row["stored_after"] - row["stored_before"] for row in starts)
    processor = {
        role: 1000 * sum(row["cpu_seconds"].get(role, 0.0) for row in starts) / max(new, 1)
        for role in ("driver", "worker", "ray")
    }
    last = starts[-1]["memory"]
    return {
        "kills": {victim: sum(row["victim"] == victim for row in kills) for victim in VICTIMS},
        "starts": len(starts),
        "hours": sum(row["seconds"] for row in starts) / 3600,
        "cpu_ms_per_image": processor,
        "memory_of_the_last_start": [last[0], last[-1]] if last else [],
        **{name: check[name] for name in ("images", "duplicates", "orphans", "unreadable")},
        "compared": check["compared"],
        "different": check["different"],
        "recall": use["recall"],
        "categories": use["categories"],
        "passed": check["images"] == check["listed"]
        and not any(
            check[name] for name in ("duplicates", "orphans", "unreadable", "failed", "different")
        )
        and check["compared"] > 0,
    }


def _discover(
    machines: Machines,
    photos: Path,
    run: Path,
    model: Path,
    workers: int,
    plan: Sequence[tuple[float, float, str]],
    rows: Rows,
) -> None:
    """Start the driver until it has ended well, and kill what the plan says on the way."""
    while True:
        done = sum(row["part"] == "kill" for row in rows.all)
        before = stored_images(run)
        with Driver(machines, photos, run, model, SETTINGS, workers) as driver:
            for place, pause, victim in plan[done:]:
                if not driver.wait_for(place) or not driver.wait(pause):
                    break
                stored = stored_images(run)
                if not driver.kill(victim):
                    break
                rows.add({
                    "part": "kill", "victim": victim, "aimed_at": place, "stored": stored,
                })  # fmt: skip
                if victim == "driver":
                    break
            ended = driver.end()
        rows.add({
            "part": "start", "ended": ended, "stored_before": before,
            "stored_after": stored_images(run), "seconds": driver.seconds,
            "cpu_seconds": driver.cpu_seconds, "memory": driver.memory,
        })  # fmt: skip
        if ended == "whole":
            return
        last = [row.get("ended", "killed") for row in rows.all[-2:]]
        if len(last) == 2 and "killed" not in last:
            raise InputError(f"two starts failed one after the other, the last one so: {ended}")


def _check(work: Path, photos: Path, model: Path, listed: int) -> Row:
    """Compare what is stored with what was listed, and with what one machine finds."""
    store = RunStore.open(work / "run")
    keys = decode_texts(read_rows(store.table(schema.IMAGES), ["key"])["key"])
    objects = read_rows(store.table(schema.OBJECTS), ["id", "key"])
    ids = decode_texts(objects["id"])
    # With one thread, as a worker has: sums over several end with other last digits.
    with in_one_thread():
        alone = heap.discover(photos, work / "alone", model=model, config=SETTINGS, limit=COMPARED)
    theirs = {record.key: record for record in RunStore.open(alone.place).records()}
    readable = different = compared = 0
    for record in store.records():
        readable += 1
        if record.key in theirs:
            compared += 1
            different += record != theirs[record.key]
    counts = store.counts()
    return {
        "listed": listed,
        "images": len(set(keys)),
        "objects": len(ids),
        "failed": counts.failed,
        "duplicates": len(keys) - len(set(keys)) + len(ids) - len(set(ids)),
        "orphans": len(set(decode_texts(objects["key"])) - set(keys)),
        "unreadable": len(keys) - counts.failed - readable,
        "compared": compared,
        "different": different,
    }


def _use(folder: Path, categories: int) -> Row:
    """Open the run, search it with the index, and make categories.

    The index is made here if there are too few objects for `heap discover` to make one.
    """
    began = time.process_time()
    run = heap.open(folder)
    opened = time.process_time() - began
    if find_index(run.store.database) is None:
        make_index(run.store.database, run.store.table(schema.OBJECTS))
    ids = decode_texts(read_rows(run.store.table(schema.OBJECTS), ["id"])["id"])
    asked = np.random.default_rng(0).choice(ids, QUERIES, replace=False).tolist()
    recalls, seconds = [], {"exact": 0.0, "index": 0.0}
    for id in asked:
        hits = {}
        for name, exact in (("exact", True), ("index", False)):
            began = time.process_time()
            hits[name] = run.search(object_id=id, exact=exact)
            seconds[name] += time.process_time() - began
        if hits["index"].searched_with is None:
            raise InputError(f"{folder} was searched without its index")
        least = hits["exact"][-1].similarity
        recalls.append(np.mean([hit.similarity >= least - 1e-6 for hit in hits["index"]]))
    # Again, for a study that was stopped here may have made them before.
    done = run_heap("categories", folder, "--k", str(categories), "--again", "--json")
    return {
        "open_cpu_seconds": opened,
        "search_cpu_seconds": {name: total / QUERIES for name, total in seconds.items()},
        "recall": float(np.mean(recalls)),
        "categories": len(json.loads(done.output)["categories"]),
        "categories_cpu_seconds": done.cpu_seconds,
        "categories_mb": done.peak_mb,
    }


STUDY = Study("cluster-kill-v1", bench, summarise)
