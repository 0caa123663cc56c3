"""Kubernetes Events on a job."""

from __future__ import annotations

import re
from dataclasses import replace

from daskjob.controller.events import event_body
from daskjob.lifecycle.event import Event

from ..lifecycle.builders import NOW, a_job

JOB = a_job().accepted().observe().job
EVENT = Event("ImagePullFailed", "no such image", warning=True)


def test_an_event_has_all_that_the_api_server_and_kubectl_ask_for() -> None:
    body = event_body(JOB, EVENT, NOW)
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
    assert event_body(JOB, replace(EVENT, warning=False), NOW)["type"] == "Normal"


def test_telling_it_twice_leaves_one() -> None:
    name = event_body(JOB, EVENT, NOW)["metadata"]["name"]
    assert re.fullmatch(r"sum\.[0-9a-f]{16}", name)
    assert event_body(JOB, EVENT, NOW.replace(hour=23))["metadata"]["name"] == name
    others = [
        event_body(JOB, replace(EVENT, message="another"), NOW),
        event_body(JOB, replace(EVENT, reason="Other"), NOW),
        event_body(replace(JOB, uid="other"), EVENT, NOW),
    ]
    assert name not in {each["metadata"]["name"] for each in others}


def test_words_that_are_no_text_can_be_told() -> None:
    event_body(JOB, replace(EVENT, message="\ud800"), NOW)
