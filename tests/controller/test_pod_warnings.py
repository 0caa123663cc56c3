"""How often Kubernetes' events about silent pods are read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from daskjob.controllers.job.pod_warnings import PodWarnings
from daskjob.errors import ApiError
from daskjob.kube.client import classify

from ..lifecycle.builders import NOW


class Client:
    """Answers each list of events with one warning, which has the number of the question."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refusal: ApiError | None = None

    async def list(self, _: object, namespace: str, *, fields: str) -> list[dict[str, Any]]:
        assert namespace == "team"
        pod = next(each for each in fields.split(",") if "involvedObject.name" in each).partition("=")[2]
        self.asked.append(pod)
        if self.refusal is not None:
            raise self.refusal
        return [{"reason": "FailedMount", "message": str(len(self.asked))}]


async def look(warnings: PodWarnings, client: Any, second: float, *pods: str) -> tuple[str, ...]:
    return await warnings.look(client, "team", pods, NOW + timedelta(seconds=second))


async def test_a_pod_is_asked_about_after_growing_pauses() -> None:
    warnings, client, seconds = PodWarnings(), Client(), []
    for second in range(60):
        before = len(client.asked)
        words = await look(warnings, client, second, "a")
        assert words == (f"pod a: FailedMount: {len(client.asked)}",), "the last answer stands meanwhile"
        seconds += [second] if len(client.asked) > before else []
    assert seconds == [0, 5, 10, 20, 40]


async def test_each_pod_has_pauses_of_its_own() -> None:
    warnings, client = PodWarnings(), Client()
    await look(warnings, client, 0, "a")
    assert len(await look(warnings, client, 1, "a", "b")) == 2
    assert client.asked == ["a", "b"]


async def test_a_pod_that_is_no_longer_silent_is_forgotten() -> None:
    warnings, client = PodWarnings(), Client()
    await look(warnings, client, 0, "a")
    assert await look(warnings, client, 1) == ()
    await look(warnings, client, 2, "a")
    assert client.asked == ["a", "a"]


async def test_a_refused_question_is_put_again_and_an_answer_stands() -> None:
    warnings, client = PodWarnings(), Client()
    before = await look(warnings, client, 0, "a")
    client.refusal = classify(503, "not now")
    assert await look(warnings, client, 5, "a", "b") == before
    assert await look(warnings, client, 5, "a", "b") == before
    assert client.asked == ["a"] * 3, "who does not answer about one is not asked about the next"
