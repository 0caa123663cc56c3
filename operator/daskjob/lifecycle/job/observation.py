"""What a decision may look at: one frozen snapshot of a job and all that belongs to it, the time included.

Decisions do no I/O: if a rule needs more, it gets a field here, and the controller fills it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from daskjob.api.cluster_spec import DEFAULT_GROUP
from daskjob.api.job_ref import JobRef
from daskjob.api.runner_report import RunnerReport
from daskjob.api.spec import DaskJobSpec
from daskjob.api.status import Attempt, DaskJobStatus
from daskjob.api.tokens import Draw
from daskjob.lifecycle.blocker import Blocker
from daskjob.lifecycle.pods import Pod
from daskjob.sources import Reference
from daskjob.wire.runner_deadline import RunnerDeadline


@dataclass(frozen=True)
class Job:
    """A DaskJob as the API server has it."""

    namespace: str
    name: str
    uid: str
    generation: int
    created: datetime
    deleting: bool
    spec: DaskJobSpec
    status: DaskJobStatus
    #: What is wrong with the spec (field and message), checked before the operator creates anything; None if nothing
    #: is.
    spec_problem: str | None = None
    #: Why the operator leaves the job alone: another controller manages it, or its phase is one of a later version.
    #: None: the operator manages it.
    unmanaged: str | None = None
    #: Fingerprint of the run that the spec asks for (`api.spec.digest`).
    digest: str = ""
    #: The text of the annotation that asks for another run; None if there is no annotation.
    rerun: str | None = None
    resource_version: str = ""
    #: Whether it has the finalizer by which the operator holds it (`retention`), and when it was deleted.
    held: bool = False
    deleted: datetime | None = None

    @property
    def ref(self) -> JobRef:
        """Name and identity."""
        return JobRef(self.namespace, self.name, self.uid)


@dataclass(frozen=True)
class Owned:
    """An object that the operator created for the job: kind, name and UID suffice to delete just this one."""

    kind: str
    name: str
    uid: str
    attempt: int
    deleting: bool = False
    #: If a pod is being deleted: when it must be gone, grace period included. None for other kinds.
    deletion_deadline: datetime | None = None
    #: When it was created, to the second; None: unknown.
    created: datetime | None = None


@dataclass(frozen=True)
class QueuePlace:
    """A job's place among those of its namespace that wait; 0: it may start.

    `reason` and `message`: what it waits for; `since`: when it began to wait, as far as this process knows.
    """

    position: int = 0
    reason: str = ""
    message: str = ""
    since: datetime | None = None


@dataclass(frozen=True)
class WorkerGroup:
    """A worker group (DaskWorkerGroup): how many workers it should have."""

    name: str
    uid: str
    replicas: int
    deleting: bool = False
    created: datetime | None = None
    #: When the operator last asked for workers in place of those that are gone; None: it has not.
    asked: datetime | None = None
    #: Why Kubernetes refused the group's last worker, as the Dask controller wrote it; None: it refused none.
    refusal: Blocker | None = None
    #: Its key in the spec.
    key: str = DEFAULT_GROUP


@dataclass(frozen=True)
class Report:
    """A DaskJobReport. `content`: what the runner wrote, as user code may have forged it; None if it wrote nothing."""

    name: str
    uid: str
    runner_uid: str
    cancel: bool
    content: RunnerReport | None = None
    #: The deadline that the runner keeps by its own clock; None: it has none.
    deadline: RunnerDeadline | None = None
    #: The identity of the admission policy on reports when the report was created; empty: it was not in force.
    policy: str = ""
    #: Why the report is not believed: others than the runner may have written it. None: it is believed.
    distrust: str | None = None

    @property
    def sealed(self) -> bool:
        """Whether the report has an outcome that is believed: the API server takes no further change of it."""
        return self.distrust is None and self.content is not None and self.content.sealed


@dataclass(frozen=True)
class AttemptObservation:
    """All objects of the current attempt. A new attempt begins with none."""

    #: Whether this very pass records the attempt: none of its objects exists yet.
    new: bool = False
    cluster: Owned | None = None
    #: Why Kubernetes refused the scheduler's pod, as the Dask controller wrote it; None: it did not.
    scheduler_refusal: Blocker | None = None
    #: Why it refused the group of `cluster.workers`.
    group_refusal: Blocker | None = None
    #: Worker groups by their key in the spec (`Cluster.groups`).
    groups: Mapping[str, WorkerGroup] = field(default_factory=dict)
    #: Pods, the oldest first.
    schedulers: tuple[Pod, ...] = ()
    workers: tuple[Pod, ...] = ()
    runner: Pod | None = None
    #: The pod that finds the commit of the code, before there is anything else (`pinning`).
    resolver: Pod | None = None
    #: The pod that deletes the results of a job that is being deleted (`retention`).
    remover: Pod | None = None
    #: The controller creates it last: if it exists, cluster and runner were created as well.
    report: Report | None = None
    #: Why the API server refused the last object that the operator tried to create for this attempt.
    refusal: Blocker | None = None
    #: Kubernetes' warning events about pods whose status gives no reason why they stay pending, or were ended.
    warnings: tuple[str, ...] = ()

    def words_on(self, pod: Pod) -> str:
        """`; ` and what Kubernetes says of a probe or a hook that failed in the pod; empty: nothing."""
        starts = tuple(f"pod {pod.name}: {each}: " for each in ("Unhealthy", "FailedPostStartHook"))
        found = (each for each in self.warnings if each.startswith(starts))
        return "".join(f"; {each.removeprefix(f'pod {pod.name}: ').removeprefix('Unhealthy: ')}" for each in found)

    def lacks_workers(self, group: WorkerGroup) -> bool:
        """Whether fewer workers act than a group should have."""
        return sum(each.acting for each in self.workers_of(group.key)) < group.replicas

    def workers_of(self, key: str) -> tuple[Pod, ...]:
        """The workers of the group with that key."""
        return tuple(each for each in self.workers if each.group == key)

    @property
    def begun(self) -> bool:
        """Whether the attempt has got as far as its runner. Before, nothing has run that could be lost, and the
        operator itself may remove what there is, to go on under another name."""
        return self.runner is not None or self.report is not None

    @property
    def pods(self) -> tuple[Pod, ...]:
        """The pod that finds a commit, schedulers, runner and workers, in this order."""
        single = [(each,) if each is not None else () for each in (self.resolver, self.runner)]
        return (*single[0], *self.schedulers, *single[1], *self.workers)

    @property
    def runner_report(self) -> RunnerReport:
        """What the runner reported, as far as it is believed; an empty report where it reported nothing."""
        report = self.report
        content = report.content if report is not None and report.distrust is None else None
        return content if content is not None else RunnerReport()

    @property
    def reporting(self) -> bool:
        """Whether the runner has reported anything at all that is believed."""
        return self.report is not None and self.report.content is not None and self.report.distrust is None


@dataclass(frozen=True)
class Observation:
    """All that one decision about a job looks at."""

    now: datetime
    job: Job
    attempt: AttemptObservation = field(default_factory=AttemptObservation)
    #: Objects of earlier attempts that are to be deleted (`ownership.is_stale`).
    stale_objects: tuple[Owned, ...] = ()
    #: Whether pods have the labels of the job's and are somebody else's: no request may name pods by labels then.
    has_strangers: bool = False
    #: What was drawn for the name of the next attempt.
    draw: Draw = field(default_factory=Draw)
    #: Whether this process can create objects of the open attempt: it has their tokens.
    holds_token: bool = True
    #: Objects that the job's source needs and that do not exist, as a live read showed.
    missing_references: tuple[Reference, ...] = ()
    #: Whether the installation's limits and the pace of starts allow the job to start an attempt.
    queue_place: QueuePlace = QueuePlace()
    #: Whether a live read brought all of this, and not the cache.
    live: bool = False
    #: Whether no later word on the pods is to come: a local run sees its processes themselves, a cluster's operator
    #: hears of containers from the kubelet.
    settled: bool = False
    #: When this process last wrote this job's status; None: not yet.
    last_status_write: datetime | None = None
    #: When this process last did a live read of all that belongs to the job; None: not yet.
    last_live_read: datetime | None = None
    #: Since when the watches have brought every change, deletions included; None: unknown.
    followed_since: datetime | None = None
    #: When this process last observed a change of the runner's report; None: not yet. The age of a report that existed
    #: at this process' first pass is unknown.
    last_report_at: datetime | None = None
    #: Whether the job's namespace is being deleted, as the API server said: nothing can be created there.
    namespace_going: bool = False
    #: Whether the installation creates anything in the job's namespace.
    served: bool = True
    #: The name of another installation of the operator that acts on this job, too; None: there is none.
    other_installation: str | None = None

    @property
    def open_attempt(self) -> Attempt:
        """The open attempt, for rules that apply only while there is one. Raises AssertionError if there is none."""
        attempt = self.job.status.open
        assert attempt is not None, "no attempt is open"
        return attempt
