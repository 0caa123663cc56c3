"""What lists and watches bring, on its way into the caches."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from daskjob.controller.controller import Controller
from daskjob.controller.feed import Feed
from daskjob.controllers.job.kind import JobKind
from daskjob.controllers.job.watched import WATCHED
from daskjob.manifests.context import Defaults
from daskjob.streams.depth import MOST_LEVELS, TOO_DEEP
from daskjob.streams.shallow_json import parse

from ..crd.cases import a_job
from .counting import Increase


def deep_job(version: str) -> dict[str, Any]:
    """As the session's responses read it."""
    body: dict[str, Any] = a_job(name="deep", namespace="team", uid="1", resourceVersion=version)
    body["spec"]["graph"]["args"] = "HERE"
    text = json.dumps(body).replace('"HERE"', "[" * 9_990 + "]" * 9_990)
    parsed: dict[str, Any] = parse(text.encode())
    return parsed


async def test_what_cannot_be_read_is_counted_and_named_once_a_version(caplog: pytest.LogCaptureFixture) -> None:
    client: Any = None
    controller = Controller(JobKind(client, lambda: datetime(2026, 3, 1, tzinfo=UTC), b"", Defaults()))
    increase, feed, jobs = Increase(), Feed([controller]), WATCHED[0]
    with caplog.at_level(logging.WARNING, logger="daskjob"):
        feed.take(jobs, deep_job("1"))
        feed.keep(jobs, deep_job("1"))
        feed.keep(jobs, deep_job("2"))
    assert increase.of("daskjob_unreadable_objects") == {"daskjobs": 2}
    line = f"daskjobs team/deep cannot be read, and is left alone: it {TOO_DEEP}"
    assert [each.getMessage() for each in caplog.records] == [line, line]
    assert controller.kind.cache.root(("team", "deep")) is not None, "its status is to say so"


async def test_what_can_be_read_is_not_counted(caplog: pytest.LogCaptureFixture) -> None:
    client: Any = None
    controller = Controller(JobKind(client, lambda: datetime(2026, 3, 1, tzinfo=UTC), b"", Defaults()))
    increase, feed, jobs = Increase(), Feed([controller]), WATCHED[0]
    args: list[Any] = []
    for _ in range(MOST_LEVELS - 10):
        args = [args]
    body = a_job(name="sum", namespace="team", uid="1", resourceVersion="1")
    body["spec"]["graph"]["args"] = args
    feed.take(jobs, body)
    assert increase.of("daskjob_unreadable_objects") == {}
    assert caplog.records == []
