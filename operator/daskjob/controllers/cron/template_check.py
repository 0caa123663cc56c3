"""What the operator would say of each job that it creates from a cron job's template."""

from __future__ import annotations

from daskjob.api.job_ref import JobRef
from daskjob.api.spec import parse_spec
from daskjob.api.status import Attempt
from daskjob.errors import SpecError
from daskjob.lifecycle.cron.observation import CreateJob, CronJob
from daskjob.lifecycle.job.queueing import RunLimits
from daskjob.lifecycle.job.spec_check import missing_image, too_many_workers
from daskjob.manifests.attempt import refusals
from daskjob.manifests.context import AttemptContext, Defaults
from daskjob.manifests.scheduled_job import dask_job
from daskjob.schema.limits import no_room_in


def template_problem(cron: CronJob, defaults: Defaults, limits: RunLimits) -> str | None:
    """Why each job of the template fails with `InvalidSpec`, after the field's path; None: none does, as far as the
    operator alone can tell. `cron`: with its whole template; `defaults`, `limits`: the installation's."""
    try:
        job = dask_job(cron, CreateJob(cron.name))
    except SpecError as error:
        return str(error)
    spec = parse_spec(job["spec"])
    problem = no_room_in(job) or missing_image(spec, defaults.image) or too_many_workers(spec, limits)
    if problem is None:
        context = AttemptContext(JobRef(cron.namespace, cron.name, cron.uid), spec, Attempt(1, cron.name), defaults)
        problem = next(map(str, refusals(context)), None)
    return f"spec.jobTemplate.{problem}" if problem is not None else None
