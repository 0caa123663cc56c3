"""`DaskJob.spec`, as crds/daskjobs.yaml describes it field by field; here only its shape and defaults."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from daskjob.api.cluster_spec import Cluster, Component
from daskjob.api.constants import MANAGED_BY, RetryAction, RunPolicy
from daskjob.api.graph_spec import Graph
from daskjob.api.report_spec import ReportKeeping
from daskjob.api.resource_json import from_dict
from daskjob.api.result_spec import ResultKeeping
from daskjob.schema.json_walk import is_container, walk


@dataclass(frozen=True)
class Backoff:
    """The pause before the next attempt, in seconds: doubled each time, with jitter, up to the maximum."""

    #: initialSeconds is the pause, in seconds, after the first failure. Default 10.
    initial_seconds: int = 10
    #: maximumSeconds is the longest pause, in seconds. Default 300.
    maximum_seconds: int = 300


@dataclass(frozen=True)
class ExitCodes:
    """Which exit codes a rule matches."""

    #: operator: In matches one of values, NotIn any other code.
    operator: str = "In"
    #: values are exit codes.
    values: tuple[int, ...] = ()


@dataclass(frozen=True)
class FailureRule:
    """Applies if all that is given matches the failure."""

    #: action: Fail ends the job; Retry makes another attempt, counted against backoffLimit whatever the class of the
    #: failure; Ignore makes another attempt that counts against neither backoffLimit nor infrastructureRetries, at most
    #: 1000 times a run (set activeDeadlineSeconds for a narrower bound).
    action: RetryAction = RetryAction.FAIL
    #: onReasons matches a failure whose reason is one of these, e.g. WorkerOOMKilled. Default: any reason.
    on_reasons: tuple[str, ...] = ()
    #: onExitCodes matches the exit code of the user's process, where there is one: sys.exit(3) is 3, killed by signal 9
    #: is 137.
    on_exit_codes: ExitCodes | None = None
    #: onExceptionTypes matches the type of the exception, with or without its module (requests.exceptions.Timeout or
    #: Timeout), not its base classes. Default: any, and none.
    on_exception_types: tuple[str, ...] = ()
    #: onMessagePattern is a regular expression (RE2) to be found anywhere in the failure's message. Default: any
    #: message.
    on_message_pattern: str | None = None


@dataclass(frozen=True)
class FailurePolicy:
    """What the operator does about failed attempts, before the limits of retries count."""

    #: rules are tried in order; the first that matches decides. DeadlineExceeded, InvalidSpec and Cancelled end the job
    #: whatever the rules say.
    rules: tuple[FailureRule, ...] = ()


@dataclass(frozen=True)
class Cleanup:
    """How long the cluster is kept after the end, in seconds, by outcome."""

    #: afterSuccessSeconds is how long, in seconds, it is kept after a success. Default 0.
    after_success_seconds: int = 0
    #: afterFailureSeconds is how long, in seconds, it is kept after the job has failed for good; a cancelled job's is
    #: removed at once. Default 0.
    after_failure_seconds: int = 0


@dataclass(frozen=True)
class DaskJobSpec:
    """What a job is to compute and where. Every field has its default from the definition."""

    # What is computed, and with what: the run. The rest may be changed at any time.
    #: graph says what to compute.
    graph: Graph = field(default_factory=Graph)
    #: cluster describes the Dask cluster, which lives only for this job.
    cluster: Cluster = field(default_factory=Cluster)
    #: runner has the details of the pod that builds the graph and submits it.
    runner: Component = field(default_factory=Component)
    #: result says where the result is kept, and in which form. Default: as JSON in the status, at most 262144 bytes
    #: (256 KiB), unless the installation has a store.
    result: ResultKeeping = field(default_factory=ResultKeeping)
    #: priorityClassName of all pods of the job: what preempts them, and what they preempt. Default the cluster's.
    priority_class_name: str | None = None

    #: activeDeadlineSeconds is how long, in seconds from status.startTime, the job may take over all, all attempts and
    #: the pauses between them included; then it fails with DeadlineExceeded. Time spent suspended or queued before the
    #: first attempt does not count. Default none.
    active_deadline_seconds: int | None = None
    #: attemptDeadlineSeconds is how long, in seconds, one attempt may take; then it fails with AttemptDeadlineExceeded,
    #: an Application failure (see backoffLimit). Default none.
    attempt_deadline_seconds: int | None = None
    #: startupDeadlineSeconds is how long, in seconds, an attempt may take until its runner runs and minWorkers are
    #: connected; then it fails with the reason of what stood in the way, or StartupDeadlineExceeded. Default 600.
    startup_deadline_seconds: int = 600
    #: stallTimeoutSeconds is how long, in seconds, a running graph may go without any change in the counts of its
    #: tasks; then the attempt fails with Stalled, an Application failure (see backoffLimit). Give more than the longest
    #: task takes. Default none.
    stall_timeout_seconds: int | None = None
    #: ttlSecondsAfterFinished is how long, in seconds from status.completionTime, the job is kept after its end,
    #: result, logs and all; then it is deleted. Default: for ever.
    ttl_seconds_after_finished: int | None = None
    #: backoffLimit is how many times a failure of class Application (an exception in a task, memory exceeded, a
    #: deadline of the attempt) is followed by another attempt, on a fresh cluster. What would fail the same way again
    #: (module not found, invalid image name, result not serializable, ...) is not tried again unless a rule of
    #: failurePolicy says so. Default 0.
    backoff_limit: int = 0
    #: infrastructureRetries is how many times a failure of class Infrastructure (scheduler lost, runner evicted or lost
    #: with its node, workers that never came) is followed by another attempt, on a fresh cluster. Default 3.
    infrastructure_retries: int = 3
    #: backoff is the pause before the next attempt: initialSeconds, doubled with each failure of the run up to
    #: maximumSeconds, shortened by up to a quarter at random. It is never less than 1 second; while attempts fail
    #: within a minute, that floor doubles with each failure up to 10 seconds. status.nextAttemptTime has when it ends.
    backoff: Backoff = field(default_factory=Backoff)
    #: failurePolicy decides on failed attempts before backoffLimit and infrastructureRetries do, in the manner of a
    #: Kubernetes Job's podFailurePolicy. Default none.
    failure_policy: FailurePolicy | None = None
    #: suspend: true removes the cluster and stops the runner, and nothing runs until it is false again; a fresh attempt
    #: starts then, which counts as no retry. Default false.
    suspend: bool = False
    #: cancel: true cancels the graph, records the outcome (reason Cancelled) and removes the cluster. The job does not
    #: run again while it is true. Default false.
    cancel: bool = False
    #: cleanup is how long the operator keeps the cluster after the end, so that people can look at it.
    cleanup: Cleanup = field(default_factory=Cleanup)
    #: report has what became of each attempt kept in a store: logs, Dask's performance report, a trace of the tasks. It
    #: never fails the job; condition ReportSaved says where it is, or why not. An edit counts from the next attempt on.
    #: Default: nothing is kept.
    report: ReportKeeping | None = None
    #: runPolicy: Once refuses to change the run; OnChange takes an edited graph, cluster, runner, result or
    #: priorityClassName as a new run: what runs is stopped, and the old result moves to status.history. Default Once.
    run_policy: RunPolicy = RunPolicy.ONCE
    #: priority orders the waiting jobs of one namespace (limits of the operator's installation): higher first, among
    #: equals first come, first served. Between namespaces it counts for nothing: they take turns. Running jobs are not
    #: touched. Default 0.
    priority: int = 0
    #: managedBy names the controller that looks after this job. With another value than the default the operator leaves
    #: it alone. Cannot be changed. Default daskjob.io/operator.
    managed_by: str = MANAGED_BY


def parse_spec(data: Any) -> DaskJobSpec:
    """The spec of a DaskJob as the API server stored it (so its schema holds already)."""
    return from_dict(DaskJobSpec, data)


def digest(spec: DaskJobSpec) -> str:
    """A fingerprint of the run that a spec asks for (16 hexadecimal digits).

    What has its default counts as not given: a field that a later version adds changes no fingerprint.
    """
    run = {"graph": spec.graph, "cluster": spec.cluster, "runner": spec.runner, "class": spec.priority_class_name}
    if spec.result != ResultKeeping():
        run["result"] = spec.result
    given = {name: _given(value) for name, value in run.items()}
    try:
        text = json.dumps(given, sort_keys=True, default=str)
    except RecursionError:
        # Such a job never runs (`schema.limits`), but the operator must notice an edit of it.
        items = ((len(steps), steps[-1:], each) for steps, each in walk(given))
        text = "\n".join(f"{deep} {step} {type(each) if is_container(each) else each}" for deep, step, each in items)
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]


def _given(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_given(each) for each in value]
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    plain = type(value)()
    names = [each.name for each in dataclasses.fields(value)]
    return {name: _given(getattr(value, name)) for name in names if getattr(value, name) != getattr(plain, name)}
