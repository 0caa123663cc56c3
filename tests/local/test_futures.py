"""The contract of futures, with jobs on this machine; and what is the same wherever a job runs."""

from __future__ import annotations

import asyncio
import functools
import itertools
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import daskjob

from ..client.contract import PATIENCE, FuturesContract, Point, multiply
from .conftest import manifest


class TestLocalFutures(FuturesContract):
    @pytest.fixture
    def connected(self) -> daskjob.DaskJobClient:
        return daskjob.connect("team", backend="local")

    def same_dask(self) -> bool:
        return True


@pytest.fixture
def client() -> daskjob.DaskJobClient:
    modules = [sys.modules[__name__], sys.modules[Point.__module__]]
    return daskjob.connect(backend="local", by_value=modules)


async def later(number: int) -> int:
    await asyncio.sleep(0)
    return number + 1


class Counter:
    def __init__(self, start: int) -> None:
        self.start = start

    def add(self, number: int) -> int:
        return self.start + number


def failing_task(client: Any) -> Any:
    return client.submit(open, "/not/there", key="opens-it")


def test_callables_of_every_kind(client: daskjob.DaskJobClient) -> None:
    futures: list[daskjob.JobFuture[Any]] = [
        client.submit(functools.partial(multiply, 7)),
        client.submit(later, 1),
        client.submit(Counter(5).add, 6),
    ]
    assert [each.result(PATIENCE) for each in futures] == [14, 2, 11]


def test_an_exception_of_a_task_names_the_task(client: daskjob.DaskJobClient) -> None:
    error = client.submit(failing_task).exception(PATIENCE)
    assert isinstance(error, FileNotFoundError)
    assert (error.errno, error.args) == (2, (2, "No such file or directory"))
    assert "opens-it" in error.__notes__[0]


def test_a_manifest_is_a_job_too(client: daskjob.DaskJobClient, tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(manifest("sums", "def main(n): return sum(range(n))", graph={"args": [5]})))
    assert client.run(file).result(PATIENCE) == 10
    with pytest.raises(daskjob.InvalidJob, match=r"spec\.cluster\.workers\.replica: .*did you mean replicas"):
        client.run(manifest("wrong", "x = 1", cluster={"workers": {"replica": 1}}))
    with pytest.raises(daskjob.InvalidJob, match=r"nothing\.yaml: cannot be read"):
        client.run(tmp_path / "nothing.yaml")
    with pytest.raises(daskjob.InvalidJob, match="this is its text: give the path"):
        client.run(file.read_text())
    with pytest.raises(TypeError, match="not a list"):
        client.run([])  # type: ignore[arg-type]


def test_the_scheduler_of_dasks_configuration(client: daskjob.DaskJobClient) -> None:
    """One job for each computation; what `persist` has computed is here."""
    dask: Any = pytest.importorskip("dask")
    array: Any = pytest.importorskip("dask.array")
    with dask.config.set(scheduler=client):
        kept = array.ones(6, chunks=3).persist()
    assert kept.sum().compute(scheduler="synchronous") == 6
    assert len(client.list()) == 1


def test_one_that_waits_for_its_turn_can_be_cancelled(client: daskjob.DaskJobClient) -> None:
    """More jobs than run at a time: those that wait are cancelled, with those that run."""
    futures = [client.submit(wait_long) for _ in range(4)]
    client.shutdown(cancel_futures=True)
    assert all(each.cancelled() for each in futures)


def wait_long() -> None:
    threading.Event().wait(600)


def test_a_values_iterator_gives_up_in_time(client: daskjob.DaskJobClient) -> None:
    with pytest.raises(TimeoutError):
        list(client.map(wait_long_for, [1], timeout=0.01))
    [only] = client.list()
    with pytest.raises(daskjob.JobCancelled):
        client.attach(only.name).result(PATIENCE)


def wait_long_for(number: int) -> None:
    threading.Event().wait(600)


def test_a_buffer_takes_no_more_than_it_holds() -> None:
    """One job for each window of an endless iterable, and the next one only when its values are taken."""
    client = daskjob.connect(backend="local")
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in itertools.count():
            taken.append(number)
            yield number

    values = client.map(lambda number: number + 1, numbers(), chunksize=2, buffersize=3)
    assert taken == [0, 1, 2]
    assert [next(values) for _ in range(3)] == [1, 2, 3]
    assert (taken, len(client.list())) == ([0, 1, 2], 1)
    assert next(values) == 4
    assert (taken, len(client.list())) == (list(range(6)), 2)
