"""How a job ends: from its report, else from its termination message, else from what the pods show."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from daskjob.api.constants import ConditionType, FailureClass, Phase, Reason
from daskjob.api.status import Timings
from daskjob.api.times import to_seconds_text
from daskjob.lifecycle.job.actions import Cancel, CreateRunner, Delete
from daskjob.lifecycle.job.claims import NODE_SETTLE, SETTLE
from daskjob.lifecycle.job.decision import Decision
from daskjob.lifecycle.pods import Pod

from .builders import Scene, a_job, a_pod, ago, ended, looping, restarted, running, text

A, B = FailureClass.APPLICATION, FailureClass.INFRASTRUCTURE
SEVEN = {"type": "int", "value": "7", "size": 1}


def sealed(outcome: str = "Succeeded", **more: Any) -> Scene:
    return a_job().started().says(outcome=outcome, **more).live()


def failed_with(reason: str, message: str = "boom", **more: Any) -> Scene:
    return sealed("Failed", failure={"reason": reason, "message": message}, **more)


def end_of(scene: Scene) -> tuple[str, FailureClass | None]:
    """(reason, class) of the end that a scene leads to; "" if it is not the end."""
    status = scene.decide().status
    if not status.finished:
        return "", None
    return status.failure.reason if status.failure else "Succeeded", status.failure and status.failure.failure_class


# The report.


def test_a_result_is_recorded_in_the_pass_that_then_removes_the_cluster() -> None:
    decision = sealed(result=SEVEN).decide()
    status = decision.status
    assert status.result is not None
    assert (status.phase, status.result.type, status.result.value, status.summary) == (Phase.SUCCEEDED, "int", "7", "7")
    assert status.is_true(ConditionType.COMPLETE)
    assert status.condition(ConditionType.FAILED) is None
    assert status.completion_time == "2026-03-01T12:00:00Z"
    assert status.timings.finished == "2026-03-01T12:00:00.000000Z"
    assert status.current is not None
    assert (status.current.outcome, status.current.reason) == ("Succeeded", "Succeeded")
    assert [each.target.kind for each in decision.actions if isinstance(each, Delete)] == ["DaskCluster"]
    assert [(each.reason, each.warning) for each in decision.events] == [("Succeeded", False)]


def test_a_success_without_a_result_is_none() -> None:
    result = sealed().decide().status.result
    assert result is not None
    assert (result.type, result.value) == ("NoneType", "null")


@pytest.mark.parametrize(("value", "summary"), [('"' + "x" * 58 + '"', 60), ('"' + "x" * 59 + '"', 60)])
def test_a_long_result_is_cut_in_the_summary_only(value: str, summary: int) -> None:
    status = sealed(result={"type": "str", "value": value}).decide().status
    assert status.summary is not None
    assert len(status.summary) == summary
    assert status.summary.endswith("...") == (len(value) > 60)
    assert status.result is not None
    assert status.result.value == value


def test_a_failure_is_recorded_with_all_that_the_runner_says_of_it() -> None:
    details = {"exceptionType": "ValueError", "traceback": "…", "taskKey": "f-1", "exitCode": 1}
    status = sealed("Failed", failure={"reason": "TaskFailed", "message": "no", **details}).decide().status
    failure = status.failure
    assert failure is not None
    assert (failure.reason, failure.failure_class, failure.message) == ("TaskFailed", A, "no")
    assert (failure.exception_type, failure.task_key, failure.exit_code) == ("ValueError", "f-1", 1)
    assert status.summary == "TaskFailed"
    assert status.current is not None
    assert (status.current.outcome, status.current.failure_class) == ("Failed", A)


def test_too_large_a_result_is_told_of_with_type_and_size() -> None:
    status = failed_with("ResultTooLarge", result={"type": "list", "size": 999_999}).decide().status
    assert status.result is not None
    assert (status.result.type, status.result.size, status.result.value) == ("list", 999_999, None)


def test_a_report_cannot_put_the_blame_on_the_infrastructure() -> None:
    scene = sealed("Failed", failure={"reason": "TaskFailed", "message": "", "class": "Infrastructure"})
    assert end_of(scene) == ("TaskFailed", A)


def test_what_comes_after_the_end_changes_nothing() -> None:
    scene = a_job().started().finished().says(outcome="Failed", failure={"reason": "TaskFailed", "message": "x"})
    decision = scene.decide()
    assert decision.status == scene.status
    assert decision.events == ()


# What a report claims and pods must confirm.

OOM_WORKER = restarted("worker", 137, "OOMKilled")
CLAIMS = {
    "workers killed, one for its memory": ("WorkersKilled", {"workers": (OOM_WORKER,)}, "WorkerOOMKilled", A),
    "workers killed, no word why": ("WorkersKilled", {"workers": (restarted("worker", 1),)}, "WorkersKilled", A),
    "scheduler killed for its memory": (
        "SchedulerLost",
        {"schedulers": (restarted("scheduler", 137, "OOMKilled"),)},
        "SchedulerOOMKilled",
        A,
    ),
    "scheduler lost": ("SchedulerLost", {"schedulers": (ended("scheduler", 1),)}, "SchedulerLost", B),
    "scheduler on a node that does not answer": (
        "SchedulerLost",
        {"schedulers": (running("scheduler", unreachable=True),)},
        "SchedulerLost",
        B,
    ),
    "scheduler there": ("SchedulerLost", {"schedulers": (running("scheduler"),)}, "SchedulerLost", A),
    "another one": ("SchedulerLost", {"schedulers": (running("scheduler", created=ago(9)),)}, "SchedulerLost", B),
    "no workers, nothing to be seen": ("NoWorkers", {}, "NoWorkers", B),
    "no workers, for want of a node": (
        "NoWorkers",
        {"workers": (a_pod("worker", unschedulable="0/1 nodes"),)},
        "Unschedulable",
        A,
    ),
    "workers killed, one evicted": (
        "WorkersKilled",
        {"workers": (running("worker", disrupted=True, message="node was low on memory"),)},
        "WorkersDisrupted",
        B,
    ),
    "told to stop, drained": ("Cancelled", {"runner": running("runner", disrupted=True)}, "RunnerDisrupted", B),
    "told to stop, deleted": ("Cancelled", {"runner": running("runner", deleting=True)}, "RunnerLost", B),
    "told to stop, deleted and gone": ("Cancelled", {"runner": None}, "RunnerLost", B),
    "told to stop, evicted": (
        "Cancelled",
        {"runner": a_pod("runner", phase="Failed", reason="Evicted", message="used too much")},
        "RunnerEvicted",
        A,
    ),
    "told to stop, nobody knows why": ("Cancelled", {}, "RunnerStopped", A),
    "scheduler not reached": ("SchedulerUnreachable", {}, "SchedulerUnreachable", B),
    "scheduler not reached, it keeps ending": (
        "SchedulerUnreachable",
        {"schedulers": (looping("scheduler", 1, "no distributed"),)},
        "ContainerStartFailed",
        A,
    ),
}


@pytest.mark.parametrize(("claim", "seen", "reason", "kind"), CLAIMS.values(), ids=CLAIMS)
def test_pods_have_the_last_word(claim: str, seen: dict[str, Any], reason: str, kind: FailureClass) -> None:
    assert end_of(failed_with(claim).sees(**seen)) == (reason, kind)


@pytest.mark.parametrize(
    ("code", "seconds_ago", "pod", "reason"),
    [
        (137, 1, ended("runner", 1, "OOMKilled"), "RunnerOOMKilled"),
        (137, 1, running("runner"), ""),
        (137, 5, running("runner"), "Signal"),
        (139, 1, running("runner"), "Signal"),
    ],
)
def test_a_process_that_was_killed_may_have_been_for_its_memory(
    code: int, seconds_ago: int, pod: Pod, reason: str
) -> None:
    failure = {"reason": "Signal", "message": "killed", "exitCode": code}
    scene = sealed("Failed", failure=failure, heartbeatTime=text(seconds_ago))
    assert end_of(scene.runner(pod))[0] == reason


def test_a_failure_is_believed_only_after_asking() -> None:
    """Of which class it is, and for what reason, is for good; a success needs no pod's word."""
    scene = failed_with("TaskFailed").sees(live=False)
    assert scene.decide() == Decision(scene.status, needs_live_read=True)
    assert end_of(sealed(result=SEVEN).sees(live=False))[0] == "Succeeded"


