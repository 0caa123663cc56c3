"""Who runs and who waits, as passes read and write jobs one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from daskjob.api.constants import TOKEN_ANNOTATION, Reason
from daskjob.api.resource import DASK_JOBS
from daskjob.api.status import Attempt
from daskjob.api.tokens import Tokens
from daskjob.controller.cache import Cache, Key
from daskjob.controllers.job import slots
from daskjob.controllers.job.slots import MOST_MOVED, Slots
from daskjob.controllers.job.watched import job_of
from daskjob.kube.client import Body
from daskjob.lifecycle.job.decision import Decision
from daskjob.lifecycle.job.observation import Job, Observation, QueuePlace
from daskjob.lifecycle.job.queueing import RunLimits
from daskjob.lifecycle.job.reading import observe, read_job
from daskjob.lifecycle.job.startup_pace import COUNTS_FOR, FEWEST

from ..lifecycle.builders import NOW

TOKENS = Tokens("secret")
OPEN = {"attempt": 1, "attempts": [{"number": 1, "startTime": "2026-03-01T11:00:00Z"}]}
CLOSED = {"attempt": 1, "attempts": [{"number": 1, "completionTime": "2026-03-01T11:30:00Z"}]}
DONE = {"conditions": [{"type": "Complete", "status": "True"}, {"type": "CleanedUp", "status": "True"}]}
ENDED = {**CLOSED, "conditions": [{"type": "Complete", "status": "True"}]}


class Refused(Exception):
    """The API server did not take a status."""


class Jobs:
    """Jobs of one namespace, and a queue with room for so many."""

    def __init__(self, total: int = 1) -> None:
        self.cache = Cache(DASK_JOBS, job_of)
        self.woken: list[str] = []
        self.now = NOW
        self.slots = Slots(self.cache, RunLimits(total), lambda: self.now, lambda key: self.woken.append(key[1]))
        self.version = 0

    def put(self, name: str, status: dict[str, Any] | None = None, uid: str = "", **spec: Any) -> Body:
        """A watch delivers a job. They were created in the order of their names."""
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
            "status": self._named(status or {}, f"{name}-1"),
        }
        self.cache.put(body)
        return body

    def _named(self, status: dict[str, Any], attempt: str) -> dict[str, Any]:
        attempts = [{**each, "name": attempt, "tokenDigest": TOKENS.digest} for each in status.get("attempts", ())]
        return {**status, **({"attempts": attempts} if attempts else {})}

    def put_part(self, job: str, kind: str = "DaskCluster", **metadata: Any) -> Body:
        """A watch delivers an object of a job's first attempt."""
        self.version += 1
        labels = {"daskjob.io/job": job, "daskjob.io/job-uid": f"uid-{job}", "daskjob.io/attempt": "1"}
        name = f"{job}-1-runner" if kind == "Pod" else f"{job}-1"
        token = TOKENS.cluster if kind == "DaskCluster" else TOKENS.runner
        marks = {"labels": labels, "annotations": {TOKEN_ANNOTATION: token}}
        meta = {"namespace": "team", "name": name, "uid": f"uid-{job}-{kind}", **marks, **metadata}
        body = {"kind": kind, "metadata": {**meta, "resourceVersion": str(self.version)}}
        self.cache.put(body)
        return body

    def run(self, name: str, writes: dict[str, Any] | None = None, starts: bool = False, fails: bool = False) -> int:
        """One pass; returns the job's place in it. `writes`: it records that status; `starts`: it records an attempt;
        `fails`: the record is refused."""
        key: Key = ("team", name)
        places: list[QueuePlace] = []
        try:
            with self.slots.passing(key):
                body = self.cache.root(key)
                if body is not None:
                    observation = observe(read_job(body, self.now), self.cache.owned(key), self.now)
                    decision = self.slots.decide(key, observation, self._rule(starts, places))
                    if fails:
                        raise Refused
                    if starts or writes:
                        written = self.put(name, writes or OPEN, body["metadata"]["uid"], **body["spec"])
                        status = decision.status if starts else read_job(written, self.now).status
                        self.slots.recorded(key, status)
        except Refused:
            pass
        return places[0].position if places else 0

    def _rule(self, starts: bool, places: list[QueuePlace]) -> Any:
        def rule(observation: Observation) -> Decision:
            places.append(observation.queue_place)
            status = observation.job.status
            return Decision(replace(status, attempt=1, attempts=(Attempt(1, "a"),)) if starts else status)

        return rule

    def look(self, *names: str) -> None:
        """One pass over each, which changes nothing."""
        for name in names:
            self.run(name)
        self.woken.clear()

    def place(self, name: str) -> int:
        return self.slots.place(("team", name)).position


