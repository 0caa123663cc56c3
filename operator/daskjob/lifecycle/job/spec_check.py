"""What no API server can see in a spec, checked before anything is made of it."""

from __future__ import annotations

from daskjob.lifecycle.job.observation import Job
from daskjob.lifecycle.job.runs import wants_run


def needs_check(job: Job) -> bool:
    """Whether an attempt may start: a spec of which an attempt runs was checked, that of an ended job is not used."""
    return wants_run(job) or (job.status.open is None and not job.status.finished)


def missing_image(job: Job, default_image: str | None) -> str | None:
    """What to tell the user of a job for which there is no image; None if there is one."""
    if job.spec.cluster.image or default_image:
        return None
    return (
        "spec.cluster.image: is missing, and this operator was installed without a default image; "
        "name an image with dask and distributed in it"
    )
