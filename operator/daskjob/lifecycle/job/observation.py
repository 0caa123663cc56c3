"""What a decision may look at: one frozen snapshot of a job and all that belongs to it, the clock included.

If a decision needs something that is not here, the observation lacks a field: decisions do no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from daskjob.api.job_ref import JobRef
from daskjob.api.runner_report import RunnerReport
from daskjob.api.spec import DEFAULT_GROUP, DaskJobSpec
from daskjob.api.status import Attempt, DaskJobStatus
from daskjob.lifecycle.blocker import Blocker
from daskjob.lifecycle.pods import Pod
from daskjob.sources import Reference


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
    #: What the spec asks for and cannot have (field and message), found before anything is made of it.
    spec_problem: str | None = None
    #: Why the operator leaves the job alone: it is another controller's, or in a phase of a later version.
    unmanaged: str | None = None
    #: Fingerprint of the run that the spec asks for (`api.spec.digest`).
    digest: str = ""
    #: The text of the annotation that asks for another run.
    rerun: str | None = None
    resource_version: str = ""

    @property
    def ref(self) -> JobRef:
        """Name and identity."""
        return JobRef(self.namespace, self.name, self.uid)


@dataclass(frozen=True)
class Owned:
    """Any object that was made for the job: enough to delete just this one."""

    kind: str
    name: str
    uid: str
    attempt: int
    deleting: bool = False
    #: When it was to be gone, grace included, if it is being deleted.
    deletion_deadline: datetime | None = None


@dataclass(frozen=True)
class QueuePlace:
    """A job's place among those that wait because too many run; 0: it may start.

    `reason` and `message`: which limit holds it back.
    """

    position: int = 0
    reason: str = ""
    message: str = ""


@dataclass(frozen=True)
class WorkerGroup:
    """A worker group (DaskWorkerGroup): how many workers it should have."""

    name: str
    uid: str
    replicas: int
    #: Whether it has its cluster for an owner, and goes with it. dask-kubernetes sets the owner after the creation.
    adopted: bool = True


@dataclass(frozen=True)
class Deployment:
    """One of dask-kubernetes' Deployments: one for the scheduler, one for each worker."""

    name: str
    uid: str
    component: str
    #: Why Kubernetes cannot create its pods (the message of its `ReplicaFailure` condition).
    refusal: str | None = None
    #: The worker group that it belongs to, by its key in the spec.
    group: str = DEFAULT_GROUP


@dataclass(frozen=True)
class Report:
    """A DaskJobReport. `content`: what the runner wrote, of which nothing is trusted; None if it wrote nothing."""

    name: str
    uid: str
    runner_uid: str
    cancel: bool
    content: RunnerReport | None = None

    @property
    def sealed(self) -> bool:
        """Whether the report has an outcome: the API server takes no further change of it."""
        return self.content is not None and self.content.sealed


@dataclass(frozen=True)
class AttemptObservation:
    """All that belongs to the current attempt. A new attempt begins with an empty one."""

    #: Whether the attempt is recorded in this very pass: nothing was made for it before.
    new: bool = False
    cluster: Owned | None = None
    #: Worker groups by their key in the spec; the only key today is `api.spec.DEFAULT_GROUP`.
    groups: Mapping[str, WorkerGroup] = field(default_factory=dict)
    deployments: tuple[Deployment, ...] = ()
    #: Pods, the oldest first.
    schedulers: tuple[Pod, ...] = ()
    workers: tuple[Pod, ...] = ()
    runner: Pod | None = None
    #: The controller creates it last: where it exists, cluster and runner were made as well.
    report: Report | None = None
    #: What the API server refused when the operator last tried to make something for this attempt.
    refusal: Blocker | None = None
    #: Warnings of Kubernetes about pods that hang without saying why in their status.
    warnings: tuple[str, ...] = ()

    @property
    def pods(self) -> tuple[Pod, ...]:
        """Schedulers, runner and workers, in this order."""
        return (*self.schedulers, *((self.runner,) if self.runner is not None else ()), *self.workers)

    @property
    def runner_report(self) -> RunnerReport:
        """What the runner reported; an empty report where it reported nothing."""
        content = self.report.content if self.report is not None else None
        return content if content is not None else RunnerReport()

    @property
    def reporting(self) -> bool:
        """Whether the runner has reported anything at all."""
        return self.report is not None and self.report.content is not None


@dataclass(frozen=True)
class Observation:
    """One look at a job."""

    now: datetime
    job: Job
    attempt: AttemptObservation = field(default_factory=AttemptObservation)
    #: Objects of earlier attempts, or of none that the status knows.
    stale_objects: tuple[Owned, ...] = ()
    #: Objects that the job's source needs, that the operator looked for and did not find.
    missing_references: tuple[Reference, ...] = ()
    #: Whether limits of the installation let the job start an attempt.
    queue_place: QueuePlace = QueuePlace()
    #: Whether all of it was read from the API server just now, and not from what the watches delivered.
    live: bool = False
    #: Whether no later word on the pods is to come: a local run sees its processes themselves, a cluster's operator
    #: hears of containers from the kubelet.
    settled: bool = False
    #: When this process last wrote this job's status; None: not yet.
    last_status_write: datetime | None = None
    #: When this process last asked the API server for all that belongs to the job; None: not yet.
    last_live_read: datetime | None = None
    #: When this process last saw the runner's report change; None: not yet. A report that was there at the first look
    #: is of unknown age.
    last_report_at: datetime | None = None

    @property
    def open_attempt(self) -> Attempt:
        """The attempt that runs. For rules that are asked only while one does: raises AssertionError otherwise."""
        attempt = self.job.status.open
        assert attempt is not None, "no attempt is open"
        return attempt
