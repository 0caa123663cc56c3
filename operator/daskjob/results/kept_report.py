"""The names of what is kept of an attempt, below the attempt's folder in the store."""

from __future__ import annotations

import re

#: The folder, and the list of what it has, which is written last.
FOLDER, MANIFEST = "report", "report.json"
TRACE, PERFORMANCE, METRICS = "trace.json.gz", "performance-report.html", "metrics.json"
LOGS = "logs/"
RUNNER_LOG, SCHEDULER_LOG = f"{LOGS}runner.log", f"{LOGS}scheduler.log"
_WORKER = f"{LOGS}worker-"


def worker_log(name: str) -> str:
    """The log of the worker with that name."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "-", name)[:100].lstrip(".")
    return f"{_WORKER}{plain or '-'}.log"


def is_log_of(component: str, path: str) -> bool:
    """Whether a file is the log of a runner, scheduler or worker."""
    if component == "worker":
        return path.startswith(_WORKER)
    return path == f"{LOGS}{component}.log"
