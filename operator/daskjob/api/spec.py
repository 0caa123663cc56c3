"""`DaskJob.spec`, as crds/daskjobs.yaml describes it field by field; here only its shape and defaults."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from daskjob.api.constants import MANAGED_BY, RetryAction, RunPolicy
from daskjob.api.graph_spec import Graph
from daskjob.api.resource_json import from_dict
from daskjob.api.result_spec import ResultKeeping
from daskjob.schema.json_walk import is_container, walk
from daskjob.wire.worker_groups import DEFAULT, AdaptiveBounds, GroupOrders

#: The key of the worker group that `cluster.workers` describes.
DEFAULT_GROUP = DEFAULT


@dataclass(frozen=True)
class Component:
    """What scheduler, workers and runner have in common."""

    #: resources of the component's container. Default none, which lets the namespace's LimitRange decide.
    resources: Mapping[str, Any] = field(default_factory=dict)
    #: template is merged strategically over the operator's own pod, for what no field here covers. The pod that comes
    #: of it must fit the installation's pod security level (restricted by default), keep the operator's own settings,
    #: and have no field, label or annotation that the installation does not allow or Kubernetes does not have
    #: (InvalidSpec).
    template: Mapping[str, Any] = field(default_factory=dict)


def _preload_options(modules: Sequence[str]) -> list[str]:
    return [part for each in modules for part in ("--preload", each)]


@dataclass(frozen=True)
class Scheduler(Component):
    """The scheduler's pod, and how it hands out tasks."""

    #: workerSaturation is Dask's distributed.scheduler.worker-saturation: the root tasks that a worker holds at a time,
    #: for each of its threads, as a number of at least 1 ("1.5", 10) or inf. More lets hundreds of short tasks run up
    #: to three times as fast, and costs memory where root tasks are large, for more of their results wait on workers.
    #: Default: that of the image's Dask (1.1).
    worker_saturation: int | str | None = None

    #: preload are Python modules, of the job's source or the image, that each process of the component imports at its
    #: start, Dask's preload: dask_setup(worker) or dask_setup(scheduler) in it is called, and dask_teardown at the end.
    #: One that fails ends the attempt (PreloadFailed). Default none.
    preload: tuple[str, ...] = ()

    @property
    def dask_options(self) -> Sequence[str]:
        """Options of Dask's command that starts a scheduler."""
        return _preload_options(self.preload)

    @property
    def environment(self) -> Mapping[str, str]:
        """Dask's settings, as environment variables of the scheduler's process."""
        if self.worker_saturation is None:
            return {}
        return {"DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION": str(self.worker_saturation)}


@dataclass(frozen=True)
class Adaptive:
    """Bounds of a number of workers that follows the load."""

    #: minimum number of workers. Default 1.
    minimum: int = 1
    #: maximum number of workers.
    maximum: int = 1


@dataclass(frozen=True)
class Workers(Component):
    """How many workers there are, and how large they are."""

    #: replicas is the fixed number of workers; 0 only beside workerGroups. Default 1 when adaptive is not given either.
    replicas: int | None = None
    #: adaptive lets the number of workers follow the load.
    adaptive: Adaptive | None = None
    #: threads are the tasks that a worker runs at a time. Default 1.
    threads: int = 1
    #: daskResources are Dask's resources of each worker, by name as tasks ask for them (GPU: 1, for client.submit(...,
    #: resources={"GPU": 1})); capital and small letters differ. They count tasks only, and bring no device. Default
    #: none.
    dask_resources: Mapping[str, int | str] = field(default_factory=dict)
    #: minWorkers is how many workers must be connected before the graph starts; the rest join while it runs. Default 1.
    min_workers: int = 1
    #: preload are Python modules, of the job's source or the image, that each process of the component imports at its
    #: start, Dask's preload: dask_setup(worker) or dask_setup(scheduler) in it is called, and dask_teardown at the end.
    #: One that fails ends the attempt (PreloadFailed). Default none.
    preload: tuple[str, ...] = ()

    @property
    def dask_options(self) -> Sequence[str]:
        """Options of Dask's command that starts a worker."""
        amounts = " ".join(f"{name}={amount}" for name, amount in self.dask_resources.items())
        return [
            "--nthreads",
            str(self.threads),
            *(["--resources", amounts] if amounts else []),
            *_preload_options(self.preload),
        ]

    def orders(self, key: str, prefix: str) -> GroupOrders:
        """What the job file says of the group. `key`: its name; `prefix`: how the names of its workers begin."""
        bounds = AdaptiveBounds(self.adaptive.minimum, self.adaptive.maximum) if self.adaptive is not None else None
        resources = {name: float(amount) for name, amount in self.dask_resources.items()}
        return GroupOrders(key, prefix, self.least, bounds, resources)

    @property
    def initial(self) -> int:
        """How many workers a cluster starts with."""
        if self.adaptive is not None:
            return self.adaptive.minimum
        return 1 if self.replicas is None else self.replicas

    @property
    def least(self) -> int:
        """How many workers must be connected before the graph starts."""
        return min(self.min_workers, self.initial)

    @property
    def most(self) -> int:
        """The most workers that the cluster may come to have."""
        return self.adaptive.maximum if self.adaptive is not None else self.initial


