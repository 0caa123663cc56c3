"""Kubernetes Events on a job."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

import pytest

from daskjob.api.resource import DASK_JOBS
from daskjob.controller.events import event_body
from daskjob.controllers.job.kind import JobKind
from daskjob.kube.client import Body
from daskjob.kube.refusal import classify
from daskjob.lifecycle.event import Event
from daskjob.lifecycle.job.observation import Job
from daskjob.manifests.context import Defaults

from ..lifecycle.builders import NOW, a_job
from .test_reconcile import Setting, deep

JOB = a_job().accepted().observe().job
KIND = JobKind(None, lambda: NOW, b"", Defaults())  # type: ignore[arg-type]
EVENT = Event("ImagePullFailed", "no such image", warning=True)


def body_of(job: Job, event: Event, now: datetime) -> Body:
    return event_body(DASK_JOBS, job.namespace, job.name, job.uid, KIND.event_key(job, event), event, now)


def test_an_event_has_all_that_the_api_server_and_kubectl_ask_for() -> None:
    body = body_of(JOB, EVENT, NOW)
    assert (body["type"], body["reason"], body["message"]) == ("Warning", "ImagePullFailed", "no such image")
    assert body["involvedObject"] == {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskJob",
        "namespace": "team",
        "name": "sum",
        "uid": JOB.uid,
    }
    assert body["eventTime"] == "2026-03-01T12:00:00.000000Z"
    assert body["firstTimestamp"] == body["lastTimestamp"] == "2026-03-01T12:00:00Z"
    for field in ("reportingComponent", "reportingInstance", "action"):
        assert 0 < len(body[field]) <= 128, f"an event with an eventTime needs {field}"
    assert body_of(JOB, replace(EVENT, warning=False), NOW)["type"] == "Normal"


def test_telling_it_twice_leaves_one() -> None:
    name = body_of(JOB, EVENT, NOW)["metadata"]["name"]
    assert re.fullmatch(r"sum\.[0-9a-f]{16}", name)
    assert body_of(JOB, EVENT, NOW.replace(hour=23))["metadata"]["name"] == name
    others = [
        body_of(JOB, replace(EVENT, message="another"), NOW),
        body_of(JOB, replace(EVENT, reason="Other"), NOW),
        body_of(replace(JOB, uid="other"), EVENT, NOW),
    ]
    assert name not in {each["metadata"]["name"] for each in others}


def test_words_that_are_no_text_can_be_told() -> None:
    body_of(JOB, replace(EVENT, message="\ud800"), NOW)


async def test_a_warning_that_cannot_be_posted_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Such as what is left of a job whose namespace is being deleted."""
    setting = Setting({"graph": {"entrypoint": "m:f", "args": [deep(65)]}})
    words = "unable to create new content in namespace team because it is being terminated"
    setting.client.refusals["create", "Event"] = classify(403, words)
    await setting.look()
    [line] = [each.message for each in caplog.records if each.levelname == "WARNING"]
    assert "event not posted for team/sum: InvalidSpec: spec.graph" in line
    assert words in line
