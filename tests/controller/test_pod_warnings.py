"""How often Kubernetes' events about silent pods are read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from daskjob.controllers.job.pod_warnings import NamespaceWarnings, PodWarnings
from daskjob.errors import ApiError
from daskjob.kube.client import classify

from ..lifecycle.builders import NOW

Body = dict[str, Any]


class Client:
    """Answers each list of events with one warning about each pod, which has the number of the question."""

    def __init__(self, *pods: str) -> None:
        self.pods = pods
        self.asked: list[str] = []
        self.refusal: ApiError | None = None
        #: What a question waits for.
        self.gate = asyncio.Event()
        self.gate.set()

    async def list(self, _: object, namespace: str, *, fields: str, keep: Callable[[Body], Body]) -> list[Body]:
        assert fields == "involvedObject.kind=Pod,type=Warning"
        self.asked.append(namespace)
        message = str(len(self.asked))
        await self.gate.wait()
        if self.refusal is not None:
            raise self.refusal
        warnings = ("FailedMount", message), ("Unhealthy", f"Liveness probe failed: {message}")
        return [
            keep({"involvedObject": {"name": pod}, "reason": reason, "message": words, "eventTime": str(number)})
            for pod in self.pods
            for number, (reason, words) in enumerate(reversed(warnings))
        ]


class Waiting:
    """The jobs of a process, which wait for silent pods."""

    def __init__(self, *pods: str) -> None:
        self.client = Client(*pods)
        client: Any = self.client
        self.shared = NamespaceWarnings(client)
        self.jobs: dict[str, PodWarnings] = {}

    async def look(
        self, second: float, *pods: str, killed: tuple[str, ...] = (), job: str = "job", namespace: str = "team"
    ) -> tuple[str, ...]:
        warnings = self.jobs.setdefault(job, PodWarnings())
        return await warnings.look(self.shared, namespace, pods, killed, at(second))


def at(second: float) -> datetime:
    return NOW + timedelta(seconds=second)


async def test_a_pod_is_asked_about_after_growing_pauses() -> None:
    waiting, seconds = Waiting("a"), []
    for second in range(60):
        before = len(waiting.client.asked)
        words = await waiting.look(second, "a")
        assert words == (f"pod a: FailedMount: {len(waiting.client.asked)}",), "the last answer stands meanwhile"
        seconds += [second] if len(waiting.client.asked) > before else []
    assert seconds == [0, 5, 10, 20, 40]


async def test_each_pod_has_pauses_of_its_own() -> None:
    waiting = Waiting("a", "b")
    await waiting.look(0, "a")
    assert len(await waiting.look(2, "a", "b")) == 2
    assert waiting.client.asked == ["team", "team"]


async def test_a_pod_that_is_no_longer_silent_is_forgotten() -> None:
    waiting = Waiting("a")
    await waiting.look(0, "a")
    assert await waiting.look(1) == ()
    await waiting.look(2, "a")
    assert waiting.client.asked == ["team", "team"]


async def test_nothing_is_asked_for_a_job_without_silent_pods() -> None:
    waiting = Waiting()
    assert await waiting.look(0) == ()
    assert waiting.client.asked == []


async def test_a_refused_question_is_put_again_and_an_answer_stands() -> None:
    waiting = Waiting("a", "b")
    before = await waiting.look(0, "a")
    waiting.client.refusal = classify(503, "not now")
    assert await waiting.look(5, "a", "b") == before
    waiting.client.refusal = None
    assert len(await waiting.look(7, "a", "b")) == 2


async def test_one_question_answers_all_jobs_of_a_namespace() -> None:
    waiting = Waiting(*(f"pod-{each}" for each in range(100)))
    for each in range(100):
        assert await waiting.look(each / 100, f"pod-{each}", job=f"job-{each}") == (f"pod pod-{each}: FailedMount: 1",)
    assert await waiting.look(1.9, "a", job="other", namespace="other") == ()
    assert waiting.client.asked == ["team", "other"]
    await waiting.look(2, "a", job="late")
    assert waiting.client.asked == ["team", "other", "team"], "an answer holds for two seconds"


async def test_jobs_that_ask_at_the_same_time_wait_for_one_answer() -> None:
    waiting = Waiting("a", "b")
    waiting.client.gate.clear()
    first, second = (asyncio.create_task(waiting.look(0, pod, job=pod)) for pod in "ab")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    waiting.client.gate.set()
    assert await second == ("pod b: FailedMount: 1",), "a pass that is cancelled costs the others nothing"
    assert waiting.client.asked == ["team"]


async def test_a_killed_pod_is_asked_about_at_once() -> None:
    """The pass that sees its end may be the one that records why."""
    waiting = Waiting("a", "b")
    await waiting.look(0, "a")
    assert await waiting.look(0.5, killed=("b",), job="other") == ("pod b: Unhealthy: Liveness probe failed: 2",)
    assert waiting.client.asked == ["team", "team"]
