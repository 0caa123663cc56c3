"""Task counts that only grow, from snapshots of the scheduler."""

from __future__ import annotations

from typing import Any

from daskjob.wire.report import MAX_PREFIXES


class Progress:
    """Corrects the counts of snapshots: a recomputed task counts once, and the counts go on after `Client.restart`."""

    def __init__(self) -> None:
        self._prefixes: dict[str, _Prefix] = {}

    def take(self, prefixes: dict[str, list[int]]) -> dict[str, Any]:
        """The report's `progress` from a snapshot's `prefixes`: sums over all, and counts of the largest prefixes."""
        for name in {**self._prefixes, **prefixes}:
            self._prefixes.setdefault(name, _Prefix()).take(prefixes.get(name, [0] * 6))
        rows: list[dict[str, Any]] = [{"name": name, **prefix.counts()} for name, prefix in self._prefixes.items()]
        rows = [row for row in rows if row["total"]]
        named = [row for row in rows if row["name"]]
        largest = {row["name"] for row in sorted(named, key=lambda row: -row["total"])[:MAX_PREFIXES]}
        shown = [row for row in rows if row["name"] in largest]
        sums = {name: sum(row[name] for row in rows) for name in ("total", "done", "processing", "erred")}
        return {**sums, "prefixes": shown}


class _Prefix:
    def __init__(self) -> None:
        self.base = [0, 0, 0]
        self.raw = [0, 0, 0]
        self.done = 0
        self.processing = 0
        self.pending = 0

    def take(self, row: list[int]) -> None:
        total, done, processing, pending, erred, erred_now = row
        if total < self.raw[0]:
            # `Client.restart` reset Dask's counts: add the new ones to the old ones, without the tasks that were
            # pending.
            self.base = [self.base[0] + self.raw[0], self.done, self.base[2] + self.raw[2]]
        self.raw = [total, done, erred]
        self.processing, self.pending = processing, pending
        # Dask counts a task again that it recomputes after the loss of a worker: more than this cannot be done.
        at_most = total - pending - processing - erred_now
        self.done = max(self.done, self.base[1] + max(0, min(done, at_most)))

    def counts(self) -> dict[str, int]:
        total = max(self.base[0] + self.raw[0], self.done)
        processing = min(self.processing, total - self.done)
        erred = min(self.base[2] + self.raw[2], total - self.done - processing)
        return {"total": total, "done": self.done, "processing": processing, "erred": erred}