def test_the_memory_limit_is_named() -> None:
    scene = failed_with("WorkersKilled").with_workers(replicas=2, resources={"limits": {"memory": "2Gi"}})
    failure = scene.workers(OOM_WORKER).decide().status.failure
    assert failure is not None
    assert "memory limit of 2Gi" in (failure.message or "")
    assert "spec.cluster.workers.resources.limits.memory" in (failure.message or "")
    assert (failure.message or "").endswith("boom")


@pytest.mark.parametrize(("claim", "settle"), [("WorkersKilled", SETTLE), ("SchedulerLost", NODE_SETTLE)])
def test_the_kubelet_gets_a_moment_to_say_what_it_saw(claim: str, settle: timedelta) -> None:
    def scene(seconds_ago: float) -> Scene:
        return failed_with(claim, heartbeatTime=text(seconds_ago)).workers(running("worker"))

    last_words = message("Failed", failure={"reason": claim, "message": "boom"})
    unsealed = scene(1).report().runner(ended("runner", 1, message=last_words, finished=ago(1)))
    assert unsealed.decide().requeue_after == scene(1).decide().requeue_after
    waits = scene(1).decide()
    assert not waits.status.finished
    assert waits.requeue_after == settle - timedelta(seconds=1)
    assert not any(isinstance(each, Delete) for each in waits.actions)
    assert end_of(scene(settle.total_seconds())) == (claim, A)
    assert end_of(scene(-60)) == (claim, A), "a clock that is ahead is not waited for"
    assert scene(-60).sees(last_report_at=ago(1)).decide().requeue_after == waits.requeue_after, "ours is right"
    assert end_of(scene(1).workers(OOM_WORKER).schedulers(ended("scheduler", 1)))[0] in (
        "WorkerOOMKilled",
        "SchedulerLost",
    )


