"""Errors of a spec that the API server cannot check; the operator checks for them before it creates anything."""

from __future__ import annotations

from collections.abc import Collection

from daskjob.api.spec import DaskJobSpec
from daskjob.lifecycle.job.observation import Job
from daskjob.lifecycle.job.queueing import RunLimits
from daskjob.lifecycle.job.runs import wants_run


def needs_check(job: Job) -> bool:
    """Whether this pass may start an attempt, and must check the spec first."""
    return wants_run(job) or (job.status.open is None and not job.status.finished)


def not_served(namespace: str, excluded: Collection[str]) -> str | None:
    """The message for the user if the installation serves no jobs in that namespace; None if it does."""
    if namespace not in excluded:
        return None
    return (
        f"metadata.namespace: no job is run in {namespace}, as this operator was installed (excludeNamespaces of the "
        "chart); apply it in another namespace"
    )


def missing_image(spec: DaskJobSpec, default_image: str | None) -> str | None:
    """The message for the user if neither the spec nor the installation names an image; None if one does."""
    if spec.cluster.image or default_image:
        return None
    return (
        "spec.cluster.image: is missing, and this operator was installed without a default image; "
        "name an image with dask and distributed in it"
    )


def too_many_workers(spec: DaskJobSpec, limits: RunLimits) -> str | None:
    """The message for the user if the cluster may have more workers than the installation allows; None if not."""
    for value, most in (
        ("limits.workersPerJob", limits.workers_per_job),
        ("limits.workersPerNamespace", limits.workers_per_namespace),
    ):
        total = spec.cluster.most_workers
        if most and total > most:
            workers = spec.cluster.workers
            field = "adaptive.maximum" if workers.adaptive is not None else "replicas"
            path, of = f"spec.cluster.workers.{field}", ""
            if spec.cluster.worker_groups:
                path, of = "spec.cluster.workerGroups", ", all groups together,"
            return (
                f"{path}: {total} workers{of} are too many, this operator was installed with {value}={most}; give "
                f"{most} at most"
            )
    return None
