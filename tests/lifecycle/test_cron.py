"""When a cron job makes its jobs: the rules of Kubernetes' CronJob, one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from daskjob.api.constants import ConditionType
from daskjob.api.cron_job import ConcurrencyPolicy
from daskjob.lifecycle.cron.decide import job_name
from daskjob.lifecycle.cron.observation import CreateJob

from .cron_builders import NAME, a_cron, a_job, active, at, condition, deleted, look, made, recorded, told

ALLOW, FORBID, REPLACE = ConcurrencyPolicy
COMPLETE, FAILED = ConditionType.COMPLETE, ConditionType.FAILED


def name(moment: str) -> str:
    return job_name(NAME, at(moment))


def test_the_name_is_made_of_the_minute() -> None:
    assert name("1970-01-01T00:07") == "nightly-7"
    assert name("10:20") == "nightly-29654540"
    assert len(job_name("n" * 31, at("2100-01-01T00:00"))) == 40


@pytest.mark.parametrize(
    ("now", "last", "wanted"),
    [
        ("10:05", None, None),
        ("10:09:59.9", None, None),
        ("10:10", None, "10:10"),
        ("10:10:00.1", None, "10:10"),
        ("10:19:59", None, "10:10"),
        # Of several only the last.
        ("10:31", None, "10:30"),
        ("10:31", "10:20", "10:30"),
        ("10:31", "10:30", None),
        # What came before it was made does not count.
        ("10:00:40", None, None),
        # A clock that is behind that of another operator.
        ("10:25", "10:30", None),
    ],
)
def test_what_is_due(now: str, last: str | None, wanted: str | None) -> None:
    decision = look(now, a_cron(status=recorded(last)))
    assert made(decision) == ([name(wanted)] if wanted else [])


def test_it_sleeps_until_the_next_time() -> None:
    decision = look("10:05", a_cron())
    assert decision.requeue_after == timedelta(minutes=5)
    assert decision.status.next_schedule_time == "2026-05-20T10:10:00Z"
    assert decision.status.observed_generation == 1
    assert condition(decision, ConditionType.READY) == ("True", "Scheduled")
    assert condition(decision, ConditionType.STALLED) is None


def test_a_run_is_recorded_when_its_job_is_seen_and_not_before() -> None:
    cron = a_cron(status=recorded("10:00"))
    decision = look("10:10:01", cron)
    assert decision.actions == (CreateJob(name("10:10"), at("10:10")),)
    assert decision.status.last_schedule_time == "2026-05-20T10:00:00Z"
    job = a_job("10:10")
    seen = look("10:10:02", replace(cron, status=decision.status), job)
    assert made(seen) == []
    assert seen.status.last_schedule_time == "2026-05-20T10:10:00Z"
    assert seen.status.next_schedule_time == "2026-05-20T10:20:00Z"
    assert seen.status.active == active(job)
    assert seen.status.active_count == 1
    assert told(seen) == ["SuccessfulCreate"]
    settled = look("10:10:03", replace(cron, status=seen.status), job)
    assert (settled.status, settled.events, settled.actions) == (seen.status, (), ())


def test_a_job_that_ended_before_it_was_recorded_counts_all_the_same() -> None:
    """As after a crash between making it and recording it: it must not be made again, whatever the history limits."""
    job = a_job("10:10", COMPLETE, "10:12")
    cron = a_cron(status=recorded("10:00"), successful_jobs_history_limit=0)
    decision = look("10:13", cron, job)
    assert made(decision) == []
    assert decision.status.last_schedule_time == "2026-05-20T10:10:00Z"
    assert decision.status.last_successful_time == "2026-05-20T10:12:00Z"
    assert deleted(decision) == [job.name]
    assert told(decision) == ["SuccessfulCreate", "SawCompletedJob"]
    assert made(look("10:14", replace(cron, status=decision.status))) == []


def test_only_a_time_that_gives_the_job_its_name_is_believed() -> None:
    """Anybody may write the annotation."""
    odd = replace(a_job("10:10"), name="other", uid="x", scheduled_at=at("2099-01-01T00:00"))
    decision = look("10:21", a_cron(status=recorded("10:10")), odd)
    assert made(decision) == [name("10:20")]
    assert told(decision) == ["UnexpectedJob"]
    assert decision.status.active == active(odd)


def test_a_job_of_the_future_is_not_recorded_yet() -> None:
    """Made by an operator whose clock was ahead: its time comes, and it is not made twice."""
    job = a_job("10:20")
    decision = look("10:19:58", a_cron(status=recorded("10:10")), job)
    assert decision.status.last_schedule_time == "2026-05-20T10:10:00Z"
    later = look("10:20:01", a_cron(status=decision.status), job)
    assert made(later) == []
    assert later.status.last_schedule_time == "2026-05-20T10:20:00Z"


@pytest.mark.parametrize(
    ("now", "seconds", "makes", "events"),
    [
        ("10:10:01", 5, True, []),
        ("10:10:04.9", 5, True, []),
        # As in Kubernetes: at the deadline itself it is too late.
        ("10:10:05", 5, False, ["MissSchedule"]),
        ("10:15", 5, False, ["MissSchedule"]),
        ("10:15", 600, True, []),
        ("10:15", None, True, []),
    ],
)
def test_starting_deadline(now: str, seconds: int | None, makes: bool, events: list[str]) -> None:
    decision = look(now, a_cron(status=recorded("10:00"), starting_deadline_seconds=seconds))
    assert (made(decision) == [name("10:10")]) == makes
    assert told(decision) == events
    if not makes:
        assert decision.status.next_schedule_time == "2026-05-20T10:20:00Z"
        assert decision.requeue_after == at("10:20") - at(now)


def test_many_missed_runs_are_told_of_and_the_last_is_made_up_for() -> None:
    """The time at which 100 had been missed, and the one after."""
    cron = a_cron("* * * * *", created="10:00", status=recorded(timetable="* * * * *"))
    assert told(look("11:40:30", cron)) == []
    decision = look("11:41:30", cron)
    assert made(decision) == [name("11:41")]
    assert told(decision) == ["TooManyMissedTimes"]
    assert decision.events[0].warning
    # With a deadline, only those within it count.
    assert told(look("11:41:30", replace(cron, spec=replace(cron.spec, starting_deadline_seconds=600)))) == []


def test_years_missed_take_no_time() -> None:
    cron = a_cron("* * * * *", created="1990-01-01T00:00")
    assert made(look("10:00", cron)) == [name("10:00")]


@pytest.mark.parametrize("policy", ConcurrencyPolicy)
def test_concurrency(policy: ConcurrencyPolicy) -> None:
    first = a_job("10:10")
    cron = a_cron(status=recorded("10:10", active=active(first)), concurrency_policy=policy)
    decision = look("10:20:01", cron, first)
    assert made(decision) == ([] if policy is FORBID else [name("10:20")])
    assert deleted(decision) == ([first.name] if policy is REPLACE else [])
    assert told(decision) == (["JobAlreadyActive"] if policy is FORBID else [])
    if policy is REPLACE:
        assert isinstance(decision.actions[-1], CreateJob), "the old one goes first"


def test_forbid_makes_up_for_the_last_one_that_was_skipped_when_the_earlier_one_ends() -> None:
    """As in Kubernetes; with a deadline, only if that allows it."""
    first = a_job("10:10")
    cron = a_cron(status=recorded("10:10", active=active(first)), concurrency_policy=FORBID)
    decision = look("10:35", cron, first)
    assert made(decision) == []
    assert decision.status.next_schedule_time == "2026-05-20T10:40:00Z"
    ended = a_job("10:10", COMPLETE, "10:36")
    assert made(look("10:36", cron, ended)) == [name("10:30")]
    bounded = replace(cron, spec=replace(cron.spec, starting_deadline_seconds=60))
    assert made(look("10:36", bounded, ended)) == []


def test_a_job_that_is_being_deleted_is_active_until_it_is_gone() -> None:
    going = a_job("10:10", deleting=True)
    forbid = a_cron(status=recorded("10:10"), concurrency_policy=FORBID)
    assert made(look("10:20", forbid, going)) == []
    replaced = look("10:20", replace(forbid, spec=replace(forbid.spec, concurrency_policy=REPLACE)), going)
    assert deleted(replaced) == []
    assert made(replaced) == [name("10:20")]


def test_a_failed_job_is_none_that_is_active() -> None:
    ended = a_job("10:10", FAILED)
    decision = look("10:20", a_cron(status=recorded("10:10"), concurrency_policy=FORBID), ended)
    assert made(decision) == [name("10:20")]
    assert decision.status.last_successful_time is None


def test_suspended() -> None:
    job = a_job("10:10")
    decision = look("10:25", a_cron(status=recorded("10:10", active=active(job)), suspend=True), job)
    assert decision.actions == ()
    assert decision.requeue_after is None
    assert decision.status.next_schedule_time is None
    assert decision.status.active == active(job)
    assert condition(decision, ConditionType.READY) == ("True", "Suspended")


def test_the_last_time_that_was_missed_while_suspended_is_made_up_for() -> None:
    assert made(look("10:45", a_cron(status=recorded("10:10")))) == [name("10:40")]
    assert made(look("10:45", a_cron(status=recorded("10:10"), starting_deadline_seconds=60))) == []


def test_history() -> None:
    """The first to end go first, whenever they began, failed and successful ones each by their own limit."""
    jobs = [
        a_job("09:00", COMPLETE, "09:50"),
        a_job("09:10", COMPLETE, "09:15"),
        a_job("09:20", COMPLETE, "09:30"),
        a_job("09:30", FAILED, "09:40"),
        a_job("09:40", FAILED, "09:41"),
        a_job("09:50", COMPLETE, "09:59", deleting=True),
    ]
    cron = a_cron(status=recorded("10:00"), successful_jobs_history_limit=2, failed_jobs_history_limit=1)
    assert deleted(look("10:05", cron, *jobs)) == [name("09:10"), name("09:30")]
    assert deleted(look("10:05", replace(cron, spec=replace(cron.spec, suspend=True)), *jobs)) != []
    everything = replace(cron.spec, successful_jobs_history_limit=0, failed_jobs_history_limit=0)
    assert len(deleted(look("10:05", replace(cron, spec=everything), *jobs))) == 5


def test_the_end_of_a_job() -> None:
    job = a_job("10:10")
    cron = a_cron(status=recorded("10:10", active=active(job), last_successful_time="2026-05-20T09:11:00Z"))
    decision = look("10:15", cron, a_job("10:10", COMPLETE, "10:14"))
    assert decision.status.active == ()
    assert decision.status.active_count == 0
    assert decision.status.last_successful_time == "2026-05-20T10:14:00Z"
    assert told(decision) == ["SawCompletedJob"]


def test_a_job_that_went_missing() -> None:
    job = a_job("10:10")
    decision = look("10:15", a_cron(status=recorded("10:10", active=active(job))))
    assert told(decision) == ["MissingJob"]
    assert decision.status.active == ()
    assert made(decision) == [], "somebody deleted it: that is no reason to make it again"


@pytest.mark.parametrize(
    ("schedule", "zone", "reason", "words"),
    [
        ("0 0 31 2 *", None, "InvalidSchedule", "spec.schedule: '0 0 31 2 *' never comes"),
        ("9-5 * * * *", None, "InvalidSchedule", "spec.schedule: '9-5' is no minute"),
        ("0 0 * * *", "Europe/Atlantis", "UnknownTimeZone", "spec.timeZone: unknown time zone 'Europe/Atlantis'"),
    ],
)
def test_a_schedule_that_cannot_be_used_says_so(schedule: str, zone: str | None, reason: str, words: str) -> None:
    decision = look("10:15", a_cron(schedule, status=recorded("10:10"), time_zone=zone))
    assert decision.actions == ()
    assert condition(decision, ConditionType.READY) == ("False", reason)
    assert condition(decision, ConditionType.STALLED) == ("True", reason)
    assert words in decision.status.conditions[0].message
    assert decision.status.next_schedule_time is None


def test_one_that_is_being_deleted_is_left_alone() -> None:
    cron = a_cron(deleting=True, run_now="1")
    decision = look("10:15", cron, a_job("10:10"))
    assert (decision.status, decision.actions, decision.requeue_after) == (cron.status, (), None)
