"""`DaskJob.status`, as crds/daskjobs.yaml describes it. Times are RFC 3339 text, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from daskjob.api.constants import ConditionType, FailureClass, Outcome, Phase, ResultFormat
from daskjob.api.live_status import ClusterStatus, Progress


@dataclass(frozen=True)
class Condition:
    """A condition of a job or cron job, as Kubernetes has them."""

    #: type of the condition.
    type: str = ""
    #: status: True, False or Unknown.
    status: str = "Unknown"
    #: reason in one word.
    reason: str = ""
    #: message says what happened and what to do, in a sentence.
    message: str = ""
    #: lastTransitionTime is when status last changed.
    last_transition_time: str | None = None
    #: observedGeneration is the metadata.generation that the condition is about.
    observed_generation: int | None = None


@dataclass(frozen=True)
class FormerName:
    """A name that an attempt had before another one was drawn."""

    #: name of the attempt then, and of its DaskCluster.
    name: str = ""
    #: tokenDigest of that name.
    token_digest: str | None = None
    #: clusterUID is the UID that the DaskCluster of that name had.
    cluster_uid: str | None = field(default=None, metadata={"json": "clusterUID"})


@dataclass(frozen=True)
class AttemptReport:
    """What is kept of an attempt (spec.report)."""

    #: location is the URL of the folder that has it, with a report.json; absent: nothing was saved.
    location: str | None = None
    #: message says what is missing of it, and why.
    message: str | None = None


@dataclass(frozen=True)
class Attempt:
    """One try of a run."""

    #: number of the attempt; the first is 1.
    number: int = 0
    #: name of the attempt, its DaskCluster and its DaskJobReport.
    name: str = ""
    #: run is the number of the run that it belongs to. Absent, it is the first.
    run: int = 1
    #: startTime is when the operator recorded the attempt, before it created anything.
    start_time: str | None = None
    #: completionTime is when the operator recorded the attempt's outcome.
    completion_time: str | None = None
    #: outcome, absent while it runs; Superseded: the spec was edited meanwhile.
    outcome: Outcome | None = None
    #: reason of a failure in one word.
    reason: str | None = None
    #: message of a failure, or why it has another name than its first.
    message: str | None = None
    #: class of a failure, see failure.class.
    failure_class: FailureClass | None = field(default=None, metadata={"json": "class"})
    #: draw counts the names that the operator drew for it: another one if an object of somebody else has a name that it
    #: needs, or if the operator was restarted while it created the first objects. Absent, it is the first.
    draw: int = 1
    #: formerNames are its last other names, the latest last: what is created late for one of them is deleted.
    former_names: tuple[FormerName, ...] = ()
    #: tokenDigest tells which objects of that name the operator created: a SHA-256, in hexadecimal, that follows from
    #: their annotation daskjob.io/token.
    token_digest: str | None = None
    #: commit of spec.graph.source.git that its pods have: found by the run's first attempt, the same for all.
    commit: str | None = None
    #: sourceDigest is like tokenDigest, for the pod that finds the commit.
    source_digest: str | None = None
    #: clusterUID is the UID of its DaskCluster.
    cluster_uid: str | None = field(default=None, metadata={"json": "clusterUID"})
    #: runnerUID is the UID of its runner's pod.
    runner_uid: str | None = field(default=None, metadata={"json": "runnerUID"})
    #: report is what is kept of it, and where, once that is known (spec.report).
    report: AttemptReport | None = None


@dataclass(frozen=True)
class Result:
    """The record of a result (docs/results.md)."""

    #: type is the Python type, e.g. int or numpy.ndarray:<f8.
    type: str = ""
    #: value as JSON text. At most 262144 bytes; more is a failure ResultTooLarge and never cut.
    value: str | None = None
    #: types are the Python types that JSON cannot express, by JSON pointer into value ("" is all of it). Empty when
    #: value is plain JSON.
    types: Mapping[str, str] = field(default_factory=dict)
    #: size in bytes of value, or of all files in the store.
    size: int | None = None
    #: sha256 of value, or of the store's manifest.json, in hexadecimal.
    sha256: str | None = None
    #: python is the version of Python that pickled the result; absent if it is no pickle. Only the same minor version
    #: opens it.
    python: str | None = None
    #: format of a result that is in a store.
    format: ResultFormat | None = None
    #: location is the URL of the folder that has the result, with a manifest.json; absent when value has it.
    location: str | None = None
    #: preview of a result in a store, as JSON text: the first 20 rows of a table, shape, dtype and chunks of an array,
    #: a short JSON value itself.
    preview: str | None = None


@dataclass(frozen=True)
class Failure:
    """Why a job or an attempt failed."""

    #: reason in one word, e.g. TaskFailed, ModuleNotFound, ImagePullFailed.
    reason: str = ""
    #: class: Application is for the job's author to mend, Infrastructure for a retry or the cluster's operator.
    failure_class: FailureClass = field(default=FailureClass.APPLICATION, metadata={"json": "class"})
    #: exceptionType is the Python exception's type, e.g. ValueError.
    exception_type: str | None = None
    #: exceptionArgs are what the exception's type takes to be made anew, as JSON (a list). Absent when they are not
    #: plain.
    exception_args: str | None = None
    #: message says what happened and what to change.
    message: str | None = None
    #: traceback is the tail of the Python traceback.
    traceback: str | None = None
    #: taskKey is the key of the Dask task that failed.
    task_key: str | None = None
    #: exitCode of the process that ended.
    exit_code: int | None = None


@dataclass(frozen=True)
class Timings:
    """When the job reached each stage. It only tells: no decision rests on it (`Markers`)."""

    #: accepted is when the operator queued the run or recorded its first attempt.
    accepted: str | None = None
    #: created is when the operator first observed the attempt's DaskCluster.
    created: str | None = None
    #: schedulerStarted is when the scheduler's container started.
    scheduler_started: str | None = None
    #: runnerStarted is when the runner started.
    runner_started: str | None = None
    #: connected is when the runner reached the scheduler.
    connected: str | None = None
    #: firstWorker is when the first worker had connected to the scheduler.
    first_worker: str | None = None
    #: graphStarted is when the runner called the entrypoint, with minWorkers connected.
    graph_started: str | None = None
    #: graphFinished is when the graph had ended, well or not.
    graph_finished: str | None = None
    #: finished is when the operator recorded the outcome.
    finished: str | None = None
    #: cleanedUp is when the operator observed that nothing was left but ended runner pods and reports.
    cleaned_up: str | None = None


@dataclass(frozen=True)
class Markers:
    """What the operator remembers of the current attempt from one pass to the next, because decisions rest on it."""

    #: runnerStarted is when the runner's container started; one that vanishes later is lost.
    runner_started: str | None = None
    #: connected is when the runner reached the scheduler.
    connected: str | None = None
    #: schedulerStarted is when that scheduler's container started; with another time it is another scheduler.
    scheduler_started: str | None = None
    #: graphStarted is when the graph started; spec.stallTimeoutSeconds counts from then.
    graph_started: str | None = None
    #: cancelRequested is when the operator first asked the runner to cancel its graph.
    cancel_requested: str | None = None
    #: overdue is the reason of the deadline for which it did so; the runner saves the report first (spec.report).
    overdue: str | None = None
    #: overdueMessage is the message of that failure.
    overdue_message: str | None = None


@dataclass(frozen=True)
class Retries:
    """Failed attempts of this run that were followed by another one, by what they counted as."""

    #: application counts those that backoffLimit limits.
    application: int = 0
    #: infrastructure counts those that infrastructureRetries limits.
    infrastructure: int = 0
    #: ignored counts those that a rule of failurePolicy ignored.
    ignored: int = 0

    @property
    def total(self) -> int:
        return self.application + self.infrastructure + self.ignored


@dataclass(frozen=True)
class Run:
    """An earlier run."""

    #: run is the number of the run.
    run: int = 1
    #: startTime of the run.
    start_time: str | None = None
    #: completionTime of the run.
    completion_time: str | None = None
    #: outcome, absent while it runs; Superseded: the spec was edited meanwhile.
    outcome: Outcome | None = None
    #: reason of a failure in one word.
    reason: str | None = None
    #: message of a failure.
    message: str | None = None
    #: result of a job that succeeded; without value when it could not be kept (see failure).
    result: Result | None = None


@dataclass(frozen=True)
class Removal:
    """The removal of a deleted job's results from their store."""

    #: number of the pod that deletes them; the first is 1.
    number: int = 0
    #: name of the pod.
    name: str = ""
    #: tokenDigest is like that of an attempt, for the pod.
    token_digest: str | None = None


