"""What futures promise, whatever the backend: tests/local and tests/e2e run this.

Each test begins its jobs together and then looks at them one by one: starting is what takes time.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import time
from typing import Any

import pytest

import daskjob

from ..support.waiting import wait_for

#: Seconds in which a job that has little to do has ended, on a busy machine.
PATIENCE = 180


class Point:
    """Has no form in JSON."""

    def __init__(self, x: int) -> None:
        self.x = x


class OwnError(Exception):
    def __init__(self, code: int, words: str) -> None:
        super().__init__(code, words)
        self.code = code


class StubbornError(Exception):
    """Its arguments do not make it anew."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(f"{words} ({code})")


def multiply(a: int, b: int = 2) -> int:
    return a * b


def uses_client(client: Any, number: int) -> Any:
    """With the connected client, by which it computes on the workers."""
    print(f"number {number}")
    return client.submit(multiply, number)


def fails(kind: type[Exception], *arguments: Any) -> None:
    try:
        raise ValueError("what was before")
    except ValueError as error:
        raise kind(*arguments) from error


class FuturesContract:
    """A backend's tests: a subclass has the fixture `connected`, and says whether Dask is the same at both sides."""

    @pytest.fixture
    def client(self, connected: daskjob.DaskJobClient) -> daskjob.DaskJobClient:
        """Jobs have nothing of this file but what is pickled."""
        return connected.with_options(by_value=[sys.modules[__name__]])

    def same_dask(self) -> bool:
        raise NotImplementedError

    def test_values(self, client: daskjob.DaskJobClient) -> None:
        """Calls of every kind, and what they give; one job each, whatever the number of tasks."""
        step = 3
        futures: list[daskjob.JobFuture[Any]] = [
            client.submit(multiply, 3, b=5),
            client.submit(lambda number: {"sum": (number + step,)}, 4),
            client.submit(uses_client, number=21),
            client.submit(Point, 6),
        ]
        mapped = client.map(multiply, range(30), range(30, 60), chunksize=7)
        values = [each.result(PATIENCE) for each in futures]
        assert values[:3] == [15, {"sum": (7,)}, 42]
        assert isinstance(values[3], Point)
        assert values[3].x == 6
        assert list(mapped) == [number * (number + 30) for number in range(30)]
        assert len(client.list()) == len(futures) + 1
        assert {each.phase for each in client.list()} == {"Succeeded"}
        [many] = [each for each in client.list() if each.progress.total >= 5]
        assert many.progress.done == many.progress.total == 5, "seven items are one task"
        first = futures[0]
        assert (first.exception(), first.done(), first.running(), first.cancelled()) == (None, True, False, False)
        assert [line.text for line in futures[2].logs() if "number" in line.text] == ["number 21"]

    def test_collections(self, client: daskjob.DaskJobClient) -> None:
        """Dask's own protocol: one job for 1,000 tasks."""
        dask: Any = pytest.importorskip("dask")
        parts = [dask.delayed(multiply)(number) for number in range(1000)]
        if not self.same_dask():
            with pytest.raises(daskjob.VersionMismatch, match=r"dask.* differ.*at the client.*in this image"):
                dask.compute(*parts, scheduler=client)
            return
        total = client.compute(dask.delayed(sum)(parts))
        bag = pytest.importorskip("dask.bag").from_sequence(range(4), npartitions=2).map(multiply).map(multiply)
        whole = client.compute(bag, optimize_graph=False)
        assert list(dask.compute(*parts, scheduler=client)) == [2 * number for number in range(1000)]
        assert total.result(PATIENCE) == sum(2 * number for number in range(1000))
        assert whole.result(PATIENCE) == [0, 4, 8, 12]
        prefixes = {each.name for each in whole.progress.prefixes}
        assert "from_sequence" in prefixes, f"optimizing fuses these tasks with the next: {prefixes}"
        assert len(client.list()) == 3

    def test_ends(self, client: daskjob.DaskJobClient) -> None:
        """Exceptions come back as themselves; a job that is cancelled or deleted says so."""
        sleeping = [client.submit(time.sleep, 600) for _ in range(2)]
        with pytest.raises(TimeoutError):
            sleeping[0].result(0.01)
        assert sleeping[0].cancel()
        sleeping[1].delete()
        own = client.submit(fails, OwnError, 3, "own words")
        stubborn = client.submit(fails, StubbornError, 3, "words")
        leaves = client.submit(sys.exit, 3)
        every = [*sleeping, own, stubborn, leaves]
        _, left = concurrent.futures.wait(every, PATIENCE)
        assert not left
        assert sleeping[0].cancelled()
        with pytest.raises(daskjob.JobCancelled, match=sleeping[0].name):
            sleeping[0].result()
        assert sleeping[0].cancel()
        with pytest.raises(daskjob.JobDeleted, match=sleeping[1].name):
            sleeping[1].result()
        error = own.exception()
        assert type(error) is OwnError
        assert (error.args, error.code) == ((3, "own words"), 3)
        assert f"{own.namespace}/{own.name}, attempt 1" in error.__notes__[0]
        assert "what was before" in str(error.__cause__)
        assert "fails" in (own.traceback() or "")
        remote = stubborn.exception()
        assert isinstance(remote, daskjob.RemoteError)
        assert remote.type_name.endswith("StubbornError")
        assert "words (3)" in str(remote)
        assert "StubbornError" in remote.traceback
        with pytest.raises(daskjob.JobFailed, match=r"ExitCode.*sys\.exit\(3\)") as failed:
            leaves.result()
        assert (failed.value.reason, len(failed.value.attempts)) == ("ExitCode", 1)
        assert not leaves.cancel()

    def test_lives(self, client: daskjob.DaskJobClient) -> None:
        """A job is found again by its name, followed, run once more; a pickle needs trust."""
        resting = client.submit(time.sleep, 600)
        resting.suspend()
        wait_for("the job to rest", resting.status, lambda seen: seen.phase == "Suspended", PATIENCE)
        assert [each.name for each in client.list(phase="Suspended")] == [resting.name]
        name = "found-again"
        first = client.with_options(name=name, labels={"team": "a"}).submit(uses_client, number=2)
        odd = client.submit(Point, 3)
        again = client.attach(name)
        followed = [line.text for line in again.logs(follow=True)]
        assert followed.count("number 2") == 1
        assert (again.result(PATIENCE), first.result(PATIENCE), again.uid == first.uid) == (4, 4, True)
        assert asyncio.run(_awaited(client, again)) == [4, [name]]
        assert [each.name for each in client.list(selector="team=a")] == [name]
        assert client.list(phase="Failed") == []
        rerun = first.retry()
        assert not rerun.done()
        assert rerun.result(PATIENCE) == 4
        odd.result(PATIENCE)
        with pytest.raises(daskjob.UntrustedResult, match="allow_pickle"):
            client.attach(odd.name).result(PATIENCE)
        assert client.attach(odd.name, allow_pickle=True).result(PATIENCE).x == 3
        with pytest.raises(daskjob.JobDeleted, match="another job has its name"):
            client.attach(name, uid="00000000-0000-0000-0000-000000000000").result(PATIENCE)
        with pytest.raises(daskjob.JobNotFound, match=r"founds.*did you mean found-again"):
            client.attach("founds-again")
        assert not resting.done()
        client.resume(resting.name)
        wait_for("the job to run again", resting.status, lambda seen: seen.phase == "Running", PATIENCE)
        client.suspend(resting.name)
        assert resting.cancel()
        with pytest.raises(daskjob.JobCancelled):
            resting.result(PATIENCE)
        with pytest.raises(daskjob.JobNotFound, match="founds-again"):
            client.suspend("founds-again")
        client.shutdown()
        with pytest.raises(RuntimeError, match="after shutdown"):
            client.submit(multiply, 1)


async def _awaited(client: daskjob.DaskJobClient, future: daskjob.JobFuture[Any]) -> Any:
    beside = daskjob.AsyncDaskJobClient(client)
    found = await beside.attach(future.name)
    return [await found, [each.name for each in await beside.list(selector="team=a")]]
