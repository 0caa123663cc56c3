"""A DaskCronJob in its states, with the status that the operator gives it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from daskjob.api.cron_job import DaskCronJobSpec, DaskCronJobStatus
from daskjob.api.resource_json import from_dict, to_dict
from daskjob.lifecycle.blocker import Blocker
from daskjob.lifecycle.cron.decide import decide_cron
from daskjob.lifecycle.cron.observation import CronJob, CronObservation

from .lives import Document

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEMPLATE = {"spec": {"graph": {"entrypoint": "m:f"}, "cluster": {"image": "i"}}}


def schedule(
    status: Any = ..., spec: Document | None = None, refusal: Blocker | None = None, **metadata: Any
) -> Document:
    """One that the operator has seen; with `refusal`, whose last job it could not make. `status` is instead of the
    operator's own: none at all if that is None."""
    metadata = {"name": "nightly", "namespace": "team", "uid": "u", "generation": 1, **metadata}
    document = {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskCronJob",
        "metadata": metadata,
        "spec": {"schedule": "0 6 * * *", "jobTemplate": TEMPLATE, **(spec or {})},
    }
    if status is None:
        return document
    return {**document, "status": written(document["spec"], refusal) if status is ... else status}


def written(spec: Document, refusal: Blocker | None) -> Document:
    """What the operator writes of generation 1."""
    parsed = from_dict(DaskCronJobSpec, spec)
    cron = CronJob("team", "nightly", "u", 1, NOW, False, parsed, DaskCronJobStatus())
    status: Document = to_dict(decide_cron(CronObservation(NOW, cron, refusal=refusal)).status)
    return status
