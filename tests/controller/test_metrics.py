"""What is counted of jobs, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.api.constants import ConditionType, FailureClass, Outcome, Reason
from daskjob.api.status import Attempt, DaskJobStatus, Failure, Retries, Timings
from daskjob.controller import metrics
from daskjob.controllers.job import job_metrics
from daskjob.errors import ApiError
from daskjob.kube.refusal import classify

from .counting import Increase, series, value
from .test_reconcile import Setting

NOON = "2026-03-01T12:00:00Z"
NEW = DaskJobStatus()


def at(seconds: float) -> str:
    """So many seconds after noon."""
    return f"2026-03-01T12:{int(seconds) // 60:02}:{seconds % 60:09.6f}Z"


@pytest.fixture
def increase() -> Increase:
    return Increase()


def started(number: int = 1, status: DaskJobStatus = NEW) -> DaskJobStatus:
    attempt = Attempt(number, f"sum-{number}", start_time=NOON)
    return replace(status, run=status.run or 1, attempt=number, attempts=(*status.attempts, attempt), start_time=NOON)


def closed(status: DaskJobStatus, outcome: Outcome, reason: str | None = None, end: float = 30) -> DaskJobStatus:
    last = replace(status.attempts[-1], outcome=outcome, reason=reason, completion_time=at(end))
    return replace(status, attempts=(*status.attempts[:-1], last))


def ended(status: DaskJobStatus, failure: Failure | None = None, end: float = 30.5) -> DaskJobStatus:
    kind = ConditionType.FAILED if failure is not None else ConditionType.COMPLETE
    reason = failure.reason if failure is not None else Reason.SUCCEEDED
    timings = replace(status.timings, finished=at(end))
    outcome = Outcome.FAILED if failure is not None else Outcome.SUCCEEDED
    status = closed(status, outcome, reason, int(end)) if status.attempts else status
    return replace(status, failure=failure, timings=timings, completion_time=at(int(end))).with_condition(
        kind, True, reason, "", NOON, 1
    )


TIMES = Timings(accepted=at(0.2), graph_started=at(5.25), graph_finished=at(25.75))


def test_a_job_that_succeeds(increase: Increase) -> None:
    first = started()
    job_metrics.recorded("team", NEW, first)
    running = replace(first, timings=TIMES)
    job_metrics.recorded("team", first, running)
    assert increase.stages() == {"queued": 0}
    assert increase.of("daskjob_attempts_total") == {}
    done = ended(running)
    job_metrics.recorded("team", running, done)
    assert increase.of("daskjob_jobs_finished_total") == {" team Succeeded Succeeded": 1}
    assert increase.of("daskjob_attempts_total") == {"Succeeded Succeeded": 1}
    assert increase.stages() == {"queued": 0, "startup": 5.25, "run": 20.5, "finish": 4.75}
    assert increase("daskjob_job_duration_seconds_sum", outcome="Succeeded") == 30.5
    clean = replace(done, timings=replace(done.timings, cleaned_up=at(32))).with_condition(
        ConditionType.CLEANED_UP, True, Reason.CLEANED_UP, "", NOON, 1
    )
    job_metrics.recorded("team", done, clean)
    assert increase.stages()["cleanup"] == 1.5


def test_a_restart_counts_nothing(increase: Increase) -> None:
    """Whatever a status says that was read and not written; and another write of the same."""
    done = ended(replace(started(), timings=TIMES))
    for _ in range(3):
        job_metrics.recorded("team", done, done)
        job_metrics.recorded("team", done, replace(done, summary="x", observed_generation=2))
    assert increase.of("daskjob_job") == {}
    assert increase.of("daskjob_attempts") == {}
    assert increase.of("daskjob_retries") == {}


def test_an_attempt_that_is_retried(increase: Increase) -> None:
    first = started()
    failed = replace(closed(first, Outcome.FAILED, Reason.RUNNER_LOST), retries=Retries(infrastructure=1))
    job_metrics.recorded("team", first, failed)
    assert increase.of("daskjob_attempts_total") == {"Failed RunnerLost": 1}
    assert increase.of("daskjob_retries_total") == {"Infrastructure": 1}
    assert increase.of("daskjob_jobs_finished_total") == {}
    second = started(2, failed)
    job_metrics.recorded("team", failed, second)
    last = ended(second, Failure(Reason.TASK_FAILED, FailureClass.APPLICATION))
    job_metrics.recorded("team", second, last)
    assert increase.of("daskjob_attempts_total") == {"Failed RunnerLost": 1, "Failed TaskFailed": 1}
    assert increase.of("daskjob_retries_total") == {"Infrastructure": 1}
    assert increase.of("daskjob_jobs_finished_total") == {"Application team Failed TaskFailed": 1}


def test_a_retry_at_once_closes_and_starts_in_one_write(increase: Increase) -> None:
    """What is known of the first attempt's times is in the status before."""
    first = replace(started(), timings=TIMES)
    failed = replace(closed(first, Outcome.FAILED, Reason.SCHEDULER_LOST, 27), retries=Retries(infrastructure=1))
    job_metrics.recorded("team", first, replace(started(2, failed), timings=Timings(accepted=at(0.2))))
    assert increase.of("daskjob_attempts_total") == {"Failed SchedulerLost": 1}
    assert increase.stages() == {"queued": 0, "startup": 5.25, "run": 20.5, "finish": 1.25}


