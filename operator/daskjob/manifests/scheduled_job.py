"""The DaskJob that the operator creates for a cron job."""

from __future__ import annotations

import copy
from typing import Any

from daskjob.api import constants as c
from daskjob.errors import SpecError
from daskjob.lifecycle.cron.observation import CreateJob, CronJob
from daskjob.lifecycle.cron.schedule import find_zone
from daskjob.manifests.names import reference
from daskjob.schema.limits import problems_in


def dask_job(cron: CronJob, run: CreateJob) -> dict[str, Any]:
    """The DaskJob of the template, with the scheduled time in its annotations, as Kubernetes' CronJob has it.

    Raises SpecError if its spec exceeds a limit that no schema checks: it could not even be sent.
    """
    template = cron.spec.job_template
    problem = next(problems_in(template.spec, "spec.jobTemplate.spec"), None)
    if problem is not None:
        raise SpecError(problem.path, problem.message)
    annotations = dict(template.metadata.annotations)
    if run.scheduled_at is not None:
        moment = run.scheduled_at.astimezone(find_zone(cron.spec.time_zone))
        annotations[c.SCHEDULED_AT_ANNOTATION] = moment.isoformat(timespec="seconds")
    elif cron.run_now is not None:
        annotations[c.RUN_NOW_ANNOTATION] = cron.run_now
    return {
        "apiVersion": c.API_VERSION,
        "kind": "DaskJob",
        "metadata": {
            "namespace": cron.namespace,
            "name": run.name,
            "labels": {**template.metadata.labels, c.CRON_JOB_LABEL: cron.name},
            "annotations": annotations,
            "ownerReferences": [reference(c.API_VERSION, "DaskCronJob", cron.name, cron.uid)],
        },
        "spec": copy.deepcopy(dict(template.spec)),
    }