@dataclass(frozen=True)
class DaskJobStatus:
    """What the operator observed of a job. Every field is absent (None or empty) until it is known."""

    #: phase is the state in one word, for people; programs use conditions. Pending, Queued, Starting, Running,
    #: Retrying, Suspended, Succeeded or Failed; empty until the operator has seen the job.
    phase: Phase | None = None
    #: observedGeneration is the metadata.generation that this status is about; -1 until the operator has seen the job.
    observed_generation: int | None = None
    #: run is the number of the run: 1, and one more with each run anew.
    run: int | None = None
    #: startTime is when the run's first attempt was accepted, or the first one after the job was resumed.
    start_time: str | None = None
    #: completionTime is when the operator recorded the outcome, good or bad.
    completion_time: str | None = None
    #: summary is the result in short, or the reason of a failure or of waiting.
    summary: str | None = None
    #: conditions of the job: ClusterReady, Queued, Suspended, Complete, Failed, ReportingDegraded, ReportSaved,
    #: CleanedUp; and Ready, Reconciling, Stalled for tools that know nothing of jobs.
    conditions: tuple[Condition, ...] = ()
    #: attempt is the number of the current or last attempt; the first is 1.
    attempt: int | None = None
    #: attempts made, the last ten.
    attempts: tuple[Attempt, ...] = ()
    #: retries counts the failed attempts of this run that were followed by another one.
    retries: Retries | None = None
    #: nextAttemptTime is when the next attempt may start, after a failure.
    next_attempt_time: str | None = None
    #: queuePosition is the job's place among those of its namespace that wait; 1 is next. Condition Queued says why,
    #: and when that was: the operator writes a place anew when it has halved or doubled.
    queue_position: int | None = None
    #: progress counts Dask tasks, as the scheduler knows them so far.
    progress: Progress | None = None
    #: cluster is the Dask cluster of the current or last attempt.
    cluster: ClusterStatus | None = None
    #: result of a job that succeeded; without value when it could not be kept (see failure).
    result: Result | None = None
    #: failure says why the job failed.
    failure: Failure | None = None
    #: timings has one time for each stage (RFC 3339, UTC), in this order; absent while not reached. It is for people
    #: and dashboards; the operator decides by markers.
    timings: Timings = field(default_factory=Timings)
    #: markers is what the operator remembers of the current attempt from one pass to the next, because its decisions
    #: rest on it (RFC 3339, UTC).
    markers: Markers | None = None
    #: specDigest is a fingerprint of the run that the spec asked for when it was accepted.
    spec_digest: str | None = None
    #: rerun is the text of the annotation daskjob.io/rerun that was last acted upon: another text makes a finished job
    #: run anew.
    rerun: str | None = None
    #: removal is how the operator deletes the results of a job that is being deleted (spec.result.retention).
    removal: Removal | None = None
    #: history has the runs before this one, the last five, the latest first.
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
