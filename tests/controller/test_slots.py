"""Who runs and who waits, from what the watches told, while starts are being written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from daskjob.api.status import Attempt
from daskjob.controller.cache import Cache, Key
from daskjob.controllers.job import slots as module
from daskjob.controllers.job.slots import Slots
from daskjob.controllers.job.watched import job_of
from daskjob.kube.resources import DASK_JOBS
from daskjob.lifecycle.job.decision import Decision
from daskjob.lifecycle.job.observation import QueuePlace
from daskjob.lifecycle.job.queueing import RunLimits
from daskjob.lifecycle.job.reading import observe, read_job

from ..lifecycle.builders import NOW

OPEN = {"attempt": 1, "attempts": [{"number": 1, "name": "a", "startTime": "2026-03-01T11:00:00Z"}]}
DONE = {"conditions": [{"type": "Complete", "status": "True"}]}


class Jobs:
    """Jobs of one namespace, made in the order of their names, and a queue with room for so many."""

    def __init__(self, total: int = 1) -> None:
        self.cache = Cache(DASK_JOBS, job_of)
        self.woken: list[str] = []
        self.slots = Slots(self.cache, RunLimits(total), lambda: NOW, lambda key: self.woken.append(key[1]))
        self.version = 0

    def put(self, name: str, status: dict[str, Any] | None = None, uid: str = "", **spec: Any) -> dict[str, Any]:
        self.version += 1
        body = {
            "kind": "DaskJob",
            "metadata": {
                "namespace": "team",
                "name": name,
                "uid": uid or f"uid-{name}",
                "resourceVersion": str(self.version),
                "creationTimestamp": f"2026-03-01T10:00:{ord(name[0]) - 97:02}Z",
            },
            "spec": {"graph": {"entrypoint": "m:f"}, **spec},
            "status": status or {},
        }
        self.cache.put(body)
        return body

    def place(self, name: str) -> int:
        return self.slots.place(("team", name)).position

    def settled(self, name: str) -> list[str]:
        """Who is woken at the end of a pass."""
        self.woken.clear()
        with self.slots.passing(("team", name)):
            pass
        return self.woken

    def starts(self, name: str) -> None:
        """A pass decides that the job starts, and begins to write that."""
        body = self.cache.root(("team", name))
        assert body is not None
        observation = observe(read_job(body, NOW), (), NOW)
        started = replace(observation.job.status, attempt=1, attempts=(Attempt(1, "a"),))
        self.slots.decide(("team", name), observation, lambda _: Decision(started))


def test_without_limits_nobody_waits_and_nobody_is_woken() -> None:
    jobs = Jobs(0)
    jobs.put("a", OPEN)
    jobs.put("b")
    assert jobs.slots.place(("team", "b")) == QueuePlace()
    jobs.put("a", DONE)
    assert jobs.settled("a") == []


def test_a_job_that_is_not_known_waits_for_nothing() -> None:
    assert Jobs().place("a") == 0


def test_of_two_that_look_at_the_same_time_one_starts() -> None:
    jobs = Jobs()
    jobs.put("a")
    jobs.put("b")
    assert (jobs.place("a"), jobs.place("b")) == (0, 1)
    jobs.starts("a")
    assert jobs.place("b") == 1, "its start is being written, and the store does not know yet"
    jobs.put("a", OPEN)
    assert jobs.settled("a") == []
    assert jobs.place("b") == 1


def test_a_start_that_failed_makes_room() -> None:
    """The write was refused: whoever is first then starts, this one or another."""
    jobs = Jobs()
    jobs.put("b")
    jobs.starts("b")
    jobs.put("a")
    assert jobs.place("a") == 1
    assert jobs.settled("b") == ["a"]
    assert (jobs.place("a"), jobs.place("b")) == (0, 1)


@pytest.mark.parametrize(
    ("status", "spec"),
    [(DONE, {}), ({**OPEN, "attempts": [{"number": 1, "completionTime": "2026-03-01T11:30:00Z"}]}, {"suspend": True})],
    ids=["ended", "suspended"],
)
def test_who_makes_room_wakes_the_next(status: dict[str, Any], spec: dict[str, Any]) -> None:
    jobs = Jobs()
    jobs.put("a", OPEN)
    jobs.put("b")
    jobs.put("c")
    assert jobs.settled("a") == []
    jobs.put("a", status, **spec)
    assert jobs.settled("a") == ["b"]
    assert jobs.settled("a") == [], "once"


def test_all_who_may_start_are_woken() -> None:
    jobs = Jobs(2)
    for name in "ab":
        jobs.put(name, OPEN)
    for name in "cde":
        jobs.put(name)
    jobs.settled("a")
    for name in "ab":
        jobs.put(name, DONE)
    assert jobs.settled("a") == ["c", "d"]


def test_a_job_that_was_deleted_makes_room() -> None:
    jobs = Jobs()
    body = jobs.put("a", OPEN)
    jobs.put("b")
    jobs.settled("b")
    jobs.cache.drop(body)
    assert jobs.settled("a") == ["b"]


def test_a_namesake_of_a_job_that_ran_makes_room() -> None:
    jobs = Jobs()
    jobs.put("b", OPEN)
    jobs.put("a")
    jobs.settled("b")
    jobs.put("b", uid="another")
    assert jobs.settled("b") == ["a"]


def test_a_job_is_read_once_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a thousand jobs, every pass looks at all of them."""
    read: list[Key] = []
    original = module.read_job
    monkeypatch.setattr(
        module, "read_job", lambda body, now: read.append(body["metadata"]["name"]) or original(body, now)
    )
    jobs = Jobs()
    jobs.put("a", OPEN)
    jobs.put("b")
    for _ in range(3):
        jobs.place("b")
    assert read == ["a", "b"]
    jobs.put("b", DONE)
    jobs.place("a")
    assert read == ["a", "b", "b"]
