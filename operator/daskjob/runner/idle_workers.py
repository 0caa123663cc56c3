"""Workers that have tasks and execute none: Dask itself waits for ever for data that a worker cannot read, for one."""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping, Sequence

#: Seconds for which nothing is executed before the workers' logs are read, and until they are read again.
GRACE = 20.0
#: Characters of a line of a log that a message has room for.
MOST_WORDS = 300
#: How Dask's lines begin: `2026-01-01 12:00:00,000 - distributed.worker - ERROR - `.
_HEAD = re.compile(r"^\S+ \S+ - \S+ - [A-Z]+ - ")


class IdleWorkers:
    """Judges snapshots of the scheduler (`snapshot.counts`), and the logs of the workers."""

    def __init__(self) -> None:
        self._since = 0.0
        self._asked = 0.0
        #: How many tasks were done while the workers were idle; -1: they were not.
        self._done = -1
        #: What to say of idle workers; empty: there are none.
        self.words = ""

    def wants_logs(self, now: float, snapshot: Mapping[str, Any]) -> bool:
        """Whether to give `judge` the workers' logs now. `now`: monotonic seconds."""
        workers = snapshot["workers"].values()
        processing = sum(row[2] for row in snapshot["prefixes"].values())
        idle = bool(workers) and processing > 0 and not any(row[3] or row[4] for row in workers)
        done = sum(row[1] for row in snapshot["prefixes"].values()) if idle else -1
        if not idle or done != self._done:
            self._done, self._since, self._asked, self.words = done, now, now, ""
            return False
        return now - self._asked >= GRACE

    def judge(self, now: float, logs: Mapping[str, Iterable[Sequence[str]]]) -> None:
        """`logs`: of each worker, level and line, the newest first, by its address."""
        self._asked = now
        errors = [(text, worker) for worker, lines in logs.items() for level, text in lines if level == "ERROR"]
        # The lines begin with their time.
        text, worker = max(errors, default=("", ""))
        last = f"; the last error in a worker's log, of {worker}: {_HEAD.sub('', text)[:MOST_WORDS]}" if text else ""
        seconds = now - self._since
        self.words = f"the workers have tasks, and have executed none for {seconds:.0f} s: they wait for data{last}"
