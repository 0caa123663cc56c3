"""Kubernetes Events on jobs and cron jobs, as `kubectl describe` shows them."""

from __future__ import annotations

import hashlib
from datetime import datetime

from daskjob.api import constants as c
from daskjob.api.times import to_seconds_text, to_text
from daskjob.kube.client import Body
from daskjob.lifecycle.event import Event
from daskjob.lifecycle.job.observation import Job


def event_body(job: Job, event: Event, now: datetime) -> Body:
    """The Event on a job."""
    involved = {
        "apiVersion": c.API_VERSION,
        "kind": "DaskJob",
        "namespace": job.namespace,
        "name": job.name,
        "uid": job.uid,
    }
    return event_on(involved, f"{job.uid}/{job.status.attempt}/{event.reason}/{event.message}", event, now)


def event_on(involved: Body, told: str, event: Event, now: datetime) -> Body:
    """The Event on an object. Its name follows from what it tells, `told`, so telling it twice leaves one."""
    digest = hashlib.sha256(told.encode(errors="replace")).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": involved["namespace"], "name": f"{involved['name']}.{digest}"},
        "involvedObject": involved,
        "type": "Warning" if event.warning else "Normal",
        "reason": event.reason,
        "message": event.message,
        "action": event.reason,
        "eventTime": to_text(now),
        "firstTimestamp": to_seconds_text(now),
        "lastTimestamp": to_seconds_text(now),
        "count": 1,
        "reportingComponent": c.MANAGER,
        "reportingInstance": c.MANAGER,
        "source": {"component": c.MANAGER},
    }
