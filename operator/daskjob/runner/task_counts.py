"""Task counts that only grow, from snapshots of the scheduler."""

from __future__ import annotations

from typing import Any

from daskjob.wire.report import MAX_PREFIXES


class Progress:
    """Evens out what snapshots say: recomputed tasks count once, a restarted scheduler state starts no new count."""

    def __init__(self) -> None:
        self._seen: dict[str, _Prefix] = {}

    def take(self, prefixes: dict[str, list[int]]) -> dict[str, Any]:
        """The report's `progress` from a snapshot's `prefixes`: counts of all, and by prefix, the largest only."""
        for name in {**self._seen, **prefixes}:
            self._seen.setdefault(name, _Prefix()).take(prefixes.get(name, [0] * 6))
        rows: list[dict[str, Any]] = [{"name": name, **prefix.counts()} for name, prefix in self._seen.items()]
        rows = [row for row in rows if row["total"]]
        largest = sorted(rows, key=lambda row: -row["total"])[:MAX_PREFIXES]
        shown = [row for row in rows if row in largest]
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
            # `Client.restart` forgets the past; we do not. What was pending then will not be done any more.
            self.base = [self.base[0] + self.raw[0], self.done, self.base[2] + self.raw[2]]
        self.raw = [total, done, erred]
        self.processing, self.pending = processing, pending
        # Without what was computed again after a worker was lost.
        at_most = total - pending - processing - erred_now
        self.done = max(self.done, self.base[1] + max(0, min(done, at_most)))

    def counts(self) -> dict[str, int]:
        total = max(self.base[0] + self.raw[0], self.done)
        processing = min(self.processing, total - self.done)
        erred = min(self.base[2] + self.raw[2], total - self.done - processing)
        return {"total": total, "done": self.done, "processing": processing, "erred": erred}
