"""Tasks that nobody waits for: they are finished before the job ends, or the job says how many were not."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

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

    def first_of_many(client, folder):
        first = client.submit(sum, [1, 2])
        first.result()
        main.kept = [client.submit(write, number, folder, 600, pure=False) for number in range(3)]
        return first
"""


@pytest.fixture
def forget(run, make_cluster, tmp_path: Path):
    (tmp_path / "forgets.py").write_text(textwrap.dedent(CODE))
    (tmp_path / "written").mkdir()
    cluster = make_cluster(env={"PYTHONPATH": str(tmp_path)})

    def forget(entry: str, *args: str, **job):
        return run(f"forgets:{entry}", *args, cluster=cluster, codePath=str(tmp_path), **job)

    return forget


@pytest.mark.parametrize("entry", ["main", "nested"])
def test_they_are_finished_before_the_job_ends(forget, tmp_path: Path, entry: str) -> None:
    outcome = forget(entry, str(tmp_path / "written"))
    assert outcome.value == "submitted"
    assert sorted(path.name for path in (tmp_path / "written").iterdir()) == list("012345")
    assert "discarded" not in outcome.status
    progress = outcome.status["progress"]
    assert (progress["done"], progress["processing"]) == (progress["total"], 0)
    assert "tasks that nobody waits for (fire_and_forget), for at most 600 s" in outcome.output


def test_they_fail_as_well(forget) -> None:
    outcome = forget("failing")
    assert outcome.value is None
    assert outcome.status["progress"]["erred"] == 3
    assert "discarded" not in outcome.status


def test_what_is_not_finished_in_time_is_counted(forget, tmp_path: Path) -> None:
    outcome = forget("never", str(tmp_path / "written"), forgottenSeconds=1)
    assert outcome.value == "submitted"
    assert outcome.status["discarded"] == 5
    assert "5 tasks were not finished and were thrown away: nobody waited for them" in outcome.output
    assert outcome.seconds < 30


def test_futures_that_nobody_waits_for_are_not_waited_for(forget, tmp_path: Path) -> None:
    outcome = forget("first_of_many", str(tmp_path / "written"))
    assert outcome.value == 3
    assert outcome.status["discarded"] == 3
    assert outcome.seconds < 30
