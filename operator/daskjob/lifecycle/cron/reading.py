"""Reads a cron job and its jobs from the API server's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from daskjob.api import constants as c
from daskjob.api.constants import ConditionType
from daskjob.api.cron_job import DaskCronJobSpec, DaskCronJobStatus
from daskjob.api.resource_json import from_dict
from daskjob.api.status import DaskJobStatus
from daskjob.api.times import from_text
from daskjob.lifecycle.cron.observation import Child, CronJob

Body = Mapping[str, Any]


def read_cron(body: Body, now: datetime) -> CronJob:
    """Reads a DaskCronJob. `now`: the creation time of an object that has none yet."""
    metadata = body["metadata"]
    return CronJob(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation") or 0,
        created=from_text(metadata.get("creationTimestamp")) or now,
        deleting=bool(metadata.get("deletionTimestamp")),
        spec=from_dict(DaskCronJobSpec, body.get("spec")),
        status=from_dict(DaskCronJobStatus, body.get("status")),
        run_now=(metadata.get("annotations") or {}).get(c.RUN_NOW_ANNOTATION) or None,
    )


def read_child(body: Body, now: datetime) -> Child:
    """Reads a DaskJob of a cron job. `now`: the creation time of an object that has none yet."""
    metadata = body["metadata"]
    status = from_dict(DaskJobStatus, body.get("status"))
    ends = (ConditionType.COMPLETE, ConditionType.FAILED)
    return Child(
        name=metadata["name"],
        uid=metadata["uid"],
        version=metadata.get("resourceVersion", ""),
        created=from_text(metadata.get("creationTimestamp")) or now,
        scheduled_at=from_text((metadata.get("annotations") or {}).get(c.SCHEDULED_AT_ANNOTATION)),
        ended=next((each for each in ends if status.is_true(each)), None),
        ended_at=from_text(status.completion_time),
        deleting=bool(metadata.get("deletionTimestamp")),
    )


def controller_of(body: Body) -> Body | None:
    """The owner reference of the cron job that controls an object; None if none does."""
    owners: list[Body] = body["metadata"].get("ownerReferences") or []
    kinds = (each for each in owners if each.get("controller") and each.get("kind") == "DaskCronJob")
    return next((each for each in kinds if each.get("apiVersion", "").startswith(f"{c.GROUP}/")), None)


def controlled_by(body: Body, uid: str) -> bool:
    """Whether the cron job with that UID controls the object."""
    owner = controller_of(body)
    return owner is not None and owner.get("uid") == uid
