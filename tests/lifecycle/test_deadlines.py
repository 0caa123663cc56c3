"""Time: of the whole job, of an attempt, until it starts, and without progress."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from daskjob import wire
from daskjob.api.constants import FailureClass, Phase, Reason
from daskjob.api.live_status import Progress
from daskjob.api.status import Attempt, Retries
from daskjob.api.times import to_seconds_text
from daskjob.lifecycle.job.actions import CreateReport, SetDeadline
from daskjob.lifecycle.job.deadlines import runner_deadline
from daskjob.lifecycle.job.decision import Decision
from daskjob.wire.runner_deadline import RunnerDeadline

from .builders import ATTEMPT, NOW, Scene, a_job, a_pod, ago, ended, running, text, waiting

A, B = FailureClass.APPLICATION, FailureClass.INFRASTRUCTURE


def reason_of(decision: Decision) -> str | None:
    return decision.status.failure.reason if decision.status.failure is not None else None


def message_of(decision: Decision) -> str:
    return (decision.status.failure.message or "") if decision.status.failure is not None else ""


# The whole job.


@pytest.mark.parametrize(("seconds", "ends"), [(61, False), (60, True)])
def test_a_job_has_its_time(seconds: int, ends: bool) -> None:
    scene = a_job().started().with_deadline(seconds).live()
    decision = scene.decide()
    assert (reason_of(decision) == Reason.DEADLINE_EXCEEDED) == ends
    if not ends:
        assert decision.requeue_after == timedelta(seconds=1)


def second_attempt(seconds_ago: float) -> Scene:
    """The job was accepted a minute ago, its second attempt so many seconds ago."""
    began = to_seconds_text(ago(seconds_ago))
    attempts = (Attempt(1, "a", completion_time=began), Attempt(2, ATTEMPT, start_time=began))
    return a_job().started().with_status(attempt=2, attempts=attempts)


def test_all_attempts_together_have_it() -> None:
    assert reason_of(second_attempt(5).with_deadline(60).live().decide()) == Reason.DEADLINE_EXCEEDED
    assert reason_of(second_attempt(5).with_deadline(61).live().decide()) is None


def test_no_limit_of_retries_makes_it_longer() -> None:
    scene = a_job().started().with_deadline(60).with_spec(backoffLimit=9, infrastructureRetries=9).live()
    assert scene.decide().status.phase is Phase.FAILED


def test_a_deadline_that_is_edited_counts_from_the_start_too() -> None:
    scene = a_job().started().with_deadline(3600)
    assert not scene.live().decide().status.finished
    assert reason_of(scene.with_deadline(10).live().decide()) == Reason.DEADLINE_EXCEEDED


# One attempt.


@pytest.mark.parametrize(("seconds", "ends"), [(21, False), (20, True)])
def test_an_attempt_has_its_time(seconds: int, ends: bool) -> None:
    decision = second_attempt(20).with_spec(attemptDeadlineSeconds=seconds).live().decide()
    assert (reason_of(decision) == Reason.ATTEMPT_DEADLINE_EXCEEDED) == ends
    assert ("spec.attemptDeadlineSeconds (20 s)" in message_of(decision)) == ends
    if not ends:
        assert decision.requeue_after == timedelta(seconds=1)


def test_and_another_follows_if_there_may_be_one() -> None:
    scene = a_job().started().with_spec(attemptDeadlineSeconds=60, backoffLimit=1)
    assert scene.decide().needs_live_read, "the runner may be done just now"
    status = scene.live().decide().status
    assert (status.phase, status.retries) == (Phase.RETRYING, Retries(application=1))
    assert status.current is not None
    assert (status.current.reason, status.current.failure_class) == ("AttemptDeadlineExceeded", A)


@pytest.mark.parametrize("field", ["attemptDeadlineSeconds", "activeDeadlineSeconds"])
def test_what_kept_it_from_starting_is_told(field: str) -> None:
    """It is where the time went, and what there is to mend."""
    image = waiting("worker", "ImagePullBackOff", "no such image")
    scene = a_job().accepted().cluster().workers(image).with_spec(**{field: 60}).live()
    assert "never started: pod sum-3f2a9-1-worker (worker): ImagePullBackOff: no such image" in message_of(
        scene.decide()
    )
    assert "never started" not in message_of(a_job().started().workers(image).with_spec(**{field: 60}).live().decide())


# Without progress.


def stalling(started_ago: float = 50, changed_ago: float | None = 40, timeout: int = 45) -> Scene:
    """The graph runs, and nothing has changed since, as its runner still says."""
    scene = a_job().with_spec(stallTimeoutSeconds=timeout).started()
    timings = {"connected": text(55), "firstWorker": text(55), "graphStarted": text(started_ago)}
    scene = scene.says(timings=timings)
    status = scene.decide().status
    progress = status.progress
    assert progress is not None
    last = to_seconds_text(ago(changed_ago)) if changed_ago is not None else None
    scene = replace(scene, status=status).with_status(progress=replace(progress, last_change=last))
    return scene.sees(last_report_at=ago(1))


@pytest.mark.parametrize(("timeout", "ends"), [(41, False), (40, True)])
def test_a_graph_that_makes_no_progress_has_stalled(timeout: int, ends: bool) -> None:
    scene = stalling(timeout=timeout)
    if ends:
        assert scene.decide().needs_live_read, "news may be on its way"
    decision = scene.live().decide()
    assert (reason_of(decision) == Reason.STALLED) == ends
    if ends:
        assert message_of(decision) == "no count of tasks changed for spec.stallTimeoutSeconds (40 s); 4/10 are done"
        assert decision.status.failure is not None
        assert decision.status.failure.failure_class is A
    else:
        assert decision.requeue_after == timedelta(seconds=1)


@pytest.mark.parametrize(("heard", "ends"), [(59, True), (60, False), (None, False)])
def test_a_runner_that_cannot_be_heard_may_well_go_on(heard: float | None, ends: bool) -> None:
    """After an outage, or a restart of the operator, what it said last is old: the next word tells."""
    scene = stalling(changed_ago=5000).sees(last_report_at=ago(heard) if heard is not None else None)
    assert (reason_of(scene.live().decide()) == Reason.STALLED) == ends


def test_no_timeout_no_stall() -> None:
    assert reason_of(stalling().with_spec(stallTimeoutSeconds=None).live().decide()) is None


def test_another_attempt_follows_if_there_may_be_one() -> None:
    status = stalling(timeout=40).with_spec(backoffLimit=1).live().decide().status
    assert (status.phase, status.retries) == (Phase.RETRYING, Retries(application=1))


@pytest.mark.parametrize(
    ("counts", "moves"),
    [
        ({"done": 5}, True),
        ({"total": 11}, True),
        ({"erred": 1}, True),
        ({"done": 3}, True),
        ({"processing": 5}, False),
        ({}, False),
    ],
    ids=str,
)
def test_what_counts_as_progress(counts: dict[str, int], moves: bool) -> None:
    scene = stalling(timeout=30)
    scene = scene.says(progress={"total": 10, "done": 4, "processing": 2, "erred": 0} | counts).live()
    decision = scene.decide()
    assert (reason_of(decision) is None) == moves
    if moves:
        assert decision.requeue_after is not None
        assert decision.requeue_after <= timedelta(seconds=30)
        assert decision.status.progress is not None
        assert decision.status.progress.last_change == to_seconds_text(NOW)


def test_before_the_first_count_it_is_counted_from_the_start_of_the_graph() -> None:
    quiet = stalling(started_ago=30, changed_ago=None).says(progress=None).with_status(progress=None)
    assert reason_of(quiet.with_spec(stallTimeoutSeconds=30).live().decide()) == Reason.STALLED
    assert reason_of(quiet.with_spec(stallTimeoutSeconds=31).live().decide()) is None


def test_counts_of_the_attempt_before_say_nothing() -> None:
    scene = stalling(started_ago=10, changed_ago=5000, timeout=30)
    assert reason_of(scene.live().decide()) is None


@pytest.mark.parametrize("started_ago", [100_000, -100_000])
def test_a_runner_whose_clock_is_wrong_is_not_ended_too_early(started_ago: float) -> None:
    """It has said when the graph started: before the attempt, which is a minute old, or in times to come."""
    scene = stalling(started_ago=started_ago, changed_ago=None).with_status(progress=Progress(10, 4, 2, 0))
    assert reason_of(scene.with_spec(stallTimeoutSeconds=61).live().decide()) is None
    ends = started_ago > 0
    assert (reason_of(scene.with_spec(stallTimeoutSeconds=60).live().decide()) == Reason.STALLED) == ends


def test_a_graph_that_has_not_started_does_not_stall() -> None:
    scene = a_job().with_spec(stallTimeoutSeconds=30).accepted().cluster().runner().report(stage="Starting")
    assert reason_of(scene.live().decide()) is None


# Until it starts.


def starting(min_workers: int, ready: int, **report: object) -> Scene:
    workers = tuple(running("worker", number) for number in range(ready))
    scene = a_job().with_spec(startupDeadlineSeconds=60).with_workers(replicas=4, minWorkers=min_workers)
    scene = scene.accepted().cluster().schedulers(running("scheduler")).runner().workers(*workers)
    return scene.report(**{"stage": "Starting"} | report) if report else scene


def test_the_startup_deadline_counts_to_the_workers_that_are_needed() -> None:
    said = {"timings": {"connected": text(40), "firstWorker": text(39)}, "workers": {"connected": 2}}
    decision = starting(3, 2, **said).live().decide()
    assert reason_of(decision) == Reason.STARTUP_DEADLINE_EXCEEDED
    assert decision.status.failure is not None
    assert decision.status.failure.failure_class is B
    assert "fewer than 3 workers (spec.cluster.workers.minWorkers)" in message_of(decision)
    assert reason_of(starting(3, 3, **said | {"stage": "Running"}).live().decide()) is None
    assert reason_of(starting(1, 1, **said).live().decide()) is None


def test_without_a_report_their_pods_are_counted() -> None:
    assert reason_of(starting(3, 2).live().decide()) == Reason.STARTUP_DEADLINE_EXCEEDED
    assert reason_of(starting(3, 3).live().decide()) is None


def test_a_pod_that_may_not_find_the_scheduler_by_name_is_told() -> None:
    scene = starting(3, 2, stage="Starting", workers={"connected": 0})
    assert "dnsPolicy" not in message_of(scene.live().decide())
    pods = (running("worker", dns_policy="Default"), running("worker", 1))
    words = (
        "(worker) has dnsPolicy Default, by which it may not find the scheduler's Service by name: leave dnsPolicy out"
    )
    assert words in message_of(scene.workers(*pods).live().decide())


def test_what_stands_in_the_way_of_the_rest_is_the_reason() -> None:
    pending = a_pod("worker", 9, unschedulable="0/1 nodes are available")
    scene = starting(3, 2, stage="Starting", workers={"connected": 2})
    scene = scene.workers(*scene.seen["workers"], pending)
    assert reason_of(scene.live().decide()) == Reason.UNSCHEDULABLE


def test_once_it_runs_the_rest_may_take_its_time() -> None:
    pending = a_pod("worker", 9, unschedulable="0/1 nodes are available")
    scene = starting(2, 2, stage="Running", workers={"connected": 2}).workers(running("worker"), pending).live()
    status = scene.decide().status
    assert (status.phase, status.cluster and status.cluster.summary) == (Phase.RUNNING, "2/4")


# The runner's own clock.

ACTIVE = RunnerDeadline(
    100, "DeadlineExceeded", "the job was active for longer than spec.activeDeadlineSeconds (100 s)"
)
ATTEMPTS = "the attempt took longer than spec.attemptDeadlineSeconds ({} s)"


def given(scene: Scene) -> RunnerDeadline | None:
    """The deadline of the runner, which its report must have once the operator has decided."""
    wanted = runner_deadline(scene.observe().job)
    [action] = scene.knows(RunnerDeadline(1, "DeadlineExceeded", "an old one")).decide().actions
    assert action == SetDeadline(ATTEMPT, wanted)
    assert scene.knows(wanted).decide().actions == ()
    return wanted


def test_a_runner_keeps_the_earlier_deadline_from_the_start_of_its_attempt() -> None:
    scene = a_job().started()
    assert given(scene) is None
    assert given(scene.with_deadline(100)) == ACTIVE
    assert given(scene.with_deadline(100).with_spec(attemptDeadlineSeconds=100)) == ACTIVE
    ninety = RunnerDeadline(90, "AttemptDeadlineExceeded", ATTEMPTS.format(90))
    assert given(scene.with_deadline(100).with_spec(attemptDeadlineSeconds=90)) == ninety


def test_a_later_attempt_has_what_is_left_of_the_job_s_time() -> None:
    assert given(second_attempt(5).with_deadline(100)) == replace(ACTIVE, seconds=45)


def test_a_report_is_created_with_the_deadline() -> None:
    scene = a_job().accepted().cluster().runner().with_deadline(100).live()
    assert scene.decide().actions == (CreateReport("uid-runner-0", ACTIVE),)


def test_a_sealed_report_is_left_alone() -> None:
    scene = a_job().started().with_deadline(100).says(outcome="Succeeded", result={"type": "int", "value": "7"})
    assert not any(isinstance(each, SetDeadline) for each in scene.decide().actions)


@pytest.mark.parametrize(
    ("claim", "spec", "reason"),
    [
        ("DeadlineExceeded", {"activeDeadlineSeconds": 60}, Reason.DEADLINE_EXCEEDED),
        ("AttemptDeadlineExceeded", {"attemptDeadlineSeconds": 60}, Reason.ATTEMPT_DEADLINE_EXCEEDED),
        # The user gave more time, or none, after the last operator had ended.
        ("DeadlineExceeded", {"activeDeadlineSeconds": 61}, Reason.RUNNER_STOPPED),
        ("AttemptDeadlineExceeded", {"activeDeadlineSeconds": 60}, Reason.RUNNER_STOPPED),
        ("DeadlineExceeded", {}, Reason.RUNNER_STOPPED),
    ],
)
@pytest.mark.parametrize("reports", [True, False])
def test_a_runner_that_ended_by_its_own_clock(claim: str, spec: dict[str, int], reason: Reason, reports: bool) -> None:
    failure = {"reason": claim, "message": "by its own clock"}
    scene = a_job().started().with_spec(**spec).live()
    if reports:
        scene = scene.says(outcome="Failed", failure=failure)
    else:
        scene = scene.runner(ended("runner", 1, message=wire.termination_message("Failed", failure=failure)))
    decision = scene.decide()
    assert reason_of(decision) == reason
    last = decision.status.failure
    assert last is not None
    assert last.failure_class is A
    assert message_of(decision).startswith("by its own" if reason is Reason.RUNNER_STOPPED else "the ")
