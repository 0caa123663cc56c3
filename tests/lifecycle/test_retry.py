"""What follows a failed attempt: another one, and when, or the end of the job."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from daskjob.api.constants import ConditionType, FailureClass, Outcome, Phase, Reason
from daskjob.api.spec import parse_spec
from daskjob.api.status import Attempt, Failure, Retries
from daskjob.api.times import from_text
from daskjob.lifecycle.job.actions import CreateCluster, CreateRunner, Delete
from daskjob.lifecycle.job.retry import FINAL, MISTAKES, judge, pause

from .builders import ATTEMPT, NOW, UID, Scene, a_job, ended

A, B = FailureClass.APPLICATION, FailureClass.INFRASTRUCTURE


def a_failure(reason: str = "TaskFailed", kind: FailureClass = A, **details: Any) -> Failure:
    return Failure(reason, kind, **details)


LOST = a_failure("SchedulerLost", B)


def a_rule(action: str = "Ignore", **matchers: Any) -> dict[str, Any]:
    return {"failurePolicy": {"rules": [{"action": action, **matchers}]}}


# Whether.


JUDGED: dict[str, tuple[dict[str, Any], Retries, Failure, Retries | None, str]] = {
    "an error of the job's own, by default": ({}, Retries(), a_failure(), None, ""),
    "the first of two": ({"backoffLimit": 2}, Retries(), a_failure(), Retries(application=1), ""),
    "the second of two": ({"backoffLimit": 2}, Retries(1), a_failure(), Retries(application=2), ""),
    "one too many": ({"backoffLimit": 2}, Retries(2), a_failure(), None, "spec.backoffLimit (2) is reached"),
    "infrastructure, by default": ({}, Retries(), LOST, Retries(infrastructure=1), ""),
    "infrastructure, too often": (
        {},
        Retries(infrastructure=3),
        LOST,
        None,
        "spec.infrastructureRetries (3) is reached",
    ),
    "infrastructure, not at all": ({"infrastructureRetries": 0}, Retries(), LOST, None, ""),
    "each class has its own count": ({"backoffLimit": 1}, Retries(1, 2), LOST, Retries(1, 3), ""),
    "and the other way round": ({"backoffLimit": 1}, Retries(0, 3, 9), a_failure(), Retries(1, 3, 9), ""),
    "a limit that was lowered": ({"backoffLimit": 1}, Retries(5), a_failure(), None, "spec.backoffLimit (1)"),
    "a mistake": ({"backoffLimit": 9}, Retries(), a_failure("ModuleNotFound"), None, "it would be the same"),
    "code that cannot be read": (
        {"backoffLimit": 9},
        Retries(),
        a_failure("EntrypointFailed", exception_type="SyntaxError"),
        None,
        "it would be the same",
    ),
    "an exception of the code": (
        {"backoffLimit": 9},
        Retries(),
        a_failure("EntrypointFailed", exception_type="OSError"),
        Retries(application=1),
        "",
    ),
    "a mistake where nothing is tried again": ({}, Retries(), a_failure("ModuleNotFound"), None, ""),
    "a mistake of the cluster's": ({}, Retries(), a_failure("QuotaExceeded", B), Retries(0, 1), ""),
    "a mistake, but a rule says so": (
        {"backoffLimit": 1, **a_rule("Retry", onReasons=["ModuleNotFound"])},
        Retries(),
        a_failure("ModuleNotFound"),
        Retries(1),
        "",
    ),
    "ignored": (a_rule("Ignore", onReasons=["TaskFailed"]), Retries(), a_failure(), Retries(ignored=1), ""),
    "ignored for the thousandth time": (
        a_rule(onReasons=["A"]),
        Retries(0, 0, 999),
        a_failure("A"),
        Retries(0, 0, 1000),
        "",
    ),
    "ignored once too often": (
        a_rule(onReasons=["A"]),
        Retries(2, 3, 1000),
        a_failure("A"),
        None,
        "spec.failurePolicy.rules[0] says Ignore, which ends after 1000 ignored failures of a run",
    ),
    "ended by a rule": (
        {"backoffLimit": 9, **a_rule("Fail", onReasons=["SchedulerLost"])},
        Retries(),
        LOST,
        None,
        "spec.failurePolicy.rules[0] says Fail",
    ),
    "infrastructure, counted as the job's own": (
        {"backoffLimit": 1, **a_rule("Retry", onReasons=["SchedulerLost"])},
        Retries(0, 2),
        LOST,
        Retries(1, 2),
        "",
    ),
    "and at its limit": (
        {"backoffLimit": 1, **a_rule("Retry", onReasons=["SchedulerLost"])},
        Retries(1),
        LOST,
        None,
        "spec.backoffLimit (1) is reached",
    ),
    "a rule for others": (a_rule("Fail", onReasons=["TaskFailed"]), Retries(), LOST, Retries(0, 1), ""),
}


@pytest.mark.parametrize(("spec", "before", "failure", "after", "note"), JUDGED.values(), ids=JUDGED)
def test_whether_another_attempt_follows(
    spec: dict[str, Any], before: Retries, failure: Failure, after: Retries | None, note: str
) -> None:
    verdict = judge(parse_spec(spec), before, failure)
    assert verdict.retries == after
    assert note in verdict.note
    assert bool(note) == bool(verdict.note)


@pytest.mark.parametrize("reason", sorted(FINAL))
def test_some_ends_are_final_whatever_a_rule_says(reason: str) -> None:
    for action in ("Ignore", "Retry"):
        spec = parse_spec({"backoffLimit": 5, **a_rule(action, onReasons=[reason])})
        assert judge(spec, Retries(), a_failure(reason)).retries is None
        assert judge(spec, Retries(), a_failure(reason, B)).retries is None


def test_the_first_rule_that_matches_decides() -> None:
    rules = [
        {"action": "Ignore", "onReasons": ["ExitCode"], "onExitCodes": {"operator": "In", "values": [42]}},
        {"action": "Fail", "onReasons": ["ExitCode"]},
        {"action": "Ignore", "onReasons": ["ExitCode", "Signal"]},
    ]
    spec = parse_spec({"failurePolicy": {"rules": rules}})
    assert judge(spec, Retries(), a_failure("ExitCode", exit_code=42)).retries == Retries(ignored=1)
    assert judge(spec, Retries(), a_failure("ExitCode", exit_code=1)).retries is None
    assert judge(spec, Retries(), a_failure("Signal", exit_code=1)).retries == Retries(ignored=1)


def codes(operator: str, *values: int) -> dict[str, Any]:
    return {"onExitCodes": {"operator": operator, "values": list(values)}}


MATCHES: dict[str, tuple[dict[str, Any], Failure, bool]] = {
    "reason": ({"onReasons": ["A", "TaskFailed"]}, a_failure(), True),
    "another reason": ({"onReasons": ["A"]}, a_failure(), False),
    "case of a reason": ({"onReasons": ["taskfailed"]}, a_failure(), False),
    "code": (codes("In", 1, 137), a_failure(exit_code=137), True),
    "another code": (codes("In", 1), a_failure(exit_code=137), False),
    "none of the codes": (codes("NotIn", 1), a_failure(exit_code=137), True),
    "one of the codes": (codes("NotIn", 137), a_failure(exit_code=137), False),
    "code 0": (codes("In", 0), a_failure("ExitedEarly", exit_code=0), True),
    "no code": (codes("In", 1), a_failure(), False),
    "no code is none of the codes": (codes("NotIn", 1), a_failure(), False),
    "type in full": (
        {"onExceptionTypes": ["requests.exceptions.Timeout"]},
        a_failure(exception_type="requests.exceptions.Timeout"),
        True,
    ),
    "type in short": ({"onExceptionTypes": ["Timeout"]}, a_failure(exception_type="requests.exceptions.Timeout"), True),
    "type in part": (
        {"onExceptionTypes": ["exceptions.Timeout"]},
        a_failure(exception_type="requests.exceptions.Timeout"),
        False,
    ),
    "its module": ({"onExceptionTypes": ["requests"]}, a_failure(exception_type="requests.Timeout"), False),
    "builtin type": ({"onExceptionTypes": ["ValueError"]}, a_failure(exception_type="ValueError"), True),
    "no type": ({"onExceptionTypes": ["ValueError"]}, a_failure(), False),
    "message": ({"onMessagePattern": "reset by peer"}, a_failure(message="[Errno 104] Connection reset by peer"), True),
    "message from its beginning": ({"onMessagePattern": "^reset"}, a_failure(message="Connection reset"), False),
    "message in any case": ({"onMessagePattern": "(?i)CONNECTION"}, a_failure(message="Connection reset"), True),
    "message of many lines": ({"onMessagePattern": "(?s)a.*z"}, a_failure(message="a\nb\nz"), True),
    "no message": ({"onMessagePattern": "x"}, a_failure(), False),
    "no message, and any will do": ({"onMessagePattern": ".*"}, a_failure(), True),
    "a pattern that cannot be read": ({"onMessagePattern": "(?=a)"}, a_failure(message="a"), False),
    "all of it": (
        {"onReasons": ["TaskFailed"], "onExceptionTypes": ["E"], "onMessagePattern": "x", **codes("In", 1)},
        a_failure(exception_type="E", message="x", exit_code=1),
        True,
    ),
    "all but one": (
        {"onReasons": ["TaskFailed"], "onExceptionTypes": ["E"], "onMessagePattern": "x", **codes("In", 1)},
        a_failure(exception_type="E", message="y", exit_code=1),
        False,
    ),
}


@pytest.mark.parametrize(("matchers", "failure", "matches"), MATCHES.values(), ids=MATCHES)
def test_what_a_rule_matches(
    matchers: dict[str, Any], failure: Failure, matches: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    ignored = judge(parse_spec(a_rule("Ignore", **matchers)), Retries(), failure).retries
    assert (ignored == Retries(ignored=1)) == matches
    assert capfd.readouterr().err == "", "the library of expressions has no word in the operator's log"


def test_a_pattern_takes_no_longer_for_being_evil() -> None:
    failure = a_failure(message="a" * 30_000 + "b")
    assert judge(parse_spec(a_rule(onMessagePattern="^(a+)+$")), Retries(), failure).retries is None


# When.


@pytest.mark.parametrize(
    ("backoff", "failures", "full"),
    [
        ({}, 1, 10),
        ({}, 2, 20),
        ({}, 5, 160),
        ({}, 6, 300),
        ({}, 100_000, 300),
        ({"initialSeconds": 5, "maximumSeconds": 5}, 3, 5),
        ({"initialSeconds": 1, "maximumSeconds": 86400}, 40, 86400),
    ],
)
def test_pauses_double_up_to_the_longest(backoff: dict[str, int], failures: int, full: float) -> None:
    spec = parse_spec({"backoff": backoff})
    hour = timedelta(hours=1)
    seconds = [pause(spec, f"uid-{number}", failures, hour).total_seconds() for number in range(200)]
    assert all(0.75 * full <= each <= full for each in seconds)
    assert pause(spec, UID, failures, hour) == pause(spec, UID, failures, hour), "deciding again decides the same"
    assert max(seconds) - min(seconds) > 0.2 * full, "jobs that fail together come back together"


@pytest.mark.parametrize("backoff", [{"initialSeconds": 0}, {"initialSeconds": 0, "maximumSeconds": 0}])
def test_pauses_have_a_floor_that_rises_while_attempts_fail_quickly(backoff: dict[str, int]) -> None:
    spec = parse_spec({"backoff": backoff})

    def floors(took: timedelta) -> list[float]:
        return [pause(spec, UID, failures, took).total_seconds() for failures in (1, 2, 3, 4, 5, 1000)]

    assert floors(timedelta(seconds=3)) == [1, 2, 4, 8, 10, 10]
    assert floors(timedelta(seconds=60)) == [1] * 6
    longer = parse_spec({"backoff": {"initialSeconds": 8, "maximumSeconds": 8}})
    assert 6 <= pause(longer, UID, 1, timedelta(0)).total_seconds() <= 8, "a longer pause stays as it is"


# The decision.


def failing(**spec: Any) -> Scene:
    """An attempt that runs, with a report that says that a task failed."""
    failure = {"reason": "TaskFailed", "message": "boom", "exceptionType": "E"}
    return a_job().with_spec(backoffLimit=2, **spec).started().says(outcome="Failed", failure=failure).live()


def test_a_failed_attempt_is_recorded_before_it_is_removed_and_another_one_follows() -> None:
    scene = failing()
    decision = scene.decide()
    status = decision.status
    assert (status.phase, status.summary, status.finished) == (Phase.RETRYING, "TaskFailed", False)
    assert (status.failure, status.completion_time, status.result) == (None, None, None)
    assert status.retries == Retries(application=1)
    (attempt,) = status.attempts
    assert (attempt.outcome, attempt.reason, attempt.message) == (Outcome.FAILED, "TaskFailed", "boom")
    assert (attempt.failure_class, attempt.completion_time) == (A, "2026-03-01T12:00:00Z")
    due = from_text(status.next_attempt_time)
    assert due is not None
    assert timedelta(seconds=7.5) <= due - NOW <= timedelta(seconds=11)
    assert [each.target.kind for each in decision.actions if isinstance(each, Delete)] == ["DaskCluster"]
    assert not any(isinstance(each, CreateCluster | CreateRunner) for each in decision.actions)
    assert [(each.reason, each.warning) for each in decision.events] == [("Retrying", True)]
    assert "TaskFailed: boom" in decision.events[0].message
    ready = status.condition(ConditionType.CLUSTER_READY)
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", "BackingOff")
    assert str(status.next_attempt_time) in ready.message
    assert status.cluster is not None
    assert status.cluster.dashboard is None


def test_infrastructure_is_retried_without_being_asked_for() -> None:
    scene = a_job().with_spec(infrastructureRetries=3).started().schedulers(ended("scheduler", 1)).live()
    status = scene.decide().status
    assert (status.phase, status.retries) == (Phase.RETRYING, Retries(infrastructure=1))
    assert status.current is not None
    assert (status.current.reason, status.current.failure_class) == ("SchedulerLost", B)


def test_at_its_limit_the_job_fails_for_its_last_reason_and_says_that_it_was_the_last() -> None:
    status = failing().with_status(retries=Retries(application=2)).decide().status
    assert status.is_true(ConditionType.FAILED)
    assert status.failure is not None
    assert (status.failure.reason, status.failure.exception_type) == ("TaskFailed", "E")
    assert status.failure.message == "boom; spec.backoffLimit (2) is reached"
    assert status.retries == Retries(application=2)
    assert status.next_attempt_time is None


def test_mistakes_are_told_at_once() -> None:
    assert {Reason.MODULE_NOT_FOUND, Reason.IMAGE_PULL_FAILED, Reason.UNSCHEDULABLE} <= MISTAKES
    scene = failing().says(failure={"reason": "ModuleNotFound", "message": "no module"})
    assert scene.decide().status.is_true(ConditionType.FAILED)


def test_a_success_after_failures_shows_no_failure() -> None:
    retried = (
        a_job().accepted().retrying(0).with_status(attempts=(Attempt(1, ATTEMPT, completion_time="x"), Attempt(2, "b")))
    )
    done = retried.with_status(attempt=2, next_attempt_time=None).cluster().runner().report(outcome="Succeeded")
    status = done.decide().status
    assert (status.phase, status.failure, status.retries) == (Phase.SUCCEEDED, None, Retries(infrastructure=1))
    assert [each.outcome for each in status.attempts] == [None, Outcome.SUCCEEDED]
