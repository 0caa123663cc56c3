"""Workers that have tasks and execute none are told, with the last error in their logs."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
from distributed import Client

from daskjob.runner import idle_workers, scheduler, snapshot
from daskjob.runner.idle_workers import GRACE, IdleWorkers
from daskjob.runner.obstacles import Obstacles
from daskjob.wire.jobfile import JobFile

from .conftest import wait_for

IDLE: dict[str, Any] = {"workers": {"tcp://a:1": ["w", 1, True, 0, 0]}, "prefixes": {"use": [1, 0, 1, 0, 0, 0]}}
LOGS = {
    "tcp://a:1": [
        ("INFO", "2026-01-01 12:00:09,000 - distributed.worker - INFO - a"),
        ("ERROR", "2026-01-01 12:00:01"),
    ],
    "tcp://b:1": [("ERROR", "2026-01-01 12:00:05,000 - distributed.worker - ERROR - not registered")],
}


def test_what_is_said() -> None:
    idle = IdleWorkers()
    assert not idle.wants_logs(100.0, IDLE)
    assert not idle.wants_logs(100.0 + GRACE - 0.1, IDLE)
    assert idle.wants_logs(100.0 + GRACE, IDLE)
    idle.judge(120.0, LOGS)
    assert idle.words == (
        "the workers have tasks, and have executed none for 20 s: they wait for data; "
        "the last error in a worker's log, of tcp://b:1: not registered"
    )
    assert not idle.wants_logs(121.0, IDLE)
    idle.judge(150.0, {})
    assert idle.words == "the workers have tasks, and have executed none for 50 s: they wait for data"
    obstacles = Obstacles()
    obstacles.idle.judge(1.0, {})
    shot = {**IDLE, "offers": [], "stuck": [], "placed": []}
    assert [each["reason"] for each in obstacles.look(2.0, shot)] == ["WorkersIdle"]


@pytest.mark.parametrize(
    "changed",
    [
        {"workers": {"tcp://a:1": ["w", 1, True, 0, 1]}},
        {"workers": {"tcp://a:1": ["w", 1, True, 4096, 0]}},
        {"workers": {}},
        {"prefixes": {"use": [1, 1, 0, 0, 0, 0]}},
        {"prefixes": {"use": [1, 0, 0, 1, 0, 0]}},
        {"prefixes": {"use": [2, 1, 1, 0, 0, 0]}},
    ],
    ids=[
        "one executes",
        "all are paused",
        "there is none",
        "all is done",
        "no worker has it",
        "one was done meanwhile",
    ],
)
def test_of_which_workers(changed: dict[str, Any]) -> None:
    idle = IdleWorkers()
    idle.wants_logs(100.0, IDLE)
    idle.judge(120.0, LOGS)
    assert not idle.wants_logs(150.0, {**IDLE, **changed})
    assert idle.words == ""
    assert not idle.wants_logs(151.0, IDLE)


def test_data_that_a_worker_cannot_read(make_cluster) -> None:
    class Unit:
        def __reduce__(self) -> Any:
            return Unit.of_registry, ()

        @classmethod
        def of_registry(cls) -> Any:
            raise ValueError("units are not registered")

    cluster = make_cluster(workers=2)
    idle = IdleWorkers()
    with Client(cluster.address) as client:
        client.wait_for_workers(2)
        one, other = client.scheduler_info()["workers"]
        unit = client.submit(Unit, workers=[one])
        used = client.submit(str, unit, workers=[other])

        def errors() -> bool:
            return "not registered" in str(client.get_worker_logs(n=50))

        wait_for("the worker's word", errors)
        shot = json.loads(client.run_on_scheduler(snapshot.counts))
        idle.wants_logs(100.0, shot)
        assert idle.wants_logs(120.0, shot)
        idle.judge(120.0, client.get_worker_logs(n=50))
        assert f"of {other}: units are not registered" in idle.words
        assert used.status == "pending"


def test_a_worker_that_is_frozen_hides_nothing_else(make_cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle_workers, "GRACE", 0.0)
    monkeypatch.setattr(scheduler, "LOOK", 0.2)
    monkeypatch.setattr(scheduler, "LONGEST", 0.1)
    cluster = make_cluster(workers=1)
    published: list[dict[str, Any]] = []
    runner = scheduler.Scheduler(JobFile("m:f", cluster.address), published.append, published.append)
    with Client(cluster.address) as client:
        client.wait_for_workers(1)
        assert runner.wait(runner.connected)
        cluster.processes[1].send_signal(signal.SIGSTOP)
        waiting = client.submit(abs, -1)
        wait_for("a task of the worker", lambda: runner.observe() and runner.unfinished)
        wait_for("the word", lambda: published[-1].get("waiting"))
        # Whoever waits for tasks, or for more workers, goes on.
        assert runner.observe()
        assert published[-1]["waiting"][0]["reason"] == "WorkersIdle"
        assert published[-1]["progress"]["total"] == 1
        assert waiting.status == "pending"
        # Nor does news wait for its answer.
        monkeypatch.setattr(scheduler, "LOOK", 60.0)
        more = client.submit(abs, -2)
        wait_for("the scheduler's word of it", lambda: runner.refresh()["progress"]["total"] == 2)
        cluster.processes[1].send_signal(signal.SIGCONT)
        assert client.gather([waiting, more]) == [1, 2]
        # As if another scheduler answered: the thread ends.
        runner._id = ""
        wait_for("the end of the runner's thread", lambda: published[-1].get("reason") == "SchedulerLost")
