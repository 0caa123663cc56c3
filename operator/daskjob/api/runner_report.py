"""What a runner reported, as a type: the status of a `DaskJobReport`, or the runner's termination message.

`wire` reads the JSON, which user code may have written, as hostile; this module gives the clean remainder a type, once.
Nothing in it is trusted: it is the runner's word. Source of the fields: crds/daskjobreports.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from daskjob import wire
from daskjob.api.codec import from_dict
from daskjob.api.constants import Outcome
from daskjob.api.status import Failure, Progress, Result
from daskjob.wire import Stage


@dataclass(frozen=True)
class ReportedWorkers:
    """The workers as Dask's scheduler counts them."""

    connected: int | None = None
    threads: int | None = None
    #: How many workers an adaptive cluster asks for; None for a cluster of fixed size.
    wanted: int | None = None
    #: Names of the Deployments whose workers the runner retired: nothing runs there any more.
    retired: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportedTimings:
    """When the runner reached each stage, by the clock in its pod; None while it has not."""

    runner_started: datetime | None = None
    connected: datetime | None = None
    first_worker: datetime | None = None
    graph_started: datetime | None = None
    graph_finished: datetime | None = None


@dataclass(frozen=True)
class RunnerReport:
    """The words of one runner. Absent fields are None; `truncated`: the result's value had no room."""

    protocol: int | None = None
    seq: int | None = None
    heartbeat_time: datetime | None = None
    stage: Stage | None = None
    progress: Progress | None = None
    workers: ReportedWorkers = field(default_factory=ReportedWorkers)
    timings: ReportedTimings = field(default_factory=ReportedTimings)
    result: Result | None = None
    failure: Failure | None = None
    outcome: Outcome | None = None
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
    """The status of a `DaskJobReport`, whatever it is; None if the runner has written nothing. Never raises."""
    return _typed(wire.parse_report(status))


def read_termination_message(text: object) -> RunnerReport | None:
    """The outcome that a runner left in its container's termination message; None if there is none. Never raises."""
    return _typed(wire.parse_termination_message(text))


def _typed(shape: Mapping[str, Any]) -> RunnerReport | None:
    return from_dict(RunnerReport, shape) if shape else None