@dataclass(frozen=True)
class GroupAdaptive(Adaptive):
    """Bounds of a worker group's size, which may be none."""

    #: minimum number of workers. Default 0.
    minimum: int = 0
    #: maximum number of workers.
    maximum: int = 1


@dataclass(frozen=True)
class WorkerGroup(Workers):
    """A further group of workers."""

    #: name of the group, of its Dask resource, and a part of its pods' names; at most 15 characters, lower-case
    #: letters, digits and '-', beginning with a letter.
    name: str = ""
    #: replicas is the fixed number of the group's workers. Default 1 when adaptive is not given either.
    replicas: int | None = None
    #: adaptive lets the number of the group's workers follow the work for it: the tasks that ask for what it offers and
    #: no group before it does, workers first.
    adaptive: GroupAdaptive | None = None
    #: minWorkers is how many of the group's workers must be connected before the graph starts. Default 1, or 0 for a
    #: group that starts with none.
    min_workers: int = 1
    #: env are environment variables of the group's workers, over those of cluster.env. Default none.
    env: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Cluster:
    """The Dask cluster of the job."""

    #: image for scheduler, workers and runner: any image with dask and distributed. Default: the operator's default
    #: image; when it has none the job fails with InvalidSpec.
    image: str | None = None
    #: imagePullPolicy of all pods. Default: Always for the tag latest, else IfNotPresent.
    image_pull_policy: str | None = None
    #: imagePullSecrets are the Secrets, in the job's namespace, for pulling the image. Default none.
    image_pull_secrets: tuple[Any, ...] = ()
    #: env are environment variables of scheduler, workers and runner. Default none; DASKJOB_ATTEMPT, the number of the
    #: attempt, is there anyway.
    env: tuple[Any, ...] = ()
    #: dashboard: true runs Dask's dashboard on the loopback of the scheduler's pod; status.cluster.dashboard is the
    #: kubectl port-forward that reaches it. Default true.
    dashboard: bool = True
    #: scheduler has the details of the scheduler's pod, and how it hands out tasks.
    scheduler: Scheduler = field(default_factory=Scheduler)
    #: workers says how many workers there are and how large they are. With neither replicas nor adaptive there is one.
    workers: Workers = field(default_factory=Workers)

    #: workerGroups are further groups of workers, of another size or kind, such as those with a GPU; at most 8. Each
    #: worker of a group has a Dask resource with the group's name, as many as it has threads, and so have those of
    #: workers, by the name default: dask.annotate(resources={"gpu": 1}) leads tasks to group gpu. A task that asks for
    #: no resource may run on any worker. Default none.
    worker_groups: tuple[WorkerGroup, ...] = ()

    @cached_property
    def groups(self) -> Mapping[str, Workers]:
        """All worker groups by key, that of `workers` first. Of several, each has the Dask resource of its name."""
        if not self.worker_groups:
            return {DEFAULT_GROUP: self.workers}
        groups: Mapping[str, Workers] = {
            DEFAULT_GROUP: self.workers,
            **{each.name: each for each in self.worker_groups},
        }
        return {
            key: dataclasses.replace(each, dask_resources={key: each.threads, **each.dask_resources})
            for key, each in groups.items()
        }

    @property
    def most_workers(self) -> int:
        """The most workers that all groups together may come to have."""
        return sum(each.most for each in self.groups.values())

    @property
    def least_workers(self) -> int:
        """How many workers must be connected before the graph starts."""
        return sum(each.least for each in self.groups.values())


def path_of_group(key: str) -> str:
    """Where the spec has the worker group with that key."""
    return "spec.cluster.workers" if key == DEFAULT_GROUP else f"spec.cluster.workerGroups[{key}]"


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