def test_without_limits_nobody_waits() -> None:
    jobs = Jobs(0)
    jobs.put("a", OPEN)
    jobs.put("b")
    jobs.look("a", "b")
    assert jobs.slots.place(("team", "b")) == QueuePlace()


def test_a_job_that_is_not_known_waits_for_nothing() -> None:
    assert Jobs().place("a") == 0


def test_of_two_that_look_at_the_same_time_one_starts() -> None:
    jobs = Jobs()
    jobs.put("a")
    jobs.put("b")
    jobs.look("b")
    assert jobs.place("b") == 0
    with jobs.slots.passing(("team", "a")):
        observation = observe(read_job(jobs.put("a"), NOW), (), NOW)
        jobs.slots.decide(("team", "a"), observation, jobs._rule(True, []))
        assert jobs.run("b") == 1, "a's start is being written, and the cache does not have it yet"


def test_a_start_that_failed_makes_room() -> None:
    jobs = Jobs()
    jobs.put("a")
    jobs.put("b")
    jobs.run("a", starts=True, fails=True)
    assert jobs.run("b") == 0


def test_a_job_that_cannot_be_started_holds_up_nobody() -> None:
    """Else one whose status the API server refuses, for ever, would keep its place at the head of the queue."""
    jobs = Jobs()
    jobs.put("a")
    jobs.put("b")
    jobs.look("a", "b")
    assert (jobs.place("a"), jobs.place("b")) == (0, 1)
    jobs.run("a", starts=True, fails=True)
    assert jobs.woken == ["b"]
    jobs.run("b", starts=True)
    assert jobs.run("a") == 1, "its next pass finds it at the head of the queue again"


def test_a_job_that_has_ended_makes_room_when_its_cluster_is_gone() -> None:
    jobs = Jobs()
    jobs.put("a", OPEN)
    cluster = jobs.put_part("a")
    jobs.put("b")
    jobs.look("a", "b")
    jobs.run("a", writes=ENDED)
    assert (jobs.woken, jobs.place("b")) == ([], 1)
    jobs.cache.drop(cluster)
    jobs.run("a")
    assert (jobs.woken, jobs.place("b")) == (["b"], 0)
    jobs.run("a", writes={**ENDED, **DONE})
    assert jobs.woken == ["b"], "once"


def test_a_suspended_job_makes_room_when_its_cluster_is_gone() -> None:
    jobs = Jobs()
    jobs.put("a", CLOSED, suspend=True)
    cluster = jobs.put_part("a")
    jobs.put("b")
    jobs.look("a", "b")
    assert jobs.place("b") == 1
    jobs.cache.drop(cluster)
    jobs.run("a")
    assert jobs.woken == ["b"]


def test_all_that_may_start_are_woken_once() -> None:
    jobs = Jobs(2)
    for name in "ab":
        jobs.put(name, OPEN)
    for name in "cde":
        jobs.put(name)
    jobs.look(*"abcde")
    jobs.run("a", writes=DONE)
    jobs.run("b", writes=DONE)
    assert jobs.woken == ["c", "d"]


@pytest.mark.parametrize(("total", "place"), [(2, 1), (3, 0)])
def test_a_new_process_finds_who_runs_and_who_waits(total: int, place: int) -> None:
    jobs = Jobs(total)
    jobs.put("a", OPEN)
    jobs.put("b", {**ENDED, **DONE})
    jobs.put("c", ENDED)
    jobs.put_part("c")
    jobs.put("d")
    # Nothing proves that it was a job's: anybody may create it.
    jobs.put_part("gone", "Pod")
    jobs.slots.fill()
    assert jobs.place("d") == place


def test_a_new_process_wakes_those_that_may_start() -> None:
    jobs = Jobs(2)
    for name in "abc":
        jobs.put(name)
    jobs.slots.fill()
    assert jobs.woken == ["a", "b"]


