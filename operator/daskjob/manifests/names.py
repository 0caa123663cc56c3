"""Names, labels and owner references of what belongs to an attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from daskjob.api import constants as c
from daskjob.api.status import Attempt
from daskjob.lifecycle.job.observation import Job


@dataclass(frozen=True)
class Names:
    """All names of an attempt, made from one: deterministic, so that making it again finds what is there."""

    namespace: str
    attempt: str

    @property
    def runner(self) -> str:
        return f"{self.attempt}-runner"

    @property
    def tls(self) -> str:
        return f"{self.attempt}-tls"

    @property
    def code(self) -> str:
        return f"{self.attempt}-code"

    @property
    def scheduler(self) -> str:
        """The Service in front of the scheduler; dask-kubernetes gives its own the same name."""
        return f"{self.attempt}-scheduler"

    def scheduler_address(self, domain: str) -> str:
        return f"tls://{self.scheduler}.{self.namespace}.svc.{domain}:{c.SCHEDULER_PORT}"


def names_of(job: Job, attempt: Attempt) -> Names:
    return Names(job.namespace, attempt.name)


def labels(job: Job, attempt: Attempt) -> dict[str, str]:
    return {
        c.MANAGED_BY_LABEL: c.MANAGER,
        c.JOB_LABEL: job.name,
        c.JOB_UID_LABEL: job.uid,
        c.ATTEMPT_LABEL: str(attempt.number),
    }


def owned_by_job(job: Job) -> list[dict[str, Any]]:
    return [_reference(c.API_VERSION, "DaskJob", job.name, job.uid)]


def owned_by_cluster(name: str, uid: str) -> list[dict[str, Any]]:
    return [_reference(c.DASK_API_VERSION, "DaskCluster", name, uid)]


def _reference(version: str, kind: str, name: str, uid: str) -> dict[str, Any]:
    return {
        "apiVersion": version,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        # Blocking would need rights on finalizers, and delays a foreground deletion for nothing.
        "blockOwnerDeletion": False,
    }
