"""The job file: what the runner is to run and where.

The operator and the local backend write it (`JobFile.dump`); the runner reads it (`read`, `parse`).
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

from daskjob.results.codec import RESULT_BYTES
from daskjob.wire.report import PROTOCOL
from daskjob.wire.runner_deadline import RunnerDeadline, parse_deadline
from daskjob.wire.worker_groups import COOLDOWN, AdaptiveBounds, GroupOrders

#: Where the runner finds the file, unless the variable names another path.
PATH = "/opt/daskjob/job/job.json"
VARIABLE = "DASKJOB_JOB_FILE"
#: The variable with the folder into which the runner records what becomes of the graph; absent: it does not.
RECORDING_VARIABLE = "DASKJOB_RECORDING"
#: The variable with the file into which the runner copies its log; absent: it does not.
LOG_VARIABLE = "DASKJOB_LOG_COPY"
#: The variable with the folder of the report's own Secret. Absent: it has none, or that of the result.
REPORT_SECRET_VARIABLE = "DASKJOB_REPORT_SECRET"
#: Seconds for which the runner goes on after its deadline: an operator that runs ends the attempt earlier.
UNATTENDED = 600.0
#: Seconds for which the runner waits, at the end of a graph, for tasks that nobody waits for (`fire_and_forget`).
FORGOTTEN = 600.0


class InvalidJob(Exception):
    """The job file cannot be used; the message names the field and the cause."""


@dataclass(frozen=True)
class StoreOrders:
    """Where the result goes instead of the report: a URL of fsspec, its options, and the form."""

    url: str
    options: Dict[str, Any] = field(default_factory=dict)
    #: One of `results.store.FORMATS`.
    form: str = "auto"

    def shape(self) -> Dict[str, Any]:
        """The JSON object in the file."""
        return {"url": self.url, "options": self.options, "format": self.form}


@dataclass(frozen=True)
class ReportOrders:
    """What of an attempt is kept beside its result, and where."""

    store: StoreOrders
    logs: bool = True
    html: bool = True
    trace: bool = True

    @property
    def records(self) -> bool:
        """Whether it takes more than logs."""
        return self.html or self.trace

    def shape(self) -> Dict[str, Any]:
        """The JSON object in the file."""
        return {"store": self.store.shape(), "logs": self.logs, "html": self.html, "trace": self.trace}


@dataclass(frozen=True)
class JobFile:
    """One attempt of one job. Times in seconds, sizes in bytes."""

    entrypoint: str
    #: Address of Dask's scheduler, and how long the runner tries to reach it and its workers.
    scheduler: str
    scheduler_timeout: float = 600.0
    namespace: str = ""
    name: str = ""
    uid: str = ""
    attempt: int = 1
    #: Name of the DaskJobReport.
    report: str = ""
    args: List[Any] = field(default_factory=list)
    kwargs: Dict[str, Any] = field(default_factory=dict)
    #: Keys to compute of a raw graph; None: the entry point is no raw graph.
    keys: Optional[List[Any]] = None
    #: Folder of the job's code; None: the code is in the image.
    code_path: Optional[str] = None
    #: The file with what the Python client pickled; None: the entry point says what to run.
    payload_path: Optional[str] = None
    #: The worker groups, the default one first.
    groups: Tuple[GroupOrders, ...] = (GroupOrders(),)
    #: The largest result that the runner writes into the report.
    result_bytes: int = RESULT_BYTES
    #: The deadline of the attempt when it began; None: there was none.
    deadline: Optional[RunnerDeadline] = None
    #: How long the runner goes on after it.
    unattended: float = UNATTENDED
    #: How long the runner waits for tasks that nobody waits for, before it throws them away.
    forgotten_seconds: float = FORGOTTEN
    #: Where the result goes; None: into the report.
    store: Optional[StoreOrders] = None
    #: What is kept of the attempt, whatever becomes of it; None: nothing.
    report_orders: Optional[ReportOrders] = None

    @property
    def module(self) -> str:
        """The module that the entry point names."""
        return self.entrypoint.partition(":")[0]

    @property
    def identity(self) -> Dict[str, Any]:
        """Which attempt of which job it is, for what is kept of it in a store."""
        return {"namespace": self.namespace, "name": self.name, "uid": self.uid, "attempt": self.attempt}

    @property
    def folder(self) -> List[str]:
        """The names that lead from a store's URL to the attempt's own folder."""
        return [self.namespace or "default", self.name or "job", self.uid or "uid", str(self.attempt)]

    def dump(self) -> str:
        """The text of the file."""
        return json.dumps(
            {
                "protocol": PROTOCOL,
                "job": {"namespace": self.namespace, "name": self.name, "uid": self.uid},
                "attempt": self.attempt,
                "report": self.report,
                "graph": {
                    "entrypoint": self.entrypoint,
                    "args": self.args,
                    "kwargs": self.kwargs,
                    "keys": self.keys,
                },
                "scheduler": {"address": self.scheduler, "timeoutSeconds": self.scheduler_timeout},
                "codePath": self.code_path,
                "payloadPath": self.payload_path,
                "groups": [each.shape() for each in self.groups],
                "limits": {"resultBytes": self.result_bytes},
                "deadline": self.deadline.shape() if self.deadline is not None else None,
                "unattendedSeconds": self.unattended,
                "forgottenSeconds": self.forgotten_seconds,
                "store": self.store.shape() if self.store is not None else None,
                "keep": self.report_orders.shape() if self.report_orders is not None else None,
            }
        )


def read() -> JobFile:
    """The job of the file that DASKJOB_JOB_FILE names. Raises InvalidJob."""
    path = os.environ.get(VARIABLE, PATH)
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidJob(f"the job file {path}: {error}") from None
    return parse(data)


def parse(data: Any) -> JobFile:
    """The job of the parsed file. Raises InvalidJob naming the field."""
    protocol = _get(data, "protocol", int)
    if protocol != PROTOCOL:
        raise InvalidJob(f"protocol: this runner speaks {PROTOCOL}, not {protocol}")
    job = _get(data, "job", dict)
    graph = _get(data, "graph", dict)
    scheduler = _get(data, "scheduler", dict)
    limits = _get(data, "limits", dict, {})
    default = {each.name: each.default for each in dataclasses.fields(JobFile)}
    return JobFile(
        entrypoint=_get(graph, "entrypoint", str, where="graph."),
        scheduler=_get(scheduler, "address", str, where="scheduler."),
        scheduler_timeout=float(
            _get(scheduler, "timeoutSeconds", (int, float), default["scheduler_timeout"], "scheduler.")
        ),
        namespace=_get(job, "namespace", str, default["namespace"], "job."),
        name=_get(job, "name", str, default["name"], "job."),
        uid=_get(job, "uid", str, default["uid"], "job."),
        attempt=_get(data, "attempt", int, default["attempt"]),
        report=_get(data, "report", str, default["report"]),
        args=_get(graph, "args", list, [], "graph."),
        kwargs=_get(graph, "kwargs", dict, {}, "graph."),
        keys=_get(graph, "keys", list, None, "graph."),
        code_path=_get(data, "codePath", str, None),
        payload_path=_get(data, "payloadPath", str, None),
        groups=tuple(map(_group, _get(data, "groups", list, []))) or (GroupOrders(),),
        result_bytes=_get(limits, "resultBytes", int, default["result_bytes"], "limits."),
        deadline=parse_deadline(data.get("deadline")),
        unattended=float(_get(data, "unattendedSeconds", (int, float), default["unattended"])),
        forgotten_seconds=float(_get(data, "forgottenSeconds", (int, float), default["forgotten_seconds"])),
        store=None if data.get("store") is None else _store(_get(data, "store", dict)),
        report_orders=None if data.get("keep") is None else _report(_get(data, "keep", dict)),
    )


def _report(data: Dict[str, Any]) -> ReportOrders:
    wanted = (data.get(name) is not False for name in ("logs", "html", "trace"))
    return ReportOrders(_store(_get(data, "store", dict, where="keep.")), *wanted)


def _store(data: Dict[str, Any]) -> StoreOrders:
    return StoreOrders(
        _get(data, "url", str, where="store."),
        _get(data, "options", dict, {}, "store."),
        _get(data, "format", str, "auto", "store."),
    )


def _group(data: Any) -> GroupOrders:
    adaptive = _get(data, "adaptive", dict, None, "groups.")
    resources = _get(data, "resources", dict, {}, "groups.")
    return GroupOrders(
        _get(data, "name", str, where="groups."),
        _get(data, "prefix", str, "", "groups."),
        _get(data, "minWorkers", int, 1, "groups."),
        None if adaptive is None else _bounds(adaptive),
        {name: float(_get(resources, name, (int, float), where="groups.resources.")) for name in resources},
        _get(data, "processes", int, 1, "groups."),
    )


def _bounds(data: Dict[str, Any]) -> AdaptiveBounds:
    minimum = _get(data, "minimum", int, 0, "adaptive.")
    maximum = _get(data, "maximum", int, where="adaptive.")
    if not 0 <= minimum <= maximum:
        raise InvalidJob(f"adaptive: minimum {minimum} and maximum {maximum} leave no size")
    return AdaptiveBounds(minimum, maximum, float(_get(data, "cooldownSeconds", (int, float), COOLDOWN, "adaptive.")))


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
