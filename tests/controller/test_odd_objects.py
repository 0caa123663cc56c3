"""Objects that no schema would let in cost only themselves, on every way into the caches."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.api import constants as c
from daskjob.controller.controller import Controller
from daskjob.controller.feed import Feed
from daskjob.controller.kind import Watched
from daskjob.controller.resync import resync
from daskjob.controllers.cron.kind import CronKind
from daskjob.controllers.job.kind import JobKind
from daskjob.controllers.job.watched import WATCHED
from daskjob.lifecycle.job.reading import read_job
from daskjob.manifests.context import Defaults
from daskjob.streams.depth import UNREADABLE

from ..lifecycle.builders import NOW
from ..lifecycle.model import ModelClient, Server
from .counting import Increase

Body = dict[str, Any]
ALL = (*WATCHED, *CronKind.watched)
JOBS, PODS, GROUPS = WATCHED[0], WATCHED[4], WATCHED[3]

#: Fields that something reads, at any depth.
FIELDS = """spec status graph cluster source configMap workers worker replicas template containers name readinessGates
conditions type containerStatuses state phase attempts completionTime result failure value outcome jobTemplate"""
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS.split()), inner, max_size=4),
    max_leaves=12,
)
RUNNING = {"attempt": 1, "attempts": [{"number": 1, "name": "odd-1", "startTime": "2026-03-01T12:00:00Z"}]}


def a_feed() -> Feed:
    client: Any = None
    kinds = (
        JobKind(client, lambda: datetime(2026, 3, 1, tzinfo=UTC), b"", Defaults()),
        CronKind(client, lambda: NOW, Defaults()),
    )
    return Feed([Controller(kind) for kind in kinds])


def a_body(watched: Watched, name: str = "odd", version: str = "7", **parts: Any) -> Body:
    labels = {c.MANAGED_BY_LABEL: c.MANAGER, c.JOB_LABEL: "odd", c.JOB_UID_LABEL: "odd", c.ATTEMPT_LABEL: "1"}
    metadata = {"namespace": "team", "name": name, "uid": name, "resourceVersion": version, "labels": labels}
    kind = watched.resource
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **parts}


@given(st.sampled_from(ALL), ODD, ODD)
async def test_whatever_a_part_is_the_object_is_kept(watched: Watched, spec: Any, status: Any) -> None:
    """By a watch, by a list, and by a resync, which also queues it; and when the operator begins to lead."""
    feed, body = a_feed(), a_body(watched, spec=spec, status=status)
    if watched is not JOBS:
        feed.take(JOBS, a_body(JOBS, spec={}, status=RUNNING))
    feed.take(watched, body)
    kept = feed.keep(watched, body)
    feed.is_known(kept)
    feed.note(watched, "MODIFIED", kept)
    server = Server()
    server.objects = {(watched.resource.kind, "odd"): body}
    client: Any = ModelClient(server, lambda: "2026-03-01T12:00:00Z")
    await resync(client, feed, ())
    found = feed.watched[watched][0].kind.cache.find(watched.resource.kind, "team", "odd")
    assert found is not None
    assert found["metadata"]["uid"] == "odd"
    for controller in feed.controllers:
        for collector in controller.kind.collectors():
            assert list(collector.collect())
    jobs: Any = feed.controllers[0].kind
    jobs.slots.fill()
    feed.note(watched, "DELETED", kept)


@pytest.mark.parametrize(
    ("watched", "parts"),
    [
        (GROUPS, {"spec": "x"}),
        (PODS, {"status": {"conditions": {"type": "Ready"}, "phase": "Running"}}),
        (JOBS, {"spec": {"graph": "x"}}),
    ],
    ids=["DaskWorkerGroup", "Pod", "DaskJob"],
)
async def test_it_is_counted_and_named_once_a_version(
    watched: Watched, parts: Body, caplog: pytest.LogCaptureFixture
) -> None:
    increase, feed, body = Increase(), a_feed(), a_body(watched, **parts)
    server = Server()
    server.objects = {(watched.resource.kind, "odd"): body}
    client: Any = ModelClient(server, lambda: "2026-03-01T12:00:00Z")
    feed.take(watched, body)
    feed.keep(watched, body)
    await resync(client, feed, ())
    feed.keep(watched, a_body(watched, version="8", **parts))
    plural = watched.resource.plural
    assert increase.of("daskjob_unreadable_objects") == {plural: 2}
    (line, same) = (each.getMessage() for each in caplog.records)
    assert line.startswith(
        f"{plural} team/odd cannot be read, and is left alone: it is not as its schema says (AttributeError"
    )
    assert same == line


def test_of_a_job_that_cannot_be_read_its_status_and_plain_fields_count() -> None:
    """It is told so, unless it is another controller's; an attempt that runs goes on."""
    spec = {"graph": "x", "cancel": True, "managedBy": "example.com/other"}
    kept = JOBS.keep(a_body(JOBS, spec=spec, status=RUNNING))
    job = read_job(kept, NOW)
    assert (job.spec_problem or "").startswith("spec: is not as its schema says (AttributeError: ")
    assert (job.spec_problem or "").endswith("; delete the job, and apply one that differs")
    assert job.spec.cancel
    assert job.unmanaged, "another controller looks after it"
    assert [each.name for each in job.status.attempts] == ["odd-1"]


def test_a_pod_whose_status_cannot_be_read_exists_and_says_nothing() -> None:
    kept = PODS.keep(a_body(PODS, status={"conditions": ["x"], "phase": "Succeeded"}))
    assert kept["metadata"]["uid"] == "odd"
    assert "status" not in kept
    assert json.dumps(kept)


@pytest.mark.parametrize("body", [{}, {"metadata": 1}, {"metadata": {"labels": 1}}])
def test_what_is_no_object_of_the_api_server_is_refused(body: Body) -> None:
    with pytest.raises(ValueError, match="metadata that no API server has"):
        PODS.keep(body)


def test_what_can_be_read_is_kept_as_before() -> None:
    body = a_body(PODS, spec={"containers": [{"name": "x"}]}, status={"phase": "Running"})
    assert PODS.keep(body) == PODS.keeper(body)
    assert UNREADABLE not in PODS.keep(body)
