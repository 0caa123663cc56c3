"""`DaskJob.status`, as crds/daskjobs.yaml describes it. Times are RFC 3339 text, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from daskjob.api.constants import ConditionType, FailureClass, Outcome, Phase


@dataclass(frozen=True)
class Condition:
    type: str = ""
    status: str = "Unknown"
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None
    observed_generation: int | None = None


@dataclass(frozen=True)
class Attempt:
    number: int = 0
    name: str = ""
    #: The run that it belongs to.
    run: int = 1
    start_time: str | None = None
    completion_time: str | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    message: str | None = None
    failure_class: FailureClass | None = field(default=None, metadata={"json": "class"})


@dataclass(frozen=True)
class PrefixProgress:
    name: str = ""
    total: int = 0
    done: int = 0
    processing: int = 0
    erred: int = 0


@dataclass(frozen=True)
class Progress:
    total: int = 0
    done: int = 0
    processing: int = 0
    erred: int = 0
    percent: int = 0
    summary: str = ""
    #: When the operator last saw a count of tasks change.
    last_change: str | None = None
    prefixes: tuple[PrefixProgress, ...] = ()


@dataclass(frozen=True)
class WorkerCounts:
    wanted: int = 0
    ready: int = 0


@dataclass(frozen=True)
class ClusterStatus:
    name: str = ""
    workers: WorkerCounts = field(default_factory=WorkerCounts)
    summary: str = ""
    dashboard: str | None = None


@dataclass(frozen=True)
class Result:
    type: str = ""
    value: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Failure:
    reason: str = ""
    failure_class: FailureClass = field(default=FailureClass.APPLICATION, metadata={"json": "class"})
    exception_type: str | None = None
    message: str | None = None
    traceback: str | None = None
    task_key: str | None = None
    exit_code: int | None = None


@dataclass(frozen=True)
class Timings:
    """When the job reached each stage. It only tells: no decision rests on it (`Markers`)."""

    accepted: str | None = None
    created: str | None = None
    scheduler_started: str | None = None
    runner_started: str | None = None
    connected: str | None = None
    first_worker: str | None = None
    graph_started: str | None = None
    graph_finished: str | None = None
    finished: str | None = None
    cleaned_up: str | None = None


@dataclass(frozen=True)
class Markers:
    """What the operator remembers of the current attempt from one pass to the next, because decisions rest on it."""

    #: When the runner's container started. From then on a runner that is gone is lost: it is never made again.
    runner_started: str | None = None
    #: When the runner reached the scheduler.
    connected: str | None = None
    #: When that scheduler's container had started: a scheduler with another time is another one.
    scheduler_started: str | None = None
    #: When the graph started; `stallTimeoutSeconds` counts from then.
    graph_started: str | None = None
    #: When the operator first asked the runner to cancel its graph.
    cancel_requested: str | None = None


@dataclass(frozen=True)
class Retries:
    """Failed attempts of this run that were followed by another one, by what they counted as."""

    application: int = 0
    infrastructure: int = 0
    ignored: int = 0

    @property
    def total(self) -> int:
        return self.application + self.infrastructure + self.ignored


@dataclass(frozen=True)
class Run:
    """An earlier run."""

    run: int = 1
    start_time: str | None = None
    completion_time: str | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    message: str | None = None
    result: Result | None = None


@dataclass(frozen=True)
class DaskJobStatus:
    phase: Phase | None = None
    observed_generation: int | None = None
    run: int | None = None
    start_time: str | None = None
    completion_time: str | None = None
    summary: str | None = None
    conditions: tuple[Condition, ...] = ()
    attempt: int | None = None
    #: The last ten, of all runs.
    attempts: tuple[Attempt, ...] = ()
    retries: Retries | None = None
    next_attempt_time: str | None = None
    queue_position: int | None = None
    progress: Progress | None = None
    cluster: ClusterStatus | None = None
    result: Result | None = None
    failure: Failure | None = None
    timings: Timings = field(default_factory=Timings)
    markers: Markers | None = None
    #: Of the spec that this run is of.
    spec_digest: str | None = None
    #: The text of the annotation that was last acted upon.
    rerun: str | None = None
    #: The last five runs before this one, the latest first.
    history: tuple[Run, ...] = ()

    def condition(self, kind: ConditionType) -> Condition | None:
        return next((condition for condition in self.conditions if condition.type == kind), None)

    def is_true(self, kind: ConditionType) -> bool:
        condition = self.condition(kind)
        return condition is not None and condition.status == "True"

    @property
    def finished(self) -> bool:
        """Whether the job has ended for good."""
        return self.is_true(ConditionType.COMPLETE) or self.is_true(ConditionType.FAILED)

    @property
    def current(self) -> Attempt | None:
        """The attempt that runs or ran last."""
        return self.attempts[-1] if self.attempts else None

    @property
    def open(self) -> Attempt | None:
        """The attempt that runs; None between attempts, before the first and after the last."""
        current = self.current
        return current if current is not None and current.completion_time is None and not self.finished else None

    def without(self, *kinds: ConditionType) -> DaskJobStatus:
        """Without the conditions of these types."""
        return replace(self, conditions=tuple(each for each in self.conditions if each.type not in kinds))

    def with_condition(
        self, kind: ConditionType, status: bool, reason: str, message: str, now: str, generation: int | None
    ) -> DaskJobStatus:
        """With that condition set; its transition time changes only when its status does."""
        word = "True" if status else "False"
        before = self.condition(kind)
        since = before.last_transition_time if before is not None and before.status == word else now
        condition = Condition(kind, word, reason, message, since, generation)
        others = tuple(each for each in self.conditions if each.type != kind)
        order = {str(each): index for index, each in enumerate(ConditionType)}
        conditions = sorted((*others, condition), key=lambda each: order.get(each.type, len(order)))
        return replace(self, conditions=tuple(conditions))

    def with_attempt(self, attempt: Attempt) -> DaskJobStatus:
        """With the last attempt replaced by this one."""
        return replace(self, attempts=(*self.attempts[:-1], attempt))
