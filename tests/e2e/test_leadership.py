"""Two operators, of which one leads: the leader dies or hangs amid jobs, and the other one goes on with them, alone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from ..support.containers import main_process, runs
from ..support.jobs import Job, apply, manifest, result_of
from ..support.kube import Kube, Manifest
from ..support.platform import SYSTEM, Release
from ..support.sources import COUNT, FAILS_AT_FIRST, SLEEP
from ..support.waiting import wait_for

#: Seconds from a leader's death to another one's lease, and to the first job that goes on.
TAKE_OVER = 20.0
LEASE = "daskjob-operator"


@pytest.fixture(scope="module")
def two(release: Release) -> Iterator[Release]:
    """Two operators; one again afterwards."""
    release.install({"operator": {"replicas": 2}})
    yield release
    release.install()
    wait_for("one operator", lambda: len(release.pods("operator")), lambda count: count == 1, 60)


@dataclass
class Leader:
    """The operator that leads now."""

    release: Release
    pod: Manifest
    process: int

    @classmethod
    def of(cls, release: Release) -> Leader:
        """As soon as it leads and the other one stands by."""

        def pods() -> dict[str, Manifest]:
            return {pod["metadata"]["name"]: pod for pod in release.pods("operator") if is_ready(pod)}

        both = wait_for("two operators to be ready", pods, lambda found: len(found) == 2, 90)
        holder = wait_for("one of them to lead", lambda: holder_of(release), lambda name: name in both, 40)
        return cls(release, both[holder], main_process(both[holder]))

    @property
    def name(self) -> str:
        return str(self.pod["metadata"]["name"])

    def kill(self) -> None:
        """As a machine that loses power does: no word to anybody, and nothing is started again in its place.

        It is stopped before it is killed, for a pod that is gone: the kubelet would start a container of a pod that
        is still there anew, under the same name, which leads again at once.
        """
        os.kill(self.process, signal.SIGSTOP)
        self.release.kube.within(SYSTEM).delete("pod", self.name, now=True)

    def is_over(self, seconds: float) -> None:
        wait_for("the old leader's process to end", lambda: runs(self.process), lambda it: not it, seconds)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """As a machine that stands still for a while: the process knows nothing of it, and believes that it leads."""
        os.kill(self.process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process, signal.SIGCONT)


def is_ready(pod: Manifest) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def holder_of(release: Release) -> str:
    """The name of the pod that has the lease; "" if none has."""
    lease = release.kube.within(SYSTEM).get("lease", LEASE) or {}
    return str((lease.get("spec") or {}).get("holderIdentity") or "")


@dataclass
class Succession:
    """What was seen from the leader's end on, in seconds after it."""

    holders: list[str]
    taken_over: float
    went_on: float

    @classmethod
    def watch(cls, release: Release, kube: Kube, old: str, began: float) -> Succession:
        """Until another one leads and a job goes on. What happens to a job is the runner's; that it is written into
        its status is the operator's."""
        before, holders, times = statuses(kube), [old], {"taken_over": 0.0, "went_on": 0.0}

        def note(name: str) -> None:
            # When it was seen, which is a little later than it was.
            times[name] = times[name] or time.monotonic() - began

        def look() -> dict[str, float]:
            holder = holder_of(release)
            if holder != holders[-1]:
                holders.append(holder)
            if holder not in (old, ""):
                note("taken_over")
            now = statuses(kube)
            if any(now.get(name) != status for name, status in before.items()):
                note("went_on")
            return times

        wait_for("another operator to go on", look, lambda seen: all(seen.values()), 60)
        return cls(holders, **times)

    def is_soon(self) -> None:
        print(f"another lease after {self.taken_over:.1f} s, the first job that goes on after {self.went_on:.1f} s")
        assert len(self.holders) == 2, f"the lease was to go from the one to the other, and was with {self.holders}"
        assert max(self.taken_over, self.went_on) <= TAKE_OVER, self


def statuses(kube: Kube) -> dict[str, Any]:
    return {each["metadata"]["name"]: each.get("status") for each in kube.list("daskjobs.daskjob.io")}


def runners_of(kube: Kube) -> dict[str, set[str]]:
    """UIDs of all runner pods that were ever made, from the namespace's events, by pod's name: one each."""
    made: dict[str, set[str]] = {}
    for event in kube.list("events"):
        involved = event["involvedObject"]
        if involved["kind"] == "Pod" and involved["name"].endswith("-runner"):
            made.setdefault(involved["name"], set()).add(involved["uid"])
    return made


@dataclass(frozen=True)
class Jobs:
    """Jobs that are each somewhere else on their way when the leader ends."""

    computing: Job
    ending: Job
    backing_off: Job
    starting: Job

    @classmethod
    def start(cls, kube: Kube) -> Jobs:
        # The pause outlasts all that comes before the leader's end.
        retried = {"backoffLimit": 1, "backoff": {"initialSeconds": 60, "maximumSeconds": 60}}
        backing_off = apply(kube, manifest("backing-off", FAILS_AT_FIRST, **retried))
        computing = apply(kube, manifest("computing", COUNT, [60]))
        backing_off.reaches("Retrying", lambda seen: seen.get("phase") == "Retrying", 60)
        computing.reaches("a task done", lambda seen: bool((seen.get("progress") or {}).get("done")), 60)
        # It ends while nobody looks.
        ending = apply(kube, manifest("ending", SLEEP, [10]))
        ending.reaches("Running", lambda seen: seen.get("phase") == "Running", 60)
        starting = apply(kube, manifest("starting", SLEEP, [0]))
        starting.reaches("an attempt", lambda seen: bool(seen.get("attempts")), 30)
        return cls(computing, ending, backing_off, starting)

    def end(self, kube: Kube, late: Job) -> None:
        """All end as if nothing had happened, each attempt with one runner. `late`: one that came afterwards."""
        expected = {self.computing: 1770, self.ending: 10, self.backing_off: 3, self.starting: 0, late: 0}
        pods = set()
        for job, result in expected.items():
            status = job.end(120)
            assert status["phase"] == "Succeeded", status
            assert result_of(status) == result
            numbers = [1, 2] if job is self.backing_off else [1]
            assert [each["number"] for each in status["attempts"]] == numbers, status
            pods.update(f"{each['name']}-runner" for each in status["attempts"])
            job.is_clean()
        made = runners_of(kube)
        assert set(made) == pods, "each attempt has a runner, and there is no other"
        assert {name: len(uids) for name, uids in made.items()} == dict.fromkeys(pods, 1), "a runner was made again"


def test_leader_killed(two: Release, kube: Kube) -> None:
    leader, jobs = Leader.of(two), Jobs.start(kube)
    began = time.monotonic()
    leader.kill()
    # This one comes while nobody leads.
    late = apply(kube, manifest("late", SLEEP, [0]))
    Succession.watch(two, kube, leader.name, began).is_soon()
    leader.is_over(1)
    jobs.end(kube, late)


def test_leader_frozen(two: Release, kube: Kube) -> None:
    """It comes back amid the jobs that another one has taken over, and ends before it does harm."""
    leader, jobs = Leader.of(two), Jobs.start(kube)
    began = time.monotonic()
    with leader.frozen():
        late = apply(kube, manifest("late", SLEEP, [0]))
        Succession.watch(two, kube, leader.name, began).is_soon()
    leader.is_over(30)
    assert holder_of(two) != leader.name
    jobs.end(kube, late)
