"""How a job ends: from its report, else from its termination message, else from what the pods show."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from daskjob.api.constants import ConditionType, FailureClass, Phase, Reason
from daskjob.api.status import Timings
from daskjob.api.times import to_seconds_text
from daskjob.lifecycle.job.actions import Cancel, CreateRunner, Delete
from daskjob.lifecycle.pods import Container, Pod, Termination

from .builders import Scene, a_job, a_pod, ago, end_of, ended, failed_with, message, restarted, running, sealed, text

A, B = FailureClass.APPLICATION, FailureClass.INFRASTRUCTURE
SEVEN = {"type": "int", "value": "7", "size": 1}


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


STORED = {"location": "s3://results/team/sum/uid/1", "size": 7, "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("result", "summary"),
    [
        ({"type": "int", "format": "json", "preview": "42"}, "42"),
        ({"type": "list", "format": "json"}, "list in json"),
        ({"type": "pandas.DataFrame", "format": "parquet", "preview": '[{"n":1}]'}, "pandas.DataFrame in parquet"),
    ],
)
def test_a_result_in_a_store_is_recorded_with_its_place(result: dict[str, str], summary: str) -> None:
    status = sealed(result={**STORED, **result}).decide().status
    assert status.summary == summary
    assert status.result is not None
    found = status.result
    assert (found.location, found.size, found.sha256) == (STORED["location"], 7, "0" * 64)
    assert (found.format, found.preview, found.value) == (result["format"], result.get("preview"), None)


@pytest.mark.parametrize("reason", ["StoreDriverMissing", "StoreNotFound", "StoreForbidden"])
def test_what_is_wrong_with_a_store_is_not_tried_again(reason: str) -> None:
    decision = failed_with(reason).with_spec(backoffLimit=2).decide()
    assert decision.status.failure is not None
    assert (decision.status.failure.reason, decision.status.phase) == (reason, Phase.FAILED)


def test_a_store_that_is_not_there_for_a_while_is_tried_again() -> None:
    assert failed_with("StoreUnavailable").with_spec(backoffLimit=2).decide().status.phase == Phase.RETRYING
    assert failed_with("StoreUnavailable").decide().status.phase == Phase.FAILED


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


# The termination message, and what the pod shows.


OOM, DONE = Termination(137, "OOMKilled", ""), Termination(0, "Completed", "")
INIT = Container("migrate", initial=True, terminated=Termination(42, "Error", "no such bucket"))
MESH = Container("mesh", ready=True, running_since=ago(50))
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
    "its command could not be started": (ended("runner", 128, "StartError", "no python3"), "ContainerStartFailed", A),
    "an init container failed": (
        ended("runner", containers=(INIT, Container("runner", waiting=("PodInitializing", "")))),
        "InitContainerFailed",
        A,
    ),
    "an init container ended as if it were killed": (
        ended("runner", containers=(replace(INIT, terminated=Termination(137, "Error", "")),)),
        "InitContainerFailed",
        A,
    ),
    "deleted while an init container ran": (
        ended("runner", 1, deleting=True, containers=(replace(INIT, terminated=Termination(143, "Error", "")),)),
        "RunnerLost",
        B,
    ),
    "it ended, and a sidecar goes on": (
        ended("runner", 2, phase="Running", containers=(MESH, Container("runner", terminated=Termination(2, "", "")))),
        "ExitCode",
        A,
    ),
    "a sidecar was out of memory": (
        ended("runner", 0, containers=(replace(MESH, last_terminated=OOM), Container("runner", terminated=DONE))),
        "ExitedEarly",
        A,
    ),
    "out of memory, but an outcome": (
        ended("runner", 137, "OOMKilled", message("Failed", failure={"reason": "TaskFailed", "message": "no"})),
        "TaskFailed",
        A,
    ),
    "drained": (ended("runner", 143, disrupted=True), "RunnerDisrupted", B),
    "evicted for what it used": (a_pod("runner", phase="Failed", reason="Evicted"), "RunnerEvicted", A),
    "preempted": (a_pod("runner", phase="Failed", reason="Evicted", disrupted=True), "RunnerDisrupted", B),
    "never ran": (a_pod("runner", phase="Failed", reason="NodeLost"), "RunnerLost", B),
    "no room on its node": (a_pod("runner", phase="Failed", reason="OutOfcpu"), "RunnerLost", B),
    "its node was restarted": (ended("runner", 255, "Unknown"), "RunnerLost", B),
    "an exit code as of a restarted node": (ended("runner", 255), "ExitCode", A),
    "its spec asks for what its node does not do": (
        a_pod("runner", phase="Failed", reason="SysctlForbidden"),
        "PodRejected",
        A,
    ),
    "its spec gives it no time, and its container is not found": (
        replace(ended("runner", 137, "ContainerStatusUnknown"), reason="DeadlineExceeded"),
        "PodRejected",
        A,
    ),
    "its spec gives it no time": (a_pod("runner", phase="Failed", reason="DeadlineExceeded"), "PodRejected", A),
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


def test_an_init_container_that_failed_is_named_with_exit_code_and_last_words() -> None:
    pod = a_pod("runner", phase="Failed", containers=(INIT, Container("runner", waiting=("PodInitializing", ""))))
    failure = a_job().started().runner(pod).live().decide().status.failure
    assert failure is not None
    where = "pod sum-3f2a9-1-runner (runner), init container migrate"
    assert failure.message == f"{where} ended with exit code 42 (Error): no such bucket"
    assert failure.exit_code == 42


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
        # The runner was created after it, and knows no other certificate than that cluster's.
        (a_job().accepted().runner(), Reason.CLUSTER_LOST),
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


OOM_BESIDE = Container("uploader", restarts=9, last_terminated=Termination(137, "OOMKilled", ""))


@pytest.mark.parametrize("component", ["scheduler", "worker"])
def test_a_container_beside_ours_that_ends_is_no_loss(component: str) -> None:
    pod = running(component)
    beside = replace(pod, containers=(OOM_BESIDE, *pod.containers))
    scene = a_job().started().live()
    assert end_of(scene.schedulers(beside) if component == "scheduler" else scene.workers(beside)) == ("", None)


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
