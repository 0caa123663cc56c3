"""What a job that was deleted leaves takes room until it is gone; what only looks like its own does not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from .test_slots import OPEN, Jobs


def test_a_job_that_was_deleted_makes_room_when_its_pods_are_gone() -> None:
    jobs = Jobs()
    body, pod = jobs.put("a", OPEN), jobs.put_part("a", "Pod")
    report = jobs.put_part("a", "DaskJobReport")
    jobs.put("b")
    jobs.look("a", "b")
    jobs.cache.drop(body)
    jobs.run("a")
    assert jobs.woken == []
    jobs.cache.drop(pod)
    jobs.run("a")
    assert jobs.woken == ["b"]
    jobs.cache.drop(report)
    jobs.run("a")


@pytest.mark.parametrize("kind", ["DaskCluster", "Pod"])
def test_what_somebody_else_creates_for_a_deleted_job_takes_no_room(kind: str) -> None:
    jobs = Jobs()
    body, cluster = jobs.put("a", OPEN), jobs.put_part("a")
    jobs.put("b")
    jobs.look("a", "b")
    jobs.put_part("a", kind, uid="theirs", name="like-one-of-ours")
    jobs.cache.drop(body)
    jobs.run("a")
    assert jobs.woken == []
    jobs.cache.drop(cluster)
    jobs.run("a")
    assert jobs.woken == ["b"]


def test_a_pod_of_a_deleted_job_on_a_node_that_does_not_answer_makes_room_in_time() -> None:
    jobs = Jobs()
    body = jobs.put("a", OPEN)
    jobs.put_part("a", "Pod", deletionTimestamp="2026-03-01T12:00:00Z")
    jobs.put("b")
    jobs.look("a", "b")
    jobs.cache.drop(body)
    jobs.run("a")
    jobs.now += timedelta(seconds=59)
    jobs.slots.tick()
    assert jobs.woken == []
    jobs.now += timedelta(seconds=1)
    jobs.slots.tick()
    assert jobs.woken == ["b"]


def test_a_namesake_of_a_job_that_ran_makes_room() -> None:
    jobs = Jobs()
    jobs.put("b", OPEN)
    jobs.put("a")
    jobs.look("b", "a")
    jobs.put("b", uid="another")
    jobs.run("b")
    assert jobs.woken == ["a"]