# The termination message, and what the pod shows.


def message(outcome: str, **more: Any) -> str:
    return json.dumps({"protocol": 1, "outcome": outcome, **more})


ENDED: dict[str, tuple[Pod, str, FailureClass | None]] = {
    "a result": (ended("runner", 3, message=message("Succeeded", result=SEVEN)), "Succeeded", None),
    "a failure": (
        ended("runner", 1, message=message("Failed", failure={"reason": "TaskFailed", "message": "no"})),
        "TaskFailed",
        A,
    ),
    "no outcome, exit code 0": (ended("runner", 0), "ExitedEarly", A),
    "no outcome, another exit code": (ended("runner", 2), "ExitCode", A),
    "garbage": (ended("runner", 1, message='{"protocol": 1, "outcome": "Maybe"}'), "ExitCode", A),
    "out of memory": (ended("runner", 137, "OOMKilled"), "RunnerOOMKilled", A),
    "out of memory, but an outcome": (
        ended("runner", 137, "OOMKilled", message("Failed", failure={"reason": "TaskFailed", "message": "no"})),
        "TaskFailed",
        A,
    ),
    "drained": (ended("runner", 143, disrupted=True), "RunnerDisrupted", B),
    "evicted for what it used": (a_pod("runner", phase="Failed", reason="Evicted"), "RunnerEvicted", A),
    "preempted": (a_pod("runner", phase="Failed", reason="Evicted", disrupted=True), "RunnerDisrupted", B),
    "never ran": (a_pod("runner", phase="Failed", reason="NodeLost"), "RunnerLost", B),
}


@pytest.mark.parametrize(("pod", "reason", "kind"), ENDED.values(), ids=ENDED)
def test_an_ended_runner_without_a_report(pod: Pod, reason: str, kind: FailureClass | None) -> None:
    scene = a_job().started().runner(pod)
    assert scene.decide().needs_live_read, "the report may only be late"
    assert scene.decide().actions == ()
    status = scene.live().decide().status
    assert end_of(scene.live()) == (reason, kind)
    assert status.is_true(ConditionType.REPORTING_DEGRADED)
    if reason == "Succeeded":
        assert status.result is not None
        assert status.result.value == "7"


def test_the_report_goes_before_the_termination_message() -> None:
    pod = ended("runner", 0, message=message("Failed", failure={"reason": "TaskFailed", "message": "no"}))
    status = sealed(result=SEVEN).runner(pod).live().decide().status
    assert status.is_true(ConditionType.COMPLETE)
    assert not status.is_true(ConditionType.REPORTING_DEGRADED)


# What was lost.


@pytest.mark.parametrize(
    ("scene", "reason"),
    [
        (a_job().started().sees(runner=None), Reason.RUNNER_LOST),
        (a_job().started().runner(running("runner", uid="another")), Reason.RUNNER_LOST),
        (a_job().started().sees(cluster=None), Reason.CLUSTER_LOST),
        (a_job().started().cluster(deleting=True), Reason.CLUSTER_LOST),
        (a_job().started().schedulers(a_pod("scheduler", deleting=True)), Reason.SCHEDULER_LOST),
        (a_job().started().schedulers(restarted("scheduler")), Reason.SCHEDULER_LOST),
        (a_job().started().schedulers(running("scheduler", created=None)).schedulers(), Reason.SCHEDULER_LOST),
    ],
)
def test_what_is_lost_is_believed_only_after_asking(scene: Scene, reason: Reason) -> None:
    assert end_of(scene) == ("", None)
    assert scene.live().decide().status.failure is not None
    assert end_of(scene.live()) == (reason, B)
    assert not any(isinstance(each, CreateRunner) for each in scene.live().decide().actions)


def test_a_scheduler_that_came_later_than_the_runner_has_lost_the_graph() -> None:
    timings = Timings(connected=text(40), scheduler_started=to_seconds_text(ago(50)))
    known = a_job().started().with_status(timings=timings)
    late = running("scheduler", 2, since=9, created=ago(10))
    assert end_of(known.schedulers(late).live()) == (Reason.SCHEDULER_LOST, B)
    assert end_of(known.schedulers(running("scheduler", since=50)).live()) == ("", None)


