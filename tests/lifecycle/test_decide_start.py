"""What is decided before a job's graph runs: acceptance, what is to be made, and what keeps it from starting."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from daskjob.api.constants import ConditionType, FailureClass, Outcome, Phase, Reason
from daskjob.api.times import to_seconds_text
from daskjob.lifecycle.blocker import Blocker, read_refusal
from daskjob.lifecycle.job.actions import CreateCluster, CreateReport, CreateRunner, Delete, OpenService
from daskjob.lifecycle.job.blockers import find_blocker
from daskjob.lifecycle.job.deadlines import REFERENCE_GRACE
from daskjob.lifecycle.job.observation import Owned
from daskjob.lifecycle.job.pacing import MINOR_INTERVAL, STARTING_INTERVAL
from daskjob.lifecycle.pods import Pod

from .builders import ATTEMPT, NOW, Scene, a_job, a_pod, ago, looping, running, waiting

START = (CreateCluster(1), CreateRunner(1))
REPORT = (CreateReport("uid-runner-0"),)


def test_a_new_job_is_accepted_and_its_attempt_recorded_in_the_pass_that_makes_it() -> None:
    decision = a_job().decide()
    assert decision.status.current is not None
    assert (decision.status.phase, decision.status.attempt) == (Phase.PENDING, 1)
    assert (decision.status.current.number, decision.status.current.name) == (1, ATTEMPT)
    assert decision.status.start_time == "2026-03-01T12:00:00Z"
    assert decision.status.timings.accepted == "2026-03-01T12:00:00.000000Z"
    assert decision.status.observed_generation == 1
    assert decision.actions == START
    assert [each.reason for each in decision.events] == ["Started"]


def test_a_job_being_deleted_is_left_to_the_garbage_collector() -> None:
    decision = a_job().that_is(deleting=True).decide()
    assert (decision.actions, decision.requeue_after, decision.status.phase) == ((), None, None)


def test_a_spec_that_cannot_be_ends_the_job_before_an_attempt() -> None:
    decision = a_job().that_is(spec_problem="spec.runner.template: no").decide()
    assert decision.status.failure is not None
    assert decision.status.failure.reason == Reason.INVALID_SPEC
    assert decision.status.failure.message == "spec.runner.template: no"
    assert (decision.status.phase, decision.status.attempt, decision.actions) == (Phase.FAILED, None, ())
    assert decision.status.is_true(ConditionType.FAILED)


MISSING = {
    "nothing is there": (a_job().accepted(), START),
    "only the cluster is there": (a_job().accepted().cluster(), START),
    "the report is not there": (a_job().accepted().cluster().runner(), REPORT),
    "all is there": (a_job().accepted().cluster().runner().report(), ()),
    "the ConfigMap with the code is not there": (a_job().with_config_map("code", found=False).accepted(1), ()),
    "the ConfigMap with the code is there": (a_job().with_config_map("code", found=True).accepted(1), START),
}


@pytest.mark.parametrize(("scene", "expected"), MISSING.values(), ids=MISSING)
def test_what_is_missing_is_made(scene: Scene, expected: tuple[object, ...]) -> None:
    assert scene.live().decide().actions == expected


WITH_ADDRESS = a_pod("scheduler", has_address=True)
MADE = a_job().accepted().cluster().runner()
OPEN = (OpenService("uid-cluster"),)
SERVICE = {
    "no scheduler": (MADE.report(), ()),
    "no address": (MADE.report().schedulers(a_pod("scheduler")), ()),
    "an address": (MADE.report().schedulers(WITH_ADDRESS), OPEN),
    "a runner that looks for it": (MADE.report(stage="Starting", seq=1).schedulers(WITH_ADDRESS), OPEN),
    "a runner that has reached it": (a_job().started().schedulers(running("scheduler", has_address=True)), ()),
    "not all is there yet": (MADE.schedulers(WITH_ADDRESS), REPORT),
}


@pytest.mark.parametrize(("scene", "expected"), SERVICE.values(), ids=SERVICE)
def test_the_service_is_opened_when_its_scheduler_has_an_address(scene: Scene, expected: tuple[object, ...]) -> None:
    assert scene.live().decide().actions == expected


LOST = {
    "is being deleted": MADE.report().schedulers(replace(WITH_ADDRESS, deleting=True)),
    "was evicted": MADE.report().schedulers(a_pod("scheduler", phase="Failed", reason="Evicted", disrupted=True)),
    "is gone": MADE.report().group(2, created=ago(10)),
}


@pytest.mark.parametrize("scene", LOST.values(), ids=LOST)
def test_a_scheduler_that_goes_before_the_runner_reached_it_is_lost(scene: Scene) -> None:
    """Nothing makes another one."""
    assert scene.decide().needs_live_read
    decision = scene.live().decide()
    last = decision.status.attempts[-1]
    assert (last.outcome, last.reason) == (Outcome.FAILED, Reason.SCHEDULER_LOST)
    assert decision.status.failure is not None
    assert decision.status.failure.failure_class == FailureClass.INFRASTRUCTURE
    assert not any(isinstance(each, OpenService) for each in decision.actions)


def test_a_scheduler_that_is_not_there_yet_is_waited_for() -> None:
    """The cache of pods may be later than that of worker groups."""
    assert MADE.report().group(2, created=ago(9)).live().decide().actions == ()


def test_nothing_is_made_for_a_known_attempt_before_asking_whether_it_is_there() -> None:
    decision = a_job().accepted().decide()
    assert decision.needs_live_read
    assert decision.actions == ()


def test_objects_of_other_attempts_go() -> None:
    old = Owned("DaskCluster", "sum-3f2a9-0", "uid-old", 0)
    gone = Owned("Pod", "sum-3f2a9-0-runner", "uid-gone", 0, deleting=True)
    decision = a_job().started().sees(stale_objects=(old, gone)).decide()
    assert [each.target for each in decision.actions if isinstance(each, Delete)] == [old]


# Deadlines.


@pytest.mark.parametrize(("seconds_ago", "over"), [(4, False), (5, True), (500, True)])
def test_the_active_deadline_counts_from_the_start_of_the_job(seconds_ago: int, over: bool) -> None:
    scene = a_job().started().with_deadline(5).accepted(seconds_ago)
    scene = scene.schedulers(running("scheduler")).live()
    decision = scene.decide()
    assert decision.status.finished == over
    if over:
        assert decision.status.failure is not None
        assert decision.status.failure.reason == Reason.DEADLINE_EXCEEDED
        assert "spec.activeDeadlineSeconds (5 s)" in (decision.status.failure.message or "")
    else:
        assert decision.requeue_after == timedelta(seconds=1)


def test_the_startup_deadline_ends_what_never_started() -> None:
    scene = a_job().with_spec(startupDeadlineSeconds=30).accepted(30).cluster().runner(a_pod("runner")).report()
    decision = scene.live().decide()
    assert decision.status.failure is not None
    assert decision.status.failure.reason == Reason.STARTUP_DEADLINE_EXCEEDED
    assert decision.status.failure.failure_class == FailureClass.INFRASTRUCTURE
    assert "30 s" in (decision.status.failure.message or "")


def test_a_deadline_may_be_past_when_the_report_comes_first() -> None:
    """An end that the operator finds by itself rests on nothing better being there: it asks before it says so."""
    decision = a_job().started().with_deadline(5).decide()
    assert decision.needs_live_read
    assert decision.actions == ()


@pytest.mark.parametrize(
    "started",
    [
        a_job().started(),
        a_job().accepted().cluster().schedulers(running("scheduler")).runner().workers(running("worker")),
    ],
)
def test_the_startup_deadline_is_over_once_a_worker_is_there(started: Scene) -> None:
    decision = started.accepted(10_000).live().decide()
    assert not decision.status.finished


@pytest.mark.parametrize(("seconds_ago", "over"), [(59, False), (60, True)])
def test_a_config_map_may_come_a_minute_late(seconds_ago: int, over: bool) -> None:
    decision = a_job().with_config_map("code", found=False).accepted(seconds_ago).live().decide()
    assert decision.status.finished == over
    condition = decision.status.condition(ConditionType.FAILED if over else ConditionType.CLUSTER_READY)
    assert condition is not None
    assert condition.reason == Reason.CONFIG_MAP_NOT_FOUND
    assert "spec.graph.source.configMap.name" in condition.message
    assert "'code'" in condition.message
    assert over or decision.requeue_after == min(REFERENCE_GRACE - timedelta(seconds=seconds_ago), timedelta(seconds=5))


# What stands in the way.

PROBLEMS = {
    "no image": (waiting("worker", "ImagePullBackOff", "not found"), Reason.IMAGE_PULL_FAILED, "not found", False),
    "no image name": (waiting("runner", "InvalidImageName", "A B"), Reason.IMAGE_PULL_FAILED, "A B", True),
    "never pulled": (waiting("scheduler", "ErrImageNeverPull"), Reason.IMAGE_PULL_FAILED, "ErrImageNeverPull", True),
    "no secret": (
        waiting("worker", "CreateContainerConfigError", 'secret "s"'),
        Reason.CONTAINER_START_FAILED,
        's"',
        False,
    ),
    "no node": (a_pod("worker", unschedulable="0/3 nodes"), Reason.UNSCHEDULABLE, "0/3 nodes", False),
    "no scheduler": (a_pod("worker", scheduler="other"), Reason.UNSCHEDULABLE, "correct schedulerName", False),
    "a scheduler that has just been asked": (a_pod("worker", scheduler="other", created=ago(4)), None, "", False),
    "a node by another scheduler": (a_pod("worker", scheduler="other", node="n"), None, "", False),
    "runs": (running("worker"), None, "", False),
    "is being made": (waiting("worker", "ContainerCreating"), None, "", False),
}


@pytest.mark.parametrize(("pod", "reason", "words", "permanent"), PROBLEMS.values(), ids=PROBLEMS)
def test_the_words_of_kubelet_and_scheduler(pod: Pod, reason: Reason | None, words: str, permanent: bool) -> None:
    seen = {"runner": {"runner": pod}, "worker": {"workers": (pod,)}, "scheduler": {"schedulers": (pod,)}}
    problem = find_blocker(a_job().accepted().cluster().sees(**seen[pod.component]).observe())
    assert (problem.reason if problem else None) == reason
    if problem is not None:
        assert words in problem.message
        assert problem.permanent == permanent


def test_a_container_that_keeps_ending_is_told_with_its_last_words() -> None:
    stuck = looping("scheduler", 1, "ModuleNotFoundError: distributed\n")
    problem = find_blocker(a_job().accepted().cluster().schedulers(stuck).observe())
    assert problem is not None
    assert problem.reason == Reason.CONTAINER_START_FAILED
    assert "exit code 1" in problem.message
    assert problem.message.endswith("ModuleNotFoundError: distributed")


REFUSALS = {
    'pods "x" is forbidden: exceeded quota: team, requested: pods=1': (Reason.QUOTA_EXCEEDED, False),
    'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot': (Reason.POD_REJECTED, True),
    'admission webhook "policy.example" denied the request: no': (Reason.POD_REJECTED, False),
    'pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi': (Reason.POD_REJECTED, True),
    'pods "x" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000': (
        Reason.POD_REJECTED,
        True,
    ),
    'pods "x" is forbidden: no PriorityClass with name high was found': (Reason.POD_REJECTED, False),
    'pods is forbidden: User "system:serviceaccount:a:b" cannot create resource "pods"': (
        Reason.OPERATOR_FORBIDDEN,
        False,
    ),
    "who knows": (Reason.POD_REJECTED, False),
}


@pytest.mark.parametrize(("words", "expected"), REFUSALS.items())
def test_the_words_of_the_api_server(words: str, expected: tuple[Reason, bool]) -> None:
    problem = read_refusal(words)
    assert (problem.reason, problem.permanent) == expected
    assert problem.message == words


def test_a_problem_is_told_while_there_is_hope_and_warned_of_once() -> None:
    pod = waiting("worker", "ErrImagePull", "denied")
    scene = a_job().accepted(20).cluster().runner(a_pod("runner")).report().workers(pod)
    decision = scene.decide()
    condition = decision.status.condition(ConditionType.CLUSTER_READY)
    assert condition is not None
    assert (condition.status, condition.reason) == ("False", Reason.IMAGE_PULL_FAILED)
    assert "denied" in condition.message
    assert [(each.reason, each.warning) for each in decision.events] == [(Reason.IMAGE_PULL_FAILED, True)]
    again = scene.with_status(**vars(decision.status)).decide()
    assert again.events == ()
    assert again.status == decision.status


def test_a_hopeless_problem_ends_the_job_at_once_in_the_same_words() -> None:
    problem = Blocker(Reason.POD_REJECTED, "violates PodSecurity", permanent=True)
    decision = a_job().accepted(1).refused(problem).live().decide()
    assert decision.status.failure is not None
    assert (decision.status.failure.reason, decision.status.failure.message) == (problem.reason, problem.message)
    assert decision.status.summary == Reason.POD_REJECTED


def test_a_problem_names_the_failure_when_the_time_is_up() -> None:
    scene = a_job().accepted(600).cluster().runner(a_pod("runner", unschedulable="0/1 nodes")).report().live()
    failure = scene.decide().status.failure
    assert failure is not None
    assert failure.reason == Reason.UNSCHEDULABLE
    assert "0/1 nodes" in (failure.message or "")


def test_a_worker_that_kubernetes_refuses_says_why() -> None:
    refusal = read_refusal("exceeded quota: q")
    scene = a_job().accepted().cluster().group(2, refusal=refusal).workers(a_pod("worker"))
    problem = find_blocker(scene.observe())
    assert problem is not None
    assert problem.reason == Reason.QUOTA_EXCEEDED
    assert problem.message == "worker: exceeded quota: q"
    there = scene.workers(a_pod("worker"), a_pod("worker", 1))
    assert find_blocker(there.observe()) is None, "what was refused earlier does not count"


def test_a_scheduler_that_kubernetes_never_accepts_fails_the_job_at_once() -> None:
    words = 'Pod "a" is invalid: spec.containers[0].volumeMounts[2].name: Not found: "x"'
    refusal = read_refusal(words, permanent=True)
    scene = a_job().accepted().cluster().runner(a_pod("runner")).report().sees(scheduler_refusal=refusal).live()
    failure = scene.decide().status.failure
    assert failure is not None
    assert (failure.reason, failure.failure_class) == (Reason.POD_REJECTED, FailureClass.APPLICATION)
    assert failure.message == f"scheduler: {words}"


@pytest.mark.parametrize(
    ("kind", "there"), [("pods", {}), ("daskworkergroups", {"schedulers": (running("scheduler"),)})]
)
def test_a_name_that_somebody_else_has_ends_the_attempt_at_once(kind: str, there: dict[str, Any]) -> None:
    refusal = Blocker(Reason.NAME_CONFLICT, f'{kind} "a" already exists')
    scene = a_job().accepted().cluster().runner(a_pod("runner")).report().sees(scheduler_refusal=refusal, **there)
    failed = scene.live().decide().status.attempts[0]
    assert (failed.reason, failed.failure_class) == (Reason.NAME_CONFLICT, FailureClass.INFRASTRUCTURE)
    healthy = scene.group(2).schedulers(running("scheduler")).live().decide()
    assert healthy.status.open is not None, "what was told earlier does not count"


def test_the_missing_config_map_is_told_before_what_follows_from_it() -> None:
    scene = a_job().with_config_map("code", found=False).accepted().workers(waiting("worker", "ErrImagePull", "no"))
    problem = find_blocker(scene.sees(warnings=("pod x: FailedMount: no",)).observe())
    assert problem is not None
    assert problem.reason == Reason.CONFIG_MAP_NOT_FOUND


def test_events_about_pods_are_the_last_resort() -> None:
    scene = a_job().accepted().cluster().sees(warnings=("pod x: FailedMount: no such secret",))
    problem = find_blocker(scene.observe())
    assert problem is not None
    assert (problem.reason, problem.message) == (Reason.VOLUME_MOUNT_FAILED, "pod x: FailedMount: no such secret")


def test_a_payload_that_does_not_come_is_told_within_a_minute() -> None:
    """The operator has no right on Secrets: it knows by the kubelet."""
    name = "sum-payload-0a0a0a0a0a"
    words = f'pod x: FailedMount: MountVolume.SetUp failed for volume "payload" : secret "{name}" not found'
    scene = a_job().accepted(seconds_ago=30).cluster().sees(warnings=(words,))
    problem = find_blocker(scene.observe())
    assert problem is not None
    assert problem.reason == Reason.PAYLOAD_MISSING
    assert name in problem.message
    assert scene.decide().status.open is not None, "it may still come"
    late = a_job().accepted(seconds_ago=61).cluster().sees(warnings=(words,)).live().decide().status.failure
    assert late is not None
    assert (late.reason, late.failure_class) == (Reason.PAYLOAD_MISSING, FailureClass.APPLICATION)
    other = a_job().accepted().cluster().sees(warnings=(words.replace('"payload"', '"data"'),))
    problem = find_blocker(other.observe())
    assert problem is not None
    assert problem.reason == Reason.VOLUME_MOUNT_FAILED, "a volume of the user's, whatever it names"


# How often the status is written.


def test_counts_alone_are_held_back_until_they_are_due() -> None:
    recorded = a_job().started().decide().status
    recorded = replace(recorded, start_time=to_seconds_text(ago(10)))
    scene = a_job().started().with_status(**vars(recorded)).says(progress={"total": 10, "done": 5})
    assert scene.decide().status.progress != recorded.progress, "a process that has not written yet writes at once"
    held = scene.sees(last_status_write=NOW - timedelta(seconds=1)).decide()
    assert held.status == recorded
    assert held.requeue_after == MINOR_INTERVAL - timedelta(seconds=1)
    due = scene.sees(last_status_write=NOW - MINOR_INTERVAL).decide()
    assert due.status.progress is not None
    assert due.status.progress.done == 5


def test_the_longer_a_job_runs_the_seldomer_its_counts_are_written() -> None:
    recorded = a_job().started().decide().status
    scene = (
        a_job()
        .started()
        .with_status(**vars(recorded))
        .with_status(start_time=to_seconds_text(ago(1000)))
        .says(progress={"total": 10, "done": 5})
    )
    scene = scene.sees(last_status_write=NOW - timedelta(seconds=49))
    pause = scene.decide().requeue_after
    assert pause is not None
    assert timedelta(seconds=1) <= pause < timedelta(seconds=1.1)
    assert scene.sees(now=NOW + pause).decide().status.progress != recorded.progress, "then it is due"


def test_that_the_cluster_exists_is_no_reason_to_write_at_once() -> None:
    scene = a_job().accepted().cluster().runner().report(stage="Starting", seq=1)
    scene = scene.with_status(**vars(replace(scene.decide().status, phase=Phase.PENDING)))
    held = scene.sees(last_status_write=NOW).decide()
    # As long again as the attempt has been starting.
    assert (held.status.phase, held.requeue_after) == (Phase.PENDING, timedelta(seconds=60))
    assert scene.decide().status.phase == Phase.STARTING


def test_a_start_of_a_few_seconds_is_told_with_the_graphs_beginning() -> None:
    scene = a_job().accepted(3).cluster().runner().report(stage="Starting", seq=1)
    recorded = replace(scene.decide().status, phase=Phase.PENDING)
    scene = scene.with_status(**vars(recorded)).sees(last_status_write=NOW - timedelta(seconds=3))
    held = scene.decide()
    assert (held.status.phase, held.requeue_after) == (Phase.PENDING, STARTING_INTERVAL - timedelta(seconds=3))
    assert held.requeue_after is not None
    assert scene.sees(now=NOW + held.requeue_after).decide().status.phase == Phase.STARTING
    assert scene.says(stage="Running").decide().status.phase == Phase.RUNNING


def test_a_change_of_phase_is_not_held_back() -> None:
    scene = a_job().accepted().cluster().runner().report(stage="Connected", seq=1)
    recorded = scene.decide().status
    assert recorded.phase == Phase.STARTING
    scene = scene.with_status(**vars(recorded)).says(stage="Running").sees(last_status_write=NOW)
    assert scene.decide().status.phase == Phase.RUNNING
