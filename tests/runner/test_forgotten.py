"""Tasks that nobody waits for: they are finished before the job ends, or the job says how many were not."""

from __future__ import annotations

import signal
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, fire_and_forget

from daskjob.runner import scheduler
from daskjob.runner.forgotten import Forgotten
from daskjob.wire.jobfile import JobFile

from .conftest import wait_for

CODE = """
    import pathlib
    import time
    from dask.distributed import fire_and_forget, worker_client

    def write(number, folder, seconds=0.5):
        time.sleep(seconds)
        pathlib.Path(folder, str(number)).touch()

    def fail(number):
        raise ValueError(number)

    def forget(client, folder):
        for number in range(6):
            fire_and_forget(client.submit(write, number, folder, pure=False))

    def main(client, folder):
        forget(client, folder)
        return "submitted"

    def in_a_task(folder):
        with worker_client() as client:
            forget(client, folder)
        return "submitted"

    def nested(client, folder):
        return client.submit(in_a_task, folder)

    def failing(client):
        fire_and_forget(client.map(fail, range(3)))

    def never(client, folder):
        fire_and_forget([client.submit(write, number, folder, 600, pure=False) for number in range(5)])
        return "submitted"

    def reach(path):
        while not pathlib.Path(path).exists():
            time.sleep(0.1)

    def until(client, path):
        fire_and_forget(client.submit(reach, path))
        return "submitted"

    def first_of_many(client, folder):
        first = client.submit(sum, [1, 2])
        first.result()
        main.kept = [client.submit(write, number, folder, 600, pure=False) for number in range(3)]
        return first
"""


@pytest.fixture
def forget(start, make_cluster, tmp_path: Path):
    (tmp_path / "forgets.py").write_text(textwrap.dedent(CODE))
    (tmp_path / "written").mkdir()
    cluster = make_cluster(env={"PYTHONPATH": str(tmp_path)})

    def begin(entry: str, *args: str, **job):
        return start(f"forgets:{entry}", *args, cluster=cluster, codePath=str(tmp_path), **job)

    def forget(entry: str, *args: str, **job):
        return begin(entry, *args, **job).wait()

    forget.start = begin
    return forget


@pytest.mark.parametrize("entry", ["main", "nested"])
def test_they_are_finished_before_the_job_ends(forget, tmp_path: Path, entry: str) -> None:
    outcome = forget(entry, str(tmp_path / "written"))
    assert outcome.value == "submitted"
    assert sorted(path.name for path in (tmp_path / "written").iterdir()) == list("012345")
    assert "discarded" not in outcome.status
    progress = outcome.status["progress"]
    assert (progress["done"], progress["processing"]) == (progress["total"], 0)
    assert "daskjob: the graph has its value; " in outcome.output
    assert " of fire_and_forget may go on for at most 600 s\n" in outcome.output
    assert outcome.status["waiting"] == []


def test_they_fail_as_well(forget) -> None:
    outcome = forget("failing")
    assert outcome.value is None
    assert outcome.status["progress"]["erred"] == 3
    assert "discarded" not in outcome.status


def test_what_is_not_finished_in_time_is_counted(forget, tmp_path: Path) -> None:
    outcome = forget("never", str(tmp_path / "written"), forgottenSeconds=1)
    assert outcome.value == "submitted"
    assert outcome.status["discarded"] == 5
    assert outcome.status["fireAndForget"] == {"unfinished": 5, "limitSeconds": 1}
    words = "5 tasks were not finished and were thrown away: a job waits at most 1 s for tasks of fire_and_forget (5)\n"
    assert words in outcome.output
    assert outcome.seconds < 30


def test_the_report_says_that_they_are_waited_for(forget, tmp_path: Path) -> None:
    running = forget.start("until", str(tmp_path / "go"))
    waiting = wait_for("word of the tasks", lambda: running.status().get("waiting"))
    words = "the graph has its value; 1 task of fire_and_forget may go on for at most 600 s"
    assert waiting == [{"reason": "FireAndForget", "message": words}]
    (tmp_path / "go").touch()
    outcome = running.wait()
    assert outcome.value == "submitted"
    assert outcome.status["waiting"] == []
    assert not {"discarded", "fireAndForget"} & set(outcome.status)


def test_futures_that_nobody_waits_for_are_not_waited_for(forget, tmp_path: Path) -> None:
    outcome = forget("first_of_many", str(tmp_path / "written"))
    assert outcome.value == 3
    assert outcome.status["discarded"] == 3
    assert "fireAndForget" not in outcome.status
    assert "3 tasks were not finished and were thrown away: nobody waited for them\n" in outcome.output
    assert outcome.seconds < 30


def test_a_scheduler_that_is_busy_has_lost_none(make_cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scheduler, "CALL", 0.5)
    monkeypatch.setattr(scheduler, "LOOK", 0.5)
    monkeypatch.setattr(scheduler, "LONGEST", 0.1)
    # Whatever it is set to is taken back.
    monkeypatch.setattr(Client, "_send_to_scheduler", Client._send_to_scheduler)
    go = tmp_path / "go"

    def reach(path: str) -> None:
        while not Path(path).exists():
            time.sleep(0.1)

    cluster = make_cluster()
    published: list[dict[str, Any]] = []
    runner = scheduler.Scheduler(JobFile("m:f", cluster.address), published.append, published.append)
    forgotten = Forgotten()
    with Client(cluster.address) as client, ThreadPoolExecutor() as threads:
        assert runner.wait(runner.connected)
        fire_and_forget(client.submit(reach, str(go)))
        wait_for("the task", lambda: runner.observe() and runner.forgotten)
        cluster.scheduler.send_signal(signal.SIGSTOP)
        waits = threads.submit(forgotten.wait, runner, 600.0)
        assert not runner.observe()
        assert runner.is_busy()
        cluster.scheduler.send_signal(signal.SIGCONT)
        wait_for("its answer", runner.observe)
        assert not waits.done()
        go.touch()
        assert waits.result(60) == 0
        assert (runner.observe(), runner.forgotten) == (True, 0)
        # As if another scheduler answered: the thread ends.
        runner._id = ""
        wait_for("the end of the runner's thread", lambda: published[-1].get("reason") == "SchedulerLost")
