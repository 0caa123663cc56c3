"""What a decision may look at: one frozen snapshot of a job and all that belongs to it, the clock included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from daskjob.api.constants import Reason
from daskjob.api.spec import DaskJobSpec
from daskjob.api.status import DaskJobStatus
from daskjob.lifecycle.pods import Pod


@dataclass(frozen=True)
class Job:
    namespace: str
    name: str
    uid: str
    generation: int
    created: datetime
    deleting: bool
    spec: DaskJobSpec
    status: DaskJobStatus
    #: What the spec asks for and cannot have (field and message), seen before anything is made of it.
    spec_problem: str | None = None
    #: Why it is left alone: another controller's, or in a phase that only a later version knows.
    unmanaged: str | None = None
    #: Of the run that the spec asks for (`api.spec.digest`).
    digest: str = ""
    #: The text of the annotation that asks for another run.
    rerun: str | None = None
    resource_version: str = ""


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
class Group:
    """A worker group (DaskWorkerGroup): how many workers it should have."""

    name: str
    uid: str
    replicas: int
    #: Has its cluster for an owner, and goes with it.
    adopted: bool = True


@dataclass(frozen=True)
class Deployment:
    """One of dask-kubernetes' Deployments: one of the scheduler, one a worker."""

    name: str
    uid: str
    component: str
    #: Why its pods cannot be made (the message of its `ReplicaFailure` condition).
    refusal: str | None = None


@dataclass(frozen=True)
class Report:
    """A DaskJobReport; `status` as the runner wrote it and `wire` read it: nothing in it is trusted."""

    name: str
    uid: str
    runner_uid: str
    cancel: bool
    status: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sealed(self) -> bool:
        return self.status.get("outcome") in ("Succeeded", "Failed")


@dataclass(frozen=True)
class Blocker:
    """Something that keeps a job from starting: the reason and the words of whoever refused."""

    reason: Reason
    message: str
    #: Waiting will not help: no need to sit out the startup deadline.
    permanent: bool = False


@dataclass(frozen=True)
class Observation:
    now: datetime
    job: Job
    #: The current attempt's objects.
    cluster: Owned | None = None
    group: Group | None = None
    deployments: tuple[Deployment, ...] = ()
    schedulers: tuple[Pod, ...] = ()
    workers: tuple[Pod, ...] = ()
    runner: Pod | None = None
    report: Report | None = None
    #: Objects of earlier attempts, or of none that is known.
    stale_objects: tuple[Owned, ...] = ()
    #: Whether the source ConfigMap is there; None: not asked for, or not looked for.
    source_found: bool | None = None
    #: What the API refused when the operator last tried to make something for this job.
    refusal: Blocker | None = None
    #: Warnings of Kubernetes about pods that hang without saying why in their status.
    warnings: tuple[str, ...] = ()
    #: Whether it may start an attempt, as far as limits of the installation go.
    turn: QueuePlace = QueuePlace()
    #: Read from the API server just now, not from what the watches told.
    fresh: bool = False
    #: When this process last wrote this job's status (None: not yet).
    written: datetime | None = None
    #: When this process last asked the API server for all that belongs to the job (None: not yet).
    last_live_read: datetime | None = None
    #: When this process last heard something new from the runner (None: not yet, but for what was said before).
    heard: datetime | None = None
