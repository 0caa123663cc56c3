"""Tasks that wait for others on all threads of the workers are told, and those that only compute are not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from distributed import Client

from daskjob.runner import snapshot
from daskjob.runner.blocked_tasks import GRACE, BlockedTasks, place, waits_for_tasks
from daskjob.runner.obstacles import Obstacles

from .conftest import wait_for

OCCUPIED: dict[str, Any] = {"occupying": ["outer-1"], "prefixes": {}}


def frame(file: str, line: int, name: str) -> str:
    return f'File "{file}", line {line}, in {name}\n\tsomething()'


LIB = "/lib/python3.13"
DASK = f"{LIB}/site-packages/distributed"
BASE = [frame(f"{LIB}/threading.py", 1012, "run"), frame(f"{DASK}/worker.py", 3000, "apply_function")]
SYNC = [frame(f"{DASK}/utils.py", 430, "sync"), frame(f"{LIB}/threading.py", 350, "wait")]
OWN = frame("/home/dask/work.py", 5, "outer")
RESULT = [*BASE, OWN, frame(f"{DASK}/client.py", 400, "result"), *SYNC]
STACKS = {"tcp://a:1": {"outer-1": RESULT}}


@pytest.mark.parametrize(
    ("stack", "waits"),
    [
        (RESULT, True),
        ([*BASE, OWN], False),
        # A lock of Dask, or of one's own: whoever has it may be anywhere.
        ([*BASE, OWN, frame(f"{DASK}/lock.py", 80, "acquire"), *SYNC], False),
        ([*BASE, OWN, SYNC[1]], False),
        ([*BASE, frame("/home/me/client.py", 4, "outer"), SYNC[1]], False),
        (BASE[:1], False),
        ([], False),
    ],
)
def test_what_a_stack_shows(stack: list[str], waits: bool) -> None:
    assert waits_for_tasks(stack) == waits
    assert place(stack) == (
        " at work.py:5" if OWN in stack else " at client.py:4" if "client.py" in "".join(stack) else ""
    )


def test_stacks_are_looked_at_if_nothing_changes() -> None:
    blocked = BlockedTasks()
    assert not blocked.wants_stacks(100.0, {**OCCUPIED, "occupying": []})
    assert not blocked.wants_stacks(101.0, OCCUPIED)
    assert not blocked.wants_stacks(101.0 + GRACE - 0.1, OCCUPIED)
    assert blocked.wants_stacks(101.0 + GRACE, OCCUPIED)
    blocked.judge(111.0, STACKS)
    assert "task outer-1 waits at work.py:5 for other tasks" in blocked.words
    assert not blocked.wants_stacks(112.0, OCCUPIED)
    assert blocked.wants_stacks(121.0, OCCUPIED)
    assert blocked.lasted(121.0) == 10.0
    assert not blocked.wants_stacks(122.0, {**OCCUPIED, "occupying": ["outer-2"]})
    assert (blocked.words, blocked.lasted(130.0)) == ("", 0.0)


def test_one_that_computes_may_yet_end() -> None:
    blocked = BlockedTasks()
    both = {**OCCUPIED, "occupying": ["outer-1", "busy"]}
    assert not blocked.wants_stacks(100.0, both)
    for found in ({}, STACKS, {"tcp://a:1": {"outer-1": RESULT, "busy": [*BASE, OWN]}}):
        blocked.judge(110.0, found)
        assert blocked.words == ""
    blocked.judge(120.0, {"tcp://a:1": {"outer-1": RESULT}, "tcp://b:1": {"busy": RESULT}})
    assert "2 tasks, such as busy, wait at work.py:5 for other tasks" in blocked.words
    blocked.judge(130.0, STACKS)
    assert blocked.words == ""


def test_tasks_that_end_meanwhile_have_other_threads() -> None:
    """Those of an executor of the worker's own, say, of which no snapshot shows one."""
    blocked = BlockedTasks()
    for number in range(100):
        shot = {**OCCUPIED, "prefixes": {"inner": [200, number, 1, 0, 0, 0]}}
        assert not blocked.wants_stacks(100.0 + GRACE * number, shot)
    assert blocked.wants_stacks(100.0 + GRACE * 100, shot)


def test_they_end_the_job_as_late_as_a_worker_may_come() -> None:
    obstacles = Obstacles(blocked_end=30.0)
    shot = {"workers": {}, "prefixes": {}, "offers": [], "stuck": [], "placed": [], **OCCUPIED}
    obstacles.blocked.wants_stacks(100.0, shot)
    obstacles.blocked.judge(110.0, STACKS)
    assert [each["reason"] for each in obstacles.look(110.0, shot)] == ["NoFreeThreads"]
    assert obstacles.find_end(139.9, shot) is None
    failure = obstacles.find_end(140.0, shot)
    assert failure is not None
    assert failure["reason"] == "NoFreeThreads"


def test_what_dask_itself_says_of_such_tasks(make_cluster) -> None:
    def waiting(nested: bool) -> int:
        from distributed import get_client, worker_client

        if nested:
            with worker_client() as client:
                return int(client.submit(sum, [1, 2]).result())
        return int(get_client().submit(sum, [1, 2]).result())

    cluster = make_cluster(workers=1)
    blocked = BlockedTasks()
    with Client(cluster.address) as client:
        assert client.submit(waiting, True).result() == 3
        futures = client.map(waiting, [False, False], pure=False)

        def occupying() -> Any:
            return json.loads(client.run_on_scheduler(snapshot.counts))["occupying"]

        keys = wait_for("two tasks on two threads", occupying)
        assert sorted(keys) == sorted(each.key for each in futures)
        blocked.wants_stacks(100.0, {**OCCUPIED, "occupying": keys})
        blocked.judge(110.0, wait_for("their stacks", client.call_stack))
        assert blocked.words.startswith("all threads of the workers are taken: 2 tasks, such as waiting-")
        cluster.add_worker("another")
        assert client.gather(futures) == [3, 3]
        assert occupying() == []
