"""What a decision asks the I/O layer to do. Every action can be repeated without harm."""

from __future__ import annotations

from dataclasses import dataclass

from daskjob.lifecycle.job.observation import Owned


@dataclass(frozen=True)
class CreateCluster:
    """The DaskCluster of an attempt, with its Service, Secret and ConfigMap, all owned by the cluster."""

    attempt: int


@dataclass(frozen=True)
class CreateRunner:
    """The runner's pod and its report, in this order: a report without a pod means that the pod was lost."""

    attempt: int


@dataclass(frozen=True)
class CreateReport:
    """The report of a runner whose pod is there: one that somebody removed, or that was not made in time."""

    runner_uid: str


@dataclass(frozen=True)
class Scale:
    """The number of workers of an adaptive cluster."""

    group: str
    replicas: int


@dataclass(frozen=True)
class Cancel:
    """Asks the runner, through its report, to stop."""

    report: str


@dataclass(frozen=True)
class Delete:
    """Deletes one object, and no other of the same name."""

    target: Owned
    why: str


@dataclass(frozen=True)
class DeleteJob:
    """Deletes the job itself, if it is still as it was seen."""


Action = CreateCluster | CreateRunner | CreateReport | Scale | Cancel | Delete | DeleteJob