def test_a_scheduler_that_starts_badly_is_no_loss_until_the_runner_knew_it() -> None:
    scene = a_job().accepted().cluster().runner().report(stage="Starting").schedulers(restarted("scheduler")).live()
    assert end_of(scene) == ("", None)


@pytest.mark.parametrize(("seconds_ago", "reason"), [(59, ""), (60, Reason.RUNNER_LOST)])
def test_a_runner_on_a_node_that_does_not_answer(seconds_ago: float, reason: str) -> None:
    """Its pod is deleted and stays: nobody is there to say that it has ended."""
    scene = a_job().started().runner(running("runner", deleting=True, deletion_deadline=ago(seconds_ago)))
    assert end_of(scene.live())[0] == reason
    assert scene.decide().needs_live_read == bool(reason)
    if not reason:
        assert scene.decide().requeue_after == timedelta(seconds=1)


def test_a_lost_worker_is_no_end() -> None:
    scene = (
        a_job()
        .started()
        .workers(running("worker", 1), a_pod("worker", 2, deleting=True), ended("worker", 137, "OOMKilled"))
    )
    assert end_of(scene.live()) == ("", None)


# After the end.


@pytest.mark.parametrize(
    ("runner", "seconds_ago", "expected"),
    [
        (None, 1, []),
        (ended("runner"), 60, []),
        (running("runner"), 1, ["Cancel"]),
        (running("runner"), 29, ["Cancel"]),
        (running("runner"), 30, ["Pod"]),
        (running("runner", deleting=True), 60, []),
    ],
)
def test_a_runner_is_told_to_stop_then_made_to(runner: Pod | None, seconds_ago: float, expected: list[str]) -> None:
    scene = a_job().started().finished(ConditionType.FAILED, seconds_ago).sees(runner=runner, cluster=None).live()
    actions = scene.decide().actions
    assert [each.target.kind if isinstance(each, Delete) else type(each).__name__ for each in actions] == expected
    assert not any(isinstance(each, Cancel) for each in scene.report(cancel=True).decide().actions)
    assert not any(isinstance(each, Cancel) for each in scene.says(outcome="Succeeded").decide().actions)


def test_a_runner_that_never_started_goes_at_once() -> None:
    scene = a_job().started().finished(ConditionType.FAILED, 1).sees(cluster=None).runner(a_pod("runner"))
    assert [type(each) for each in scene.report().decide().actions] == [Delete]
    assert [type(each) for each in scene.decide().actions] == [Cancel], "its report can be ahead of the kubelet"


def test_the_cluster_goes_on_every_pass_until_it_is_gone() -> None:
    scene = a_job().started().finished()
    assert [each.target.kind for each in scene.decide().actions if isinstance(each, Delete)] == ["DaskCluster"]
    assert scene.cluster(deleting=True).decide().actions == (Cancel("sum-3f2a9-1"),)


def test_a_job_is_clean_when_only_its_ended_runner_and_report_are_left() -> None:
    left = a_job().started().finished().runner(ended("runner")).sees(cluster=None, schedulers=(), workers=())
    for remains in (
        left.cluster(deleting=True),
        left.schedulers(running("scheduler", deleting=True)),
        left.workers(running("worker")),
        left.group(1),
        left.runner(running("runner", deleting=True)),
    ):
        assert not remains.live().decide().status.is_true(ConditionType.CLEANED_UP)
        assert remains.live().decide().requeue_after is not None
    decision = left.live().decide()
    assert decision.status.is_true(ConditionType.CLEANED_UP)
    assert decision.status.timings.cleaned_up is not None
    assert (decision.actions, decision.requeue_after) == ((), None)
    again = left.with_status(**vars(decision.status)).decide()
    assert again.status == decision.status


def test_ready_turns_false_once_and_keeps_the_time_of_its_turn() -> None:
    """Even where the last look before the end found the workers ready, and the recorded condition did not."""
    scene = sealed().with_condition(ConditionType.CLUSTER_READY, "False", "Waiting", 50)
    condition = scene.decide().status.condition(ConditionType.CLUSTER_READY)
    assert condition is not None
    assert (condition.status, condition.reason) == ("False", "CleaningUp")
    assert condition.last_transition_time == "2026-03-01T11:59:10Z"
    turned = sealed().with_condition(ConditionType.CLUSTER_READY, "True", "WorkersReady", 50)
    condition = turned.decide().status.condition(ConditionType.CLUSTER_READY)
    assert condition is not None
    assert condition.last_transition_time == "2026-03-01T12:00:00Z"
