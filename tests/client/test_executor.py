"""The client as an executor of the standard library, and its futures in event loops: what those promise, and what users
of them do without a thought."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import itertools
import logging
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import daskjob
from daskjob.client.problems import WrongState

from .played import CLOSED, Answer, Asked, Play, Reply, Stream, event, forbidden, job, listed, status
from .test_futures import DONE, PATIENCE, Connect, connect, created, multiply

__all__ = ["connect"]


def running(*names: str) -> list[Any]:
    return [job(name, f"uid-of-{name}") for name in names]


def ended(*names: str) -> list[bytes]:
    return [event("MODIFIED", job(name, f"uid-of-{name}", "2", **DONE)) for name in names]


def known(names: tuple[str, ...], then: Reply | Callable[[Asked], Reply]) -> dict[str, list[Play]]:
    """These jobs run; then what the watch says."""
    jobs = running(*names)
    return {
        **{f"get daskjobs/{each['metadata']['name']}": [Answer(each)] for each in jobs},
        "list daskjobs": [listed(*jobs)],
        "watch daskjobs": [then],
    }


def after(gate: threading.Event, *chunks: bytes) -> Callable[[Asked], Stream]:
    """The stream says this when the gate is open."""

    def play(asked: Asked) -> Stream:
        gate.wait(PATIENCE)
        return Stream(chunks, "stays")

    return play


@contextlib.contextmanager
def interrupted() -> Iterator[None]:
    """Ctrl-C when this thread waits for something; but not for a thread that it starts, which takes no time."""
    main, over = threading.get_ident(), threading.Event()

    def interrupt() -> None:
        while not over.wait(0.01):
            calls = [each.name for each in traceback.extract_stack(sys._current_frames()[main])[-4:]]
            if calls[-1] == "wait" and "start" not in calls:
                signal.pthread_kill(main, signal.SIGINT)
                return

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_callback_may_wait_for_another_job(connect: Connect) -> None:
    """The end of both comes through one watch."""
    gate, values = threading.Event(), concurrent.futures.Future[int]()
    _, client = connect(known(("one", "two"), after(gate, *ended("one", "two"))))
    one, two = client.attach("one"), client.attach("two")
    one.add_done_callback(lambda _: values.set_result(two.result(PATIENCE)))
    gate.set()
    assert values.result(PATIENCE) == 7


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_callback_that_leaves_takes_nobody_along(connect: Connect) -> None:
    gate = threading.Event()
    _, client = connect(known(("one", "two"), after(gate, *ended("one", "two"))))
    one, two = client.attach("one"), client.attach("two")
    one.add_done_callback(lambda _: sys.exit(3))
    gate.set()
    assert (one.result(PATIENCE), two.result(PATIENCE)) == (7, 7)


def test_a_callback_may_delete_its_job(connect: Connect) -> None:
    plays = known(("one",), Stream(ended("one"), "stays"))
    server, client = connect({**plays, "delete daskjobs/one": [Answer({})]})
    future, over = client.attach("one"), threading.Event()
    future.add_done_callback(lambda each: (each.delete(), over.set()))
    assert over.wait(PATIENCE)
    assert server.times("delete daskjobs/one") == 1


def test_the_clients_of_options_are_shut_with_their_parent(connect: Connect) -> None:
    server, client = connect(
        {
            **known(("one", "two"), Stream([], "stays")),
            "patch daskjobs/one": [Answer(job())],
            "patch daskjobs/two": [Answer(job())],
        }
    )
    inner = client.with_options(workers=3)
    inner.attach("one")
    inner.shutdown(wait=False)
    client.attach("two")
    client.shutdown(wait=False, cancel_futures=True)
    assert {each.what for each in server.asked if each.what.startswith("patch")} == {
        "patch daskjobs/one",
        "patch daskjobs/two",
    }
    for each in (client, inner, client.with_options(workers=4)):
        with pytest.raises(RuntimeError, match="after shutdown"):
            each.submit(multiply, 1, 2)
        with pytest.raises(RuntimeError, match="after shutdown"):
            each.run({"kind": "DaskJob", "metadata": {"name": "x"}})
    assert server.times("create daskjobs") == 0


def test_each_job_is_cancelled_though_one_cannot_be(connect: Connect) -> None:
    server, client = connect(
        {
            **known(("one", "two"), Stream([], "stays")),
            "patch daskjobs/one": [forbidden("patch")],
            "patch daskjobs/two": [forbidden("patch")],
        }
    )
    futures = [client.attach("one"), client.attach("two")]
    with pytest.raises(daskjob.Forbidden, match="you may not patch daskjobs"):
        client.shutdown(cancel_futures=True)
    assert (server.times("patch daskjobs/one"), server.times("patch daskjobs/two")) == (1, 1)
    assert not any(each.done() for each in futures)


@pytest.mark.parametrize("later", [Answer(job("one", "another")), None])
def test_a_job_that_is_gone_cannot_be_cancelled(connect: Connect, later: Answer | None) -> None:
    server, client = connect(known(("one",), Stream([], "stays")))
    future = client.attach("one")
    server.plays["get daskjobs/one"] = [later] if later is not None else []
    assert future.cancel() is False
    with pytest.raises(daskjob.JobDeleted, match="one was deleted"):
        future.suspend()


def test_who_interrupts_the_program_does_not_wait(connect: Connect) -> None:
    _, client = connect(known(("one",), Stream([], "stays")))
    future = client.attach("one")
    with pytest.raises(KeyboardInterrupt), client:
        raise KeyboardInterrupt
    assert not future.done()


def test_ctrl_c_leaves_the_job_and_says_so(connect: Connect) -> None:
    server, client = connect(known(("one",), Stream([], "stays")))
    future = client.attach("one")
    with pytest.raises(KeyboardInterrupt) as stopped, interrupted():
        future.result()
    assert stopped.value.__notes__ == ["the job goes on: attach('one') finds it again, .cancel() ends it"]
    with pytest.raises(KeyboardInterrupt) as stopped, interrupted():
        client.shutdown()
    assert stopped.value.__notes__ == ["these jobs go on: one; attach(name) finds one again"]
    assert not any(each.what.startswith("patch") for each in server.asked)


@pytest.mark.parametrize(
    ("answer", "words"), [(None, "is being cancelled"), (forbidden("patch"), "cannot be cancelled, and goes on: you")]
)
def test_ctrl_c_ends_a_job_of_which_nobody_has_a_future(connect: Connect, answer: Answer | None, words: str) -> None:
    def found(asked: Asked) -> Answer:
        return Answer(job("one", "uid-of-one"))

    plays: dict[str, list[Play]] = {"create daskjobs": [created], "create secrets": [Answer({})]}
    plays |= {**known(("one",), Stream([], "stays")), "patch daskjobs/one": [answer or found]}
    server, client = connect(plays)
    values = client.with_options(name="one").map(multiply, [1], [2])
    with pytest.raises(KeyboardInterrupt) as stopped, interrupted():
        next(values)
    assert len(stopped.value.__notes__) == 1
    assert stopped.value.__notes__[0].startswith(f"job team/one {words}")
    assert server.times("patch daskjobs/one") == 1


def waiting(kind: str, reason: str, message: str) -> dict[str, str]:
    return {"type": kind, "status": "False", "reason": reason, "message": message}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            {"phase": "Starting", "conditions": [waiting("ClusterReady", "Unschedulable", "no node has 9 GPUs")]},
            r"Starting \(Unschedulable: no node has 9 GPUs\)$",
        ),
        (
            {
                "phase": "Running",
                "progress": {"total": 10, "summary": "3/10"},
                "conditions": [waiting("Complete", "Running", "attempt 1: running")],
            },
            "Running, 3/10 tasks$",
        ),
    ],
)
def test_a_timeout_says_where_the_job_is(connect: Connect, state: dict[str, Any], words: str) -> None:
    now = job("one", "uid-of-one", **state)
    plays = {"get daskjobs/one": [Answer(now)], "list daskjobs": [listed(now)]}
    _, client = connect({**known(("one",), Stream([], "stays")), **plays})
    with pytest.raises(TimeoutError, match=rf"^job team/one has not ended after 0\.01 s: {words}"):
        client.attach("one").result(0.01)


def test_what_stays_in_its_process_says_so(connect: Connect) -> None:
    _, client = connect(known(("one",), Stream([], "stays")))
    future = client.attach("one")
    for each, words in (
        (future, "job team/one stays in this process: give its result"),
        (client, "distributed.Client"),
    ):
        with pytest.raises(TypeError, match=words):
            pickle.dumps(each)
    with pytest.raises(daskjob.NotPicklable, match=r"args\[0\] cannot be pickled \(TypeError: the future of job"):
        client.submit(multiply, future, 2)
    with pytest.raises(daskjob.NotPicklable, match=r"function: client cannot be pickled"):
        client.submit(lambda: client.list())


def test_what_a_notebook_shows(connect: Connect) -> None:
    """Of jobs what a person reads, not their whole manifests."""
    prefixes = [{"name": "add", "total": 4, "done": 3}]
    current = job(phase="Running", progress={"total": 4, "done": 3, "percent": 75, "prefixes": prefixes})
    _, client = connect({"list daskjobs": [listed(current)], "get daskjobs/one": [Answer(current)]})
    [found] = client.list()
    assert "entrypoint" not in repr(found)
    assert "percent=75" in repr(found)
    assert found.body["spec"]["graph"]["entrypoint"] == "job:main"
    [prefix] = found.progress.prefixes
    assert (found.progress.done, prefix.name, prefix.done) == (3, "add", 3)
    assert repr(client.attach("one")) == "<JobFuture team/one Running>"
    assert repr(client) == "<DaskJobClient of namespace team>"


def test_a_job_of_another_namespace_has_a_watch_of_its_own(connect: Connect) -> None:
    server, client = connect({**known(("one", "two"), Stream([], "stays")), "create daskjobs": [created]})
    client.attach("one")
    server.plays["list daskjobs"] = [listed(job("two", "uid-of-two", "2", **DONE))]
    manifest = {"apiVersion": "daskjob.io/v1alpha1", "kind": "DaskJob", "metadata": {"name": "two", "namespace": "b"}}
    assert client.run(manifest).result(PATIENCE) == 7


@pytest.mark.parametrize("failure", [CLOSED, status(429, "TooManyRequests", "slow down"), status(503, "x", "starting")])
def test_an_api_server_that_is_away_when_the_waiting_begins(connect: Connect, failure: Reply) -> None:
    """The job was created, or found, so the cluster is the right one: it is waited for as it is later."""
    server, client = connect(known(("one",), Stream(ended("one"), "stays")))
    server.plays["list daskjobs"] = [failure] * 9 + server.plays["list daskjobs"]
    assert client.attach("one").result(PATIENCE) == 7


def test_a_job_that_waits_for_its_turn_has_its_place(connect: Connect) -> None:
    _, client = connect({"list daskjobs": [listed(job("one", phase="Queued", queuePosition=3), job("two", **DONE))]})
    assert [each.queue_position for each in client.list()] == [3, None]


def test_phases_that_there_are_not(connect: Connect) -> None:
    _, client = connect({})
    with pytest.raises(ValueError, match=r"no phase 'running'; there are Pending, .*Running"):
        client.list(phase="running")


def test_each_loop_gets_the_value(connect: Connect) -> None:
    gate = threading.Event()
    _, client = connect(known(("one",), after(gate, *ended("one"))))
    future = client.attach("one")

    async def both() -> list[int]:
        gate.set()
        return await asyncio.gather(future, future)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda _: asyncio.run(both()), range(2)))
    assert found == [[7, 7], [7, 7]]


def test_a_loop_that_gave_up_hears_no_more(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the job nor the end of the loop minds, and nothing is logged when the job ends."""
    gate = threading.Event()
    server, client = connect(known(("one",), after(gate, *ended("one"))))
    future = client.attach("one")
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(future, 0.01))
    gate.set()
    with caplog.at_level(logging.DEBUG, "concurrent.futures"):
        assert future.result(PATIENCE) == 7
        over = threading.Event()
        future.add_done_callback(lambda _: over.set())
        assert over.wait(PATIENCE)
    assert caplog.records == []
    assert not any(each.what.startswith("patch") for each in server.asked)