def test_a_new_run_ends_again(increase: Increase) -> None:
    done = ended(started())
    rerun = replace(NEW, run=2, attempt=1, attempts=done.attempts, retries=None)
    job_metrics.recorded("team", done, rerun)
    assert increase.of("daskjob_jobs_finished_total") == {}
    job_metrics.recorded("team", rerun, ended(started(2, rerun)))
    assert increase.of("daskjob_jobs_finished_total") == {" team Succeeded Succeeded": 1}
    assert increase.of("daskjob_attempts_total") == {"Succeeded Succeeded": 1}


def test_a_new_run_that_ends_as_it_begins(increase: Increase) -> None:
    """An edited spec that cannot be."""
    done = ended(started())
    invalid = Failure(Reason.INVALID_SPEC, FailureClass.APPLICATION)
    after = ended(replace(NEW, run=2, attempt=1), invalid)
    job_metrics.recorded("team", done, replace(after, attempts=done.attempts))
    assert increase.of("daskjob_jobs_finished_total") == {"Application team Failed InvalidSpec": 1}
    assert increase.of("daskjob_attempts_total") == {}


def test_retries_are_those_of_the_run(increase: Increase) -> None:
    before = replace(NEW, run=1, retries=Retries(application=3, ignored=1))
    job_metrics.recorded("team", before, replace(NEW, run=2, retries=Retries(application=1)))
    assert increase.of("daskjob_retries_total") == {"Application": 1}


def test_time_in_the_queue(increase: Increase) -> None:
    queued = replace(NEW, run=1).with_condition(ConditionType.QUEUED, True, Reason.OPERATOR_LIMIT, "", NOON, 1)
    attempt = Attempt(1, "sum-1", start_time=at(90))
    job_metrics.recorded("team", queued, replace(NEW, run=1, attempt=1, attempts=(attempt,)))
    assert increase.stages() == {"queued": 90}


@pytest.mark.parametrize(
    "timings",
    [
        Timings(graph_started="9999-01-01T00:00:00Z", graph_finished="9999-01-02T00:00:00Z"),
        Timings(graph_started="0001-01-01T00:00:00Z", graph_finished=at(25)),
        Timings(graph_started="soon", graph_finished="x" * 10_000),
    ],
)
def test_a_runner_that_lies_about_the_time(increase: Increase, timings: Timings) -> None:
    before = replace(started(), timings=timings)
    job_metrics.recorded("team", before, ended(before))
    assert all(seconds <= 31 for seconds in increase.stages().values())
    assert "run" not in increase.stages()


def test_a_runner_whose_clock_is_a_little_off(increase: Increase) -> None:
    before = replace(started(), timings=Timings(graph_started="2026-03-01T11:59:58Z", graph_finished=at(33)))
    job_metrics.recorded("team", before, ended(before))
    assert increase.stages() == {"startup": 0, "run": 35, "finish": 0}


texts = st.text(max_size=30) | st.sampled_from(list(Reason))


@given(st.lists(st.tuples(texts, texts, texts), max_size=20))
def test_labels_are_bounded_whatever_a_status_says(statuses: list[tuple[str, str, str]]) -> None:
    known = {*Reason, *Outcome, *FailureClass, "Other", ""}
    for outcome, reason, whose in statuses:
        hostile: Any = (outcome, whose)
        failure = Failure(reason, hostile[1], message="secret")
        before = started()
        job_metrics.recorded("team", before, closed(before, hostile[0], reason))
        job_metrics.recorded("team", before, ended(before, failure))
    for name, labels in series():
        if name.startswith(("daskjob_jobs_finished", "daskjob_attempts")):
            assert {label: each for label, each in labels if label != "namespace" and each not in known} == {}


def test_namespaces_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_namespaces", set())
    monkeypatch.setattr(metrics, "MAX_NAMESPACES", 20)
    before = len(series())
    for number in range(500):
        job_metrics.recorded(f"n-{number}", started(), ended(started()))
    assert len(series()) - before <= 21
    others = {"namespace": "Other", "outcome": "Succeeded", "reason": "Succeeded", "class": ""}
    assert value("daskjob_jobs_finished_total", **others) == 480


async def test_the_reconciler_counts_what_it_wrote(increase: Increase) -> None:
    setting = Setting({"graph": {"entrypoint": "m:f"}, "runner": {"template": {"spec": {"hostPID": True}}}})
    setting.client.refusals["status", "DaskJob"] = classify(503, "down")
    with pytest.raises(ApiError):
        await setting.look()
    assert increase.of("daskjob_jobs_finished_total") == {}, "nothing was recorded"
    setting.client.refusals.clear()
    await setting.look()
    await setting.look()
    assert increase.of("daskjob_jobs_finished_total") == {"Application team Failed InvalidSpec": 1}


async def test_orphans(increase: Increase) -> None:
    setting = Setting()
    await setting.look()
    setting.server.remove("DaskJob", "sum")
    setting.cache.drop({**setting.job, "metadata": {**setting.job["metadata"], "resourceVersion": "9999"}})
    setting.now += timedelta(minutes=3)
    await setting.look()
    await setting.look()
    counted = increase.of("daskjob_orphans_deleted_total")
    assert counted["DaskCluster"] == counted["Pod"] == 1
