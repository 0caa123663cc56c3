"""A runner's report as a type: the status of a `DaskJobReport`, or the termination message of the runner's container.

User code may have written the JSON: `wire` drops what is malformed, and this module gives the rest a type. The operator
still trusts none of it: a claim counts once pods corroborate it. Source of the fields: crds/daskjobreports.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from daskjob import wire
from daskjob.api.constants import Outcome
from daskjob.api.live_status import Progress
from daskjob.api.long_texts import is_stand_in
from daskjob.api.resource_json import from_dict
from daskjob.api.status import Failure, Result
from daskjob.wire import Stage

#: The long texts of a report, and of a job's status, by the part that has them.
LONG: Mapping[str, tuple[str, ...]] = {"result": ("value", "types", "preview"), "failure": ("traceback",)}


@dataclass(frozen=True)
class ReportedGroup:
    """One of several worker groups."""

    #: name of the group.
    name: str = ""
    #: connected workers.
    connected: int | None = None
    #: wanted is the number that the load asks for; without adaptive scaling, 1 if tasks wait for a worker of the group,
    #: and none has connected.
    wanted: int | None = None


@dataclass(frozen=True)
class ReportedWorkers:
    """The workers as Dask's scheduler counts them."""

    #: connected workers.
    connected: int | None = None
    #: threads of all connected workers together.
    threads: int | None = None
    #: wanted is the number that the load asks for; only with adaptive scaling.
    wanted: int | None = None
    #: retired are the names of the pods whose workers the runner retired; nothing runs there any more, and the operator
    #: may delete them.
    retired: tuple[str, ...] = ()
    #: groups are the same by worker group; absent for a job without workerGroups, and then wanted is.
    groups: tuple[ReportedGroup, ...] = ()

    def of_group(self, key: str, alone: bool) -> ReportedGroup:
        """What is reported of the worker group with that key. `alone`: it is the job's only one."""
        if alone:
            return ReportedGroup(key, self.connected, self.wanted)
        return next((each for each in self.groups if each.name == key), ReportedGroup(key))


@dataclass(frozen=True)
class ReportedTimings:
    """When the runner reached each stage, by the clock in its pod; None while it has not."""

    #: runnerStarted is when the runner started.
    runner_started: datetime | None = None
    #: connected is when the runner reached the scheduler.
    connected: datetime | None = None
    #: firstWorker is when the first worker had connected to the scheduler.
    first_worker: datetime | None = None
    #: graphStarted is when the runner called the entrypoint, with minWorkers connected.
    graph_started: datetime | None = None
    #: graphFinished is when the graph had ended, well or not.
    graph_finished: datetime | None = None


@dataclass(frozen=True)
class ReportedWait:
    """What the graph waits for although all processes run."""

    #: reason is WorkersPaused, NoFreeThreads for tasks that wait for tasks, WorkersIdle for workers that wait for data,
    #: Importing for an import of user code that takes long, or FireAndForget once the graph has its value.
    reason: str | None = None
    #: message says what to change, or where user code is.
    message: str | None = None


@dataclass(frozen=True)
class ReportedFireAndForget:
    """The tasks that `fire_and_forget` asked for, when the runner waited for them no longer."""

    #: unfinished is how many were not finished.
    unfinished: int | None = None
    #: limitSeconds is for how many seconds the runner waits for such tasks at most.
    limit_seconds: int | None = None


@dataclass(frozen=True)
class ReportedSaving:
    """What became of what the job has kept of the attempt (spec.report)."""

    #: location is the URL of the folder that has it; absent: nothing was saved.
    location: str | None = None
    #: reason in one word why not.
    reason: str | None = None
    #: message says why not, or what is missing.
    message: str | None = None


@dataclass(frozen=True)
class RunnerReport:
    """What one runner wrote last. Absent fields are None."""

    #: protocol is the version of this format that the runner writes; now 1.
    protocol: int | None = None
    #: seq numbers the runner's messages and never goes back.
    seq: int | None = None
    #: heartbeatTime is when the runner last wrote.
    heartbeat_time: datetime | None = None
    #: stage that the runner has reached.
    stage: Stage | None = None
    #: progress counts Dask tasks, as the scheduler knows them so far.
    progress: Progress | None = None
    #: workers as the Dask scheduler counts them.
    workers: ReportedWorkers = field(default_factory=ReportedWorkers)
    #: waiting says what keeps the graph from going on although all processes run; empty: nothing.
    waiting: tuple[ReportedWait, ...] = ()
    #: timings has one time for each stage (RFC 3339, UTC); absent while not reached.
    timings: ReportedTimings = field(default_factory=ReportedTimings)
    #: result of the graph; without value when it could not be kept (see failure).
    result: Result | None = None
    #: failure says why the graph failed.
    failure: Failure | None = None
    #: outcome of the attempt, which seals the report.
    outcome: Outcome | None = None
    #: discarded is how many tasks were not finished when the graph was computed, and were thrown away.
    discarded: int | None = None
    #: fireAndForget says which of them the runner waited for, and how long at most; absent: none.
    fire_and_forget: ReportedFireAndForget = field(default_factory=ReportedFireAndForget)
    #: saved says where what is kept of the attempt is, or why it is not; absent: nothing was to be kept.
    saved: ReportedSaving = field(default_factory=ReportedSaving)
    #: Whether something had no room in the termination message; only a report from there has it.
    truncated: bool = False

    @property
    def sealed(self) -> bool:
        """Whether the report has an outcome: it is final then."""
        return self.outcome in (Outcome.SUCCEEDED, Outcome.FAILED)

    @property
    def computing(self) -> bool:
        """Whether the runner has begun with the graph."""
        return self.stage in (Stage.RUNNING, Stage.FINISHED)


def read_report(status: object) -> RunnerReport | None:
    """The status of a `DaskJobReport`, whatever it is; None if the runner has written nothing. Never raises.

    In what `lifecycle.keeping` kept of one, stand-ins of long texts stay: they were checked before.
    """
    return _typed(_with_stand_ins(wire.parse_report(status), status))


def read_termination_message(text: object) -> RunnerReport | None:
    """The outcome that a runner left in its container's termination message; None if there is none. Never raises."""
    return _typed(wire.parse_termination_message(text))


def _with_stand_ins(shape: dict[str, Any], status: object) -> dict[str, Any]:
    for part, fields in LONG.items():
        given = status.get(part) if isinstance(status, Mapping) and part in shape else None
        if isinstance(given, Mapping) and any(is_stand_in(given.get(each)) for each in fields):
            shape[part] = {**shape[part], **{each: given[each] for each in fields if each in given}}
    return shape


def _typed(shape: Mapping[str, Any]) -> RunnerReport | None:
    return from_dict(RunnerReport, shape) if shape else None
