"""Scripts that were not written for a job: they look for a cluster, shut it down, leave work for their own end."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from daskjob.runner.load import cluster_words

CODE = """
    import argparse
    import asyncio
    import atexit
    import functools
    import pathlib
    import sys
    import time
    from dask import delayed
    from dask.distributed import Client

    def at_the_end(client):
        total = client.submit(sum, [1, 2]).result()
        client.shutdown()
        return total

    def with_own_client():
        with Client() as client:
            total = client.submit(sum, [1, 2]).result()
            client.shutdown()
        return total

    async def in_a_loop(client):
        total = await client.submit(sum, [1, 2])
        await client.shutdown()
        return total

    def and_goes_on(client):
        client.shutdown()
        return Client().submit(sum, [1, 2])

    def too_early(client):
        future = client.submit(sum, [1, 2])
        client.shutdown()
        return future

    def elsewhere():
        return Client("tcp://127.0.0.1:9", timeout=1)

    def has_one_made():
        from dask_yarn import YarnCluster

    def parses():
        parser = argparse.ArgumentParser()
        parser.add_argument("--number", type=int, default=3)
        return parser.parse_args().number

    @delayed
    def decorated(number):
        return number + 1

    def with_two(function):
        @functools.wraps(function)
        def around(number):
            return function(2, number)
        return around

    @with_two
    def injected(first, second):
        return first + second

    def recursion(client):
        def endless(number):
            return endless(number + 1)
        return client.submit(endless, 0)

    def raises(client, name):
        def raising(name):
            raise {"StopIteration": StopIteration, "GeneratorExit": GeneratorExit,
                   "CancelledError": asyncio.CancelledError}[name]("no more")
        return client.submit(raising, name)

    raw = {"a": (sum, [1, 2])}

    if __name__ == "__main__":
        result = parses()

    def leaves(path, fails=False):
        atexit.register(pathlib.Path(path).touch)
        atexit.register(sys.exit, 5)
        if fails:
            raise ValueError(path)
        return 3
"""


@pytest.fixture
def ends(run, tmp_path: Path):
    (tmp_path / "ends.py").write_text(textwrap.dedent(CODE))
    return lambda entry, *args: run(f"ends:{entry}", *args, codePath=str(tmp_path))


@pytest.mark.parametrize("entry", ["at_the_end", "with_own_client", "in_a_loop", "and_goes_on"])
def test_who_shuts_the_cluster_down_has_a_result(ends, entry: str) -> None:
    outcome = ends(entry)
    assert outcome.value == 3
    assert "daskjob: Client.shutdown closes the client alone" in outcome.output


def test_futures_of_a_client_that_was_shut_down_are_told(ends) -> None:
    assert "futures of a client that is closed" in ends("too_early").failure["message"]


@pytest.mark.parametrize("entry", ["elsewhere", "has_one_made"])
def test_who_looks_for_another_cluster_hears_of_the_jobs_own(ends, entry: str) -> None:
    failure = ends(entry).failure
    assert failure["reason"] == "EntrypointFailed"
    assert "a job has a cluster of its own, which Client(), without an address, finds" in failure["message"]


@pytest.mark.parametrize(("call", "told"), [("scale", True), ("adapt", True), ("close", False)])
def test_who_would_size_the_cluster_hears_where_that_is_done(call: str, told: bool) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(None, call)(4)
    assert cluster_words(caught.value).endswith("spec.cluster.workers (replicas or adaptive)") == told


@pytest.mark.parametrize(("entry", "args"), [("parses", ()), ("decorated", (2,)), ("injected", (1,))])
def test_what_is_not_a_plain_function_works(ends, entry: str, args: tuple[int, ...]) -> None:
    assert ends(entry, *args).value == 3


def test_arguments_that_a_decorated_function_does_not_take_are_told(ends) -> None:
    message = ends("decorated").failure["message"]
    assert "decorated(number) does not take graph.args" in message


TOLD = {
    "recursion": ("TaskFailed", "maximum recursion depth exceeded"),
    "raw": ("EntrypointFailed", "name in graph.keys what to compute"),
    "result": ("EntrypointNotFound", "what stands below if __name__ == '__main__' does not run"),
}


@pytest.mark.parametrize("entry", TOLD)
def test_what_else_is_told(ends, entry: str) -> None:
    reason, words = TOLD[entry]
    failure = ends(entry).failure
    assert failure["reason"] == reason
    assert words in failure["message"]


@pytest.mark.parametrize("name", ["StopIteration", "GeneratorExit", "CancelledError"])
def test_what_no_coroutine_may_raise_is_the_tasks_failure(ends, name: str) -> None:
    failure = ends("raises", name).failure
    assert (failure["reason"], failure["message"]) == ("TaskFailed", "no more")
    assert failure["exceptionType"].rpartition(".")[2] == name
    assert failure["taskKey"].startswith("raising-")
    assert "in raising" in failure["traceback"]


@pytest.mark.parametrize("fails", [False, True])
def test_what_was_registered_for_the_end_happens(ends, tmp_path: Path, fails: bool) -> None:
    outcome = ends("leaves", str(tmp_path / "left"), fails)
    assert (tmp_path / "left").exists()
    assert outcome.failure["reason"] == "EntrypointFailed" if fails else outcome.value == 3
