"""The job file: what to run and where, as the operator wrote it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, Optional

from daskjob import wire
from daskjob.runner.adaptive_size import COOLDOWN

JOB_FILE = "/opt/daskjob/job/job.json"


class InvalidJob(Exception):
    """The job file cannot be used; the text says which field and why."""


@dataclass(frozen=True)
class Job:
    """One attempt of one job. Times in seconds, sizes in bytes."""

    namespace: str
    name: str
    attempt: int
    report: str
    entrypoint: str
    args: list[Any]
    kwargs: dict[str, Any]
    keys: Optional[list[Any]]
    scheduler: str
    scheduler_timeout: float
    code_path: Optional[str]
    min_workers: int
    #: (minimum, maximum, seconds before workers are retired), or None for a cluster of fixed size.
    adaptive: Optional[tuple[int, int, float]]
    result_bytes: int


def read() -> Job:
    """The job of the file that DASKJOB_JOB_FILE names. Raises InvalidJob."""
    path = os.environ.get("DASKJOB_JOB_FILE", JOB_FILE)
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidJob(f"the job file {path}: {error}") from None
    return parse(data)


def parse(data: Any) -> Job:
    """The job of the parsed file. Raises InvalidJob naming the field."""
    protocol = _get(data, "protocol", int)
    if protocol != wire.PROTOCOL:
        raise InvalidJob(f"protocol: this runner speaks {wire.PROTOCOL}, not {protocol}")
    job = _get(data, "job", dict)
    graph = _get(data, "graph", dict)
    scheduler = _get(data, "scheduler", dict)
    limits = _get(data, "limits", dict, {})
    adaptive = _get(data, "adaptive", dict, None)
    return Job(
        namespace=_get(job, "namespace", str, "", "job."),
        name=_get(job, "name", str, "", "job."),
        attempt=_get(data, "attempt", int, 1),
        report=_get(data, "report", str, ""),
        entrypoint=_get(graph, "entrypoint", str, where="graph."),
        args=_get(graph, "args", list, [], "graph."),
        kwargs=_get(graph, "kwargs", dict, {}, "graph."),
        keys=_get(graph, "keys", list, None, "graph."),
        scheduler=_get(scheduler, "address", str, where="scheduler."),
        scheduler_timeout=float(_get(scheduler, "timeoutSeconds", (int, float), 600, "scheduler.")),
        code_path=_get(data, "codePath", str, None),
        min_workers=_get(data, "minWorkers", int, 1),
        adaptive=None if adaptive is None else _adaptive(adaptive),
        result_bytes=_get(limits, "resultBytes", int, wire.RESULT_BYTES, "limits."),
    )


def _adaptive(data: dict[str, Any]) -> tuple[int, int, float]:
    minimum = _get(data, "minimum", int, 0, "adaptive.")
    maximum = _get(data, "maximum", int, where="adaptive.")
    if not 0 <= minimum <= maximum:
        raise InvalidJob(f"adaptive: minimum {minimum} and maximum {maximum} leave no size")
    return minimum, maximum, float(_get(data, "cooldownSeconds", (int, float), COOLDOWN, "adaptive."))


_REQUIRED: Any = object()


def _get(data: Any, name: str, kind: Any, default: Any = _REQUIRED, where: str = "") -> Any:
    if not isinstance(data, dict):
        raise InvalidJob(f"{where or 'the job file'}: an object was expected, not {type(data).__name__}")
    value = data.get(name)
    if value is None:
        if default is _REQUIRED:
            raise InvalidJob(f"{where}{name}: missing")
        return default
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InvalidJob(f"{where}{name}: {json.dumps(value)[:80]} is not a {getattr(kind, '__name__', 'number')}")
    return value
