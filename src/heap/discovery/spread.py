"""Work that is spread over a cluster: what comes back is stored, by this process alone."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from heap.base.interrupt import Interruptible
from heap.base.progress import OnProgress
from heap.discovery.cluster import Tools, spread
from heap.discovery.listed import is_news, note_places
from heap.discovery.outcome import News, Outcome
from heap.discovery.portions import Ending, Listed, Matches, Portion
from heap.images.failures import Failure
from heap.store.photos import note_folders
from heap.store.records import Finished
from heap.store.store import RunStore

_FRAGMENT = 2048
"""Records that are stored together: few large files are quick to search and to add to."""
_EVERY_S = 30.0
"""Seconds after which what has come is stored in any case: the most that a kill of this process
costs."""
_LOST = "the process that worked on it ended each time; it may need more memory than it had"


@dataclass
class Spread:
    """Call of `discover` on a cluster, as far as it has come."""

    store: RunStore
    out: Path | str
    stop: Interruptible
    on_progress: OnProgress

    def __post_init__(self) -> None:
        self._failed_before = set(self.store.failures())
        self._failed: set[str] = set()
        """Keys of images of this call that have failed; those of earlier ones are tried again."""
        self._waiting: list[Finished | Failure] = []
        self._stored_at = time.monotonic()
        self._listed = self._done = self._worked = self._moved = self._returned = 0
        self._total: int | None = None
        self._changed: list[str] = []

    def work_on(self, listed: Listed, tools: Tools, *, prune: bool) -> Outcome:
        """Store what comes back; if a stop is requested, what has come is stored first.

        Images that have not come back, for their workers were lost again and again, are tried once
        more, each by itself; one that ends its worker then, too, has failed.
        """
        ending = self._work_through(listed, tools)
        if self._missing(ending):
            alone = replace(listed, stored=self.store.stored(), alone=True)
            if self._missing(self._work_through(alone, tools)):
                self._give_up(alone)
        note_places(self.store, self.out, {}, ending.gone if prune else [])
        usable = self._listed - len(self._failed)
        changed, gone = tuple(self._changed), tuple(ending.gone)
        news = News(changed, self._moved, gone, prune, dict(ending.skipped))
        return Outcome(self._worked, usable, news)

    def _work_through(self, listed: Listed, tools: Tools) -> Ending:
        self._listed = self._done = self._returned = 0
        ending = Ending()
        try:
            for item in spread(listed, tools):
                if isinstance(item, Matches):
                    self._note(item)
                elif isinstance(item, Ending):
                    ending, self._total = item, self._listed
                else:
                    self._returned += 1
                    self._take(item)
                self.on_progress("objects", self._done, self._total)
                self.stop.check()
        finally:
            self._flush()
        return ending

    def _note(self, matches: Matches) -> None:
        self._listed += matches.listed
        self._done += matches.listed - matches.left
        self._moved += len(matches.places)
        self._changed += [key for key in matches.changed if key not in self._changed]
        note_places(self.store, self.out, matches.places, [])

    def _take(self, records: Sequence[Finished | Failure]) -> None:
        self._done += len(records)
        self._waiting += records
        late = time.monotonic() - self._stored_at > _EVERY_S
        if late or len(self._waiting) >= _FRAGMENT:
            self._flush()

    def _flush(self) -> None:
        fresh = [record for record in self._waiting if is_news(record, self._failed_before)]
        self._failed |= {record.key for record in self._waiting if isinstance(record, Failure)}
        self._waiting = []
        note_folders(self.store, (record.source for record in fresh if record.source))
        self.store.add(fresh)
        self._worked += len(fresh)
        self._stored_at = time.monotonic()

    def _missing(self, ending: Ending) -> bool:
        return self._returned < ending.portions

    def _give_up(self, listed: Listed) -> None:
        """Note those that are missing still as failed."""
        for part in replace(listed, stored=self.store.stored()).parts():
            if isinstance(part, Portion):
                self._waiting += part.failures("worker", _LOST)
        self._flush()