def test_a_loop_ends_though_a_call_goes_on(connect: Connect) -> None:
    """The threads of a loop are few, and it waits for them: what waits for jobs has its own."""
    calls, count = 40, itertools.count(1)

    async def many() -> None:
        loop, all_wait = asyncio.get_running_loop(), asyncio.Event()

        def answer(asked: Asked) -> Answer:
            if next(count) == calls:
                loop.call_soon_threadsafe(all_wait.set)
            return Answer({})

        plays: dict[str, list[Play]] = {"create daskjobs": [created], "create secrets": [answer]}
        _, client = connect({**plays, **known((), Stream([], "stays"))})
        beside = daskjob.AsyncDaskJobClient(client)
        tasks = [asyncio.ensure_future(beside.map(multiply, [1], [2])) for _ in range(calls)]
        await asyncio.wait_for(all_wait.wait(), PATIENCE)
        assert await beside.list() == []
        for each in tasks:
            each.cancel()

    asyncio.run(many())


def test_leaving_a_cancelled_task_waits_for_nothing(connect: Connect) -> None:
    _, client = connect(known(("one",), Stream([], "stays")))
    future = client.attach("one")

    async def work(begun: asyncio.Event) -> None:
        async with daskjob.AsyncDaskJobClient(client):
            begun.set()
            await future

    async def cancelled() -> None:
        begun = asyncio.Event()
        task = asyncio.ensure_future(work(begun))
        await begun.wait()
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert not future.done()


def test_jobs_of_this_machine_are_of_one_process() -> None:
    client = daskjob.connect(backend="local")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            client.list()
        except WrongState as error:
            code = 0 if "this one is a child" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
