"""What a decision asks the controller to do. The controller may repeat every action without harm."""

from __future__ import annotations

from dataclasses import dataclass

from daskjob.api.status import Removal
from daskjob.lifecycle.job.observation import Owned
from daskjob.wire.runner_deadline import RunnerDeadline


@dataclass(frozen=True)
class CreateAccount:
    """Creates the service account of jobs' pods in the job's namespace again: somebody deleted it."""


@dataclass(frozen=True)
class CreateResolver:
    """Creates the pod that finds the commit of the code, before anything else of the attempt; before it, what all jobs
    of the namespace share."""

    attempt: int


@dataclass(frozen=True)
class CreateCluster:
    """Creates the DaskCluster of an attempt, with its NetworkPolicy, Service and Secret, which the cluster owns; before
    it, the service account of its pods, if the namespace has none yet.

    `deadline`: what the job file gives the runner.
    """

    attempt: int
    deadline: RunnerDeadline | None = None


@dataclass(frozen=True)
class CreateRunner:
    """Creates the runner's pod and then its report: so a report without a pod means that the pod was lost.

    `deadline`: what the report gives the runner.
    """

    attempt: int
    deadline: RunnerDeadline | None = None


@dataclass(frozen=True)
class CreateReport:
    """Creates the report of a runner whose pod exists: somebody deleted the report, or an earlier pass ended before it
    created it."""

    runner_uid: str
    deadline: RunnerDeadline | None = None


@dataclass(frozen=True)
class OpenService:
    """Lets the scheduler's Service lead to the scheduler's pod, which has an address now.

    `cluster`: the UID of the DaskCluster that owns the Service.
    """

    cluster: str


@dataclass(frozen=True)
class Scale:
    """Sets the number of workers of an adaptive worker group."""

    group: str
    replicas: int


@dataclass(frozen=True)
class ReplaceWorkers:
    """Asks the Dask controller for other workers in place of those of a group that are gone."""

    group: str


@dataclass(frozen=True)
class Cancel:
    """Asks the runner, through its report, to stop."""

    report: str


@dataclass(frozen=True)
class SetDeadline:
    """Gives the runner another deadline, through its report, or none: a user edited the job's."""

    report: str
    deadline: RunnerDeadline | None


@dataclass(frozen=True)
class EndSidecars:
    """Ends what still runs in the pod of a runner that has ended, and keeps the pod with its logs."""

    pod: str
    uid: str


@dataclass(frozen=True)
class Delete:
    """Deletes the object with that UID, and no other of the same name."""

    target: Owned
    why: str


@dataclass(frozen=True)
class DeleteAll:
    """Deletes all objects of one kind that have the labels of the job and of an attempt's cluster, in one request.

    `cluster`: the cluster's name; `targets`: the objects that the operator knows of.
    """

    kind: str
    cluster: str
    targets: tuple[Owned, ...]
    why: str


@dataclass(frozen=True)
class Hold:
    """Sets the finalizer that holds the job, when it is deleted, until its results are."""


@dataclass(frozen=True)
class LetGo:
    """Takes that finalizer off."""


@dataclass(frozen=True)
class CreateRemover:
    """Creates the pod that deletes the job's results from their store; before it, what all jobs of the namespace
    share."""

    removal: Removal


@dataclass(frozen=True)
class DeleteJob:
    """Deletes the job itself, if its version is still the one that this pass observed or wrote."""


Action = (
    CreateAccount
    | CreateResolver
    | CreateCluster
    | CreateRunner
    | CreateReport
    | OpenService
    | Scale
    | ReplaceWorkers
    | Cancel
    | SetDeadline
    | EndSidecars
    | Delete
    | DeleteAll
    | Hold
    | LetGo
    | CreateRemover
    | DeleteJob
)
