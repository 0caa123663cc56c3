"""Errors of a spec that the API server cannot check; the operator checks for them before it creates anything."""

from __future__ import annotations

from daskjob.lifecycle.job.observation import Job
from daskjob.lifecycle.job.runs import wants_run


def needs_check(job: Job) -> bool:
    """Whether this pass may start an attempt, and must check the spec first."""
    return wants_run(job) or (job.status.open is None and not job.status.finished)


def missing_image(job: Job, default_image: str | None) -> str | None:
    """The message for the user if neither the spec nor the installation names an image; None if one does."""
    if job.spec.cluster.image or default_image:
        return None
    return (
        "spec.cluster.image: is missing, and this operator was installed without a default image; "
        "name an image with dask and distributed in it"
    )