def test_a_job_that_cannot_be_counted_keeps_no_new_process_from_leading(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(body: Body, now: datetime) -> Job:
        if body["metadata"]["name"] == "a":
            raise AttributeError("odd")
        return read_job(body, now)

    monkeypatch.setattr(slots, "read_job", fails)
    jobs = Jobs(2)
    for name in "abc":
        jobs.put(name)
    jobs.slots.fill()
    assert jobs.woken == ["b", "c"]
    assert [each.getMessage() for each in caplog.records] == [
        "team/a cannot be counted among the jobs that run or wait"
    ]


def test_starts_are_paced_and_the_next_ones_follow_as_these_come_up() -> None:
    jobs = Jobs(0)
    names = [f"a{number:03}" for number in range(FEWEST + 3)]
    for name in names:
        jobs.put(name)
    started = [name for name in names if jobs.run(name) == 0 and jobs.run(name, starts=True) == 0]
    assert started == names[:FEWEST]
    place = jobs.slots.place(("team", names[FEWEST]))
    assert (place.position, place.reason, place.since) == (1, Reason.STARTUP_PACE, NOW)
    jobs.look(*names)
    jobs.put(names[0], OPEN)
    report = jobs.put_part(names[0], "DaskJobReport")
    jobs.cache.put({**report, "status": {"protocol": 1, "seq": 1, "stage": "Running"}})
    jobs.run(names[0])
    assert jobs.woken == names[FEWEST : FEWEST + 2], "one in its place, and one more"


def test_attempts_that_do_not_start_stop_counting() -> None:
    jobs = Jobs(0)
    names = [f"a{number:03}" for number in range(FEWEST + 3)]
    for name in names:
        jobs.put(name)
        jobs.run(name, starts=jobs.place(name) == 0 and name < names[FEWEST])
    jobs.woken.clear()
    jobs.now += COUNTS_FOR - timedelta(seconds=1)
    jobs.slots.tick()
    assert jobs.woken == []
    jobs.now += timedelta(seconds=1)
    jobs.slots.tick()
    assert jobs.woken == names[FEWEST:]


def waiting(count: int) -> Jobs:
    """A job that runs, and so many that wait, each with its place in its status."""
    jobs = Jobs()
    jobs.put("a", OPEN)
    jobs.look("a")
    for number in range(count):
        name = f"b{number:05}"
        jobs.put(name)
        place = jobs.run(name)
        condition = {"type": "Queued", "status": "True", "reason": "OperatorLimit"}
        jobs.run(name, writes={"queuePosition": place, "conditions": [condition]})
    jobs.woken.clear()
    jobs.slots.update_places()
    assert jobs.woken == []
    return jobs


def test_waiting_jobs_are_woken_seldom_for_their_places() -> None:
    """Each that leaves moves all those behind it."""
    count = 200
    jobs, woken = waiting(count), 0
    for number in range(count):
        jobs.cache.drop(jobs.put(f"b{number:05}"))
        jobs.run(f"b{number:05}")
        jobs.woken.clear()
        for _ in range(3):
            jobs.slots.update_places()
            assert len(jobs.woken) <= MOST_MOVED
            moved, jobs.woken = jobs.woken, []
            for name in moved:
                body = jobs.cache.root(("team", name))
                assert body is not None
                known, place = body["status"]["queuePosition"], jobs.place(name)
                assert 2 * place <= known
                jobs.run(name, writes={**body["status"], "queuePosition": place})
                woken += 1
            jobs.woken.clear()
    assert woken <= count * 8, "as often as a place can halve"


def test_nothing_is_woken_while_nothing_changes() -> None:
    jobs = waiting(50)
    for _ in range(100):
        jobs.now += timedelta(seconds=10)
        jobs.slots.tick()
        jobs.slots.update_places()
    assert jobs.woken == []


@pytest.mark.parametrize("name", ["b", "c"])
def test_a_waiting_job_that_goes_away_wakes_nobody(name: str) -> None:
    jobs = Jobs()
    jobs.put("a", OPEN)
    body = {each: jobs.put(each) for each in "bc"}[name]
    jobs.look("a", "b", "c")
    jobs.cache.drop(body)
    jobs.run(name)
    assert jobs.woken == []


def test_who_was_woken_may_start() -> None:
    jobs = Jobs(1)
    jobs.put("a", OPEN)
    jobs.put("b")
    jobs.put("c")
    jobs.look("a", "b", "c")
    assert not any(jobs.slots.may_start(("team", each)) for each in "abc")
    jobs.put("a", DONE)
    jobs.run("a")
    assert jobs.woken == ["b"]
    assert [each for each in "abc" if jobs.slots.may_start(("team", each))] == ["b"]
    jobs.run("b", starts=True)
    assert not jobs.slots.may_start(("team", "b"))
