"""Whole jobs that just came in, so that they need not be asked for."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.controllers.job import recent_specs
from daskjob.controllers.job.recent_specs import RecentSpecs

from .test_reconcile import Setting


def job(uid: str, generation: int = 1, **more: Any) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "generation": generation}, "spec": {"graph": "\ud800", "args": [1e308]}, **more}


def test_a_job_is_given_back_whole_and_once() -> None:
    recent = RecentSpecs()
    recent.put(job("a"))
    assert recent.take("a", 1) == job("a")
    assert recent.take("a", 1) is None


def test_only_the_generation_that_is_asked_for_is_right() -> None:
    recent = RecentSpecs()
    recent.put(job("a", 1))
    recent.put(job("a", 2))
    assert recent.take("a", 1) is None
    recent.put(job("a", 2))
    recent.put(job("a", 2, spec="later, of the same generation"))
    assert recent.take("a", 2) == job("a", 2)


def test_a_job_that_had_an_attempt_is_not_kept() -> None:
    recent = RecentSpecs()
    recent.put(job("a", status={"attempts": [{}]}))
    recent.put(job("b", status=["odd"]))
    assert recent.take("a", 1) is None
    assert recent.take("b", 1) is not None


def test_a_job_too_deep_to_be_written_is_not_kept() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    recent = RecentSpecs()
    recent.put(job("a", args=deep))
    assert recent.take("a", 1) is None


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_specs, "MOST_BYTES", 1000)
    monkeypatch.setattr(recent_specs, "MOST_OF_ONE", 300)
    recent = RecentSpecs()
    recent.put(job("large", spec="x" * 300))
    for number in range(100):
        recent.put(job(str(number), spec="x" * 100))
    assert recent._bytes == sum(len(text) for _, text in recent._texts.values()) <= 1000
    assert recent.take("large", 1) is None
    assert recent.take("0", 1) is None
    assert recent.take("99", 1) is not None
    for uid in list(recent._texts):
        recent.take(uid, 1)
    assert recent._bytes == 0


async def test_a_job_that_just_came_in_is_not_asked_for() -> None:
    setting = Setting()
    await setting.look()
    assert ("get", "DaskJob") in setting.client.requests, "the cache has not all of it"
    setting = Setting()
    setting.controller.kind.arrived(setting.job)
    await setting.look()
    assert ("get", "DaskJob") not in setting.client.requests
    assert setting.server.all("DaskJobReport") != []
