"""Whole runs on the model, from apply to the last object: how each ends, and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from daskjob.api.constants import ConditionType

from .test_machine import Machine

#: Without retries: how one attempt ends. The deadline is none that a look every few minutes would meet by chance.
PLAIN: dict[str, Any] = {
    "graph": {"entrypoint": "m:f"},
    "cluster": {"workers": {"replicas": 2}},
    "startupDeadlineSeconds": 100,
    "infrastructureRetries": 0,
}
RETRIED = {**PLAIN, "infrastructureRetries": 3}
HANGING = {**PLAIN, "activeDeadlineSeconds": 90}
FROM_MAP = {**PLAIN, "graph": {"entrypoint": "m:f", "source": {"configMap": {"name": "code"}}}}


def nothing(run: Machine) -> None:
    """All goes well."""


def blocked(reason: str) -> Callable[[Machine], None]:
    return lambda run: run.obstruct((reason, "the kubelet's words"), full=False)


def quota(run: Machine) -> None:
    run.obstruct(None, full=True)


def crash_everywhere(run: Machine) -> None:
    """The operator dies after each of its first requests in turn."""
    for after in range(14):
        run.look_once(which=0, name="sum", after=after, fate="crash")


def outcome_while_nobody_looks(run: Machine) -> None:
    run.go_on(which=0, seconds=0)
    run.say(stage="Running", wanted=1, whose=None)
    run.finish(succeed=True, whose=None)
    run.operators[0].begin()


def runner_gone(run: Machine) -> None:
    run.go_on(which=0, seconds=0)
    run.say(stage="Running", wanted=1, whose=None)
    for runner in run.running():
        run.server.delete("Pod", runner["metadata"]["name"], run.world.text())


def crash_after_a_loss(run: Machine) -> None:
    """The first attempt's runner is lost, and the operator dies after each of the requests that follow in turn."""
    runner_gone(run)
    run.operator(0).deliver_all()
    for after in range(30):
        run.look_once(which=0, name="sum", after=after, fate="crash")
        run.settle()
        run.operator(0).deliver_all()


def node_silent(run: Machine) -> None:
    run.go_on(which=0, seconds=0)
    run.say(stage="Running", wanted=1, whose=None)
    for runner in run.running():
        run.world.lost.add(runner["metadata"]["uid"])
        run.server.delete("Pod", runner["metadata"]["name"], run.world.text())


def node_gone(run: Machine) -> None:
    run.go_on(which=0, seconds=0)
    run.say(stage="Running", wanted=1, whose=None)
    for runner in run.running():
        run.world.evict(runner, disrupted=True)


def last_words(words: str, exit_code: int) -> Callable[[Machine], None]:
    def go(run: Machine) -> None:
        run.go_on(which=0, seconds=0)
        run.exit(exit_code=exit_code, last_words=words, whose=None)

    return go


RESULT = '{"protocol": 1, "outcome": "Succeeded", "result": {"type": "int", "value": "7", "size": 1}}'

#: What happens, and (reason, seconds until the end is recorded, at most).
RUNS: dict[str, tuple[dict[str, Any], Callable[[Machine], None], str, int]] = {
    "all goes well": (PLAIN, nothing, "Succeeded", 10),
    "a graph that hangs": (HANGING, nothing, "DeadlineExceeded", 91),
    "no image": (PLAIN, blocked("ImagePullBackOff"), "ImagePullFailed", 101),
    "an image that cannot be": (PLAIN, blocked("InvalidImageName"), "ImagePullFailed", 1),
    "no node": (PLAIN, blocked("Unschedulable"), "Unschedulable", 101),
    "a silent kubelet": (PLAIN, blocked("ContainerCreating"), "StartupDeadlineExceeded", 101),
    "no quota": (PLAIN, quota, "QuotaExceeded", 160),
    "no code": (FROM_MAP, nothing, "ConfigMapNotFound", 66),
    "an operator that dies again and again": (PLAIN, crash_everywhere, "Succeeded", 10),
    "an end that nobody saw": (PLAIN, outcome_while_nobody_looks, "Succeeded", 10),
    "a runner that was deleted": (PLAIN, runner_gone, "RunnerLost", 1),
    "a runner whose node does not answer": (PLAIN, node_silent, "RunnerLost", 71),
    "a runner whose node was drained": (PLAIN, node_gone, "RunnerDisrupted", 1),
    "a runner that was deleted, with retries": (RETRIED, runner_gone, "Succeeded", 15),
    "a runner whose node does not answer, with retries": (RETRIED, node_silent, "Succeeded", 90),
    "an operator that dies again and again, with retries": (RETRIED, crash_after_a_loss, "Succeeded", 15),
    "a result in the last words": (PLAIN, last_words(RESULT, 3), "Succeeded", 1),
    "no last words": (PLAIN, last_words("", 0), "ExitedEarly", 1),
    "odd last words": (PLAIN, last_words("[[[", 9), "ExitCode", 1),
}


@pytest.mark.parametrize(("spec", "happens", "reason", "seconds"), RUNS.values(), ids=RUNS)
def test_run(spec: dict[str, Any], happens: Callable[[Machine], None], reason: str, seconds: int) -> None:
    run = Machine()
    run.prepare()
    run.apply_job("sum", spec)
    began = run.world.now
    try:
        run.operator(0).deliver_all()
        happens(run)
        run.come_to_rest()
        status = run.status()
        assert status is not None
        assert status.finished
        assert (status.failure.reason if status.failure else "Succeeded") == reason
        assert status.is_true(ConditionType.COMPLETE) == (reason == "Succeeded")
        assert status.timings.finished is not None
        assert run.ended_after(began) <= seconds
    finally:
        run.teardown()
