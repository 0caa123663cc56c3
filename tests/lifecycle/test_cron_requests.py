"""Runs asked for by annotation, edits of the schedule, daylight saving and refusals, as decided."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from daskjob.api.constants import ConditionType, Reason
from daskjob.api.cron_job import ConcurrencyPolicy
from daskjob.lifecycle.blocker import Blocker
from daskjob.lifecycle.cron.decide import MAX_TEXT, job_name
from daskjob.lifecycle.cron.decide import recorded as kept
from daskjob.lifecycle.cron.observation import Child, CreateJob, CronJob

from .cron_builders import NAME, a_cron, a_job, active, at, condition, deleted, look, made, recorded, told


def asked(text: str | None, now: str = "10:05", **fields: Any) -> tuple[CronJob, CreateJob]:
    """A cron job with that annotation, and the job that it makes for it."""
    cron = a_cron(run_now=text, **{"status": recorded("10:00"), **fields})
    (run,) = look(now, cron).actions
    assert isinstance(run, CreateJob)
    return cron, run


def child(run: CreateJob, **fields: Any) -> Child:
    return replace(a_job("10:05", name=run.name), **{"scheduled_at": None, **fields})


def test_run_now() -> None:
    cron, run = asked("1")
    assert run.scheduled_at is None
    assert len(run.name) == len(job_name(NAME, at("10:10")))
    decision = look("10:05:01", cron, child(run))
    assert made(decision) == []
    assert decision.status.run_now == "1"
    assert decision.status.run_now_count == 1
    assert decision.status.last_schedule_time == "2026-05-20T10:00:00Z", "the schedule goes on as it would"
    assert told(decision) == ["SuccessfulCreate"]
    settled = look("10:05:02", replace(cron, status=decision.status), child(run))
    assert (settled.actions, settled.events, settled.status) == ((), (), decision.status)


@pytest.mark.parametrize(
    "fields",
    [
        {"suspend": True},
        {"schedule": "0 0 31 2 *"},
        {"time_zone": "Europe/Atlantis"},
        {"concurrency_policy": ConcurrencyPolicy.FORBID},
        {"concurrency_policy": ConcurrencyPolicy.REPLACE},
        {"starting_deadline_seconds": 1},
    ],
    ids=str,
)
def test_run_now_goes_by_nothing_else(fields: dict[str, Any]) -> None:
    other = a_job("10:00")
    cron = a_cron(run_now="1", status=recorded("10:00", active=active(other)), **fields)
    decision = look("10:05", cron, other)
    assert len(made(decision)) == 1
    assert deleted(decision) == []


def test_the_same_text_again_means_another_job_once_another_was_acted_upon() -> None:
    """1, 2, 1: three jobs, though the first is still there."""
    names, status, jobs = [], recorded("10:00"), []
    for minute, text in enumerate(["1", "2", "1", "2"]):
        now = f"10:05:{minute:02}"
        cron, run = asked(text, now, status=status)
        names.append(run.name)
        jobs.append(child(run, uid=run.name))
        status = look(now, cron, *jobs).status
        assert status.run_now == text
    assert len(set(names)) == 4


def test_without_the_annotation_nothing_is_forgotten() -> None:
    """Taking it away asks for nothing, and neither does putting it back."""
    status = recorded("10:00", run_now="1", run_now_count=1)
    for text in (None, "", "1"):
        decision = look("10:05", a_cron(run_now=text, status=status))
        assert made(decision) == []
        assert decision.status.run_now == "1"


def test_a_long_text_is_kept_by_its_hash() -> None:
    text = "x" * (MAX_TEXT + 1)
    cron, run = asked(text)
    status = look("10:05:01", cron, child(run)).status
    assert status.run_now == kept(text)
    assert len(kept(text)) < MAX_TEXT
    assert made(look("10:05:02", replace(cron, status=status), child(run))) == []


def test_forbid_sees_the_job_that_was_asked_for_in_the_same_moment() -> None:
    cron = a_cron(run_now="1", status=recorded("10:00"), concurrency_policy=ConcurrencyPolicy.FORBID)
    decision = look("10:10", cron)
    (run,) = decision.actions
    assert isinstance(run, CreateJob)
    assert run.scheduled_at is None
    assert decision.requeue_after == timedelta(0)
    assert made(look("10:10", cron, child(run))) == []


def test_an_edited_schedule_makes_up_for_nothing_that_it_would_have_had_before() -> None:
    before = a_cron("0 12 * * *", status=recorded(None, timetable="0 12 * * *"))
    edited = replace(before, spec=replace(before.spec, schedule="30 10 * * *"), generation=2)
    decision = look("11:00", edited)
    assert made(decision) == []
    assert decision.status.timetable == "30 10 * * *"
    assert decision.status.timetable_change_time == "2026-05-20T11:00:00Z"
    assert decision.status.next_schedule_time == "2026-05-21T10:30:00Z"
    later = replace(edited, status=decision.status)
    assert made(look("11:30", later, met=False)) == [], "not after a restart either"
    assert made(look("2026-05-21T10:30:01", later)) == [job_name(NAME, at("2026-05-21T10:30"))]


def test_an_edited_time_zone_is_an_edited_schedule() -> None:
    before = a_cron("0 11 * * *", status=recorded(None, timetable="0 11 * * *"))
    edited = replace(before, spec=replace(before.spec, time_zone="Europe/Berlin"))
    assert made(look("10:30", edited)) == []


def test_of_an_edit_that_nobody_saw_the_last_time_counts_as_missed() -> None:
    """As in Kubernetes: of a run that comes late and one that is lost, the former is the smaller evil."""
    cron = a_cron("*/20 * * * *", status=recorded("10:10", timetable="*/10 * * * *"))
    decision = look("10:45", cron, met=False)
    assert made(decision) == [job_name(NAME, at("10:40"))]
    assert decision.status.timetable_change_time is None


def test_a_mended_schedule_starts_from_when_it_was_mended() -> None:
    cron = a_cron("0 0 31 2 *", status=recorded(None, timetable="0 0 31 2 *"))
    mended = replace(cron, spec=replace(cron.spec, schedule="*/10 * * * *"))
    decision = look("10:35", mended)
    assert made(decision) == []
    assert condition(decision, ConditionType.STALLED) is None
    assert decision.status.next_schedule_time == "2026-05-20T10:40:00Z"


@pytest.mark.parametrize(
    ("zone", "last", "now", "wanted"),
    [
        # The hour that is skipped: nothing that day.
        ("Europe/Berlin", "2026-03-28T01:30", "2026-03-29T12:00", None),
        ("Europe/Berlin", "2026-03-28T01:30", "2026-03-30T00:30", "2026-03-30T00:30"),
        ("America/New_York", "2026-03-07T07:30", "2026-03-08T12:00", None),
        ("America/New_York", "2026-03-07T07:30", "2026-03-09T06:30", "2026-03-09T06:30"),
        # The hour that is repeated: twice.
        ("Europe/Berlin", "2026-10-24T00:30", "2026-10-25T00:30", "2026-10-25T00:30"),
        ("Europe/Berlin", "2026-10-25T00:30", "2026-10-25T01:30", "2026-10-25T01:30"),
        ("Europe/Berlin", "2026-10-25T01:30", "2026-10-26T01:29", None),
    ],
)
def test_daylight_saving(zone: str, last: str, now: str, wanted: str | None) -> None:
    status = recorded(last, timetable=f"30 2 * * * {zone}")
    cron = a_cron("30 2 * * *", created="2026-01-01T00:00", status=status, time_zone=zone)
    assert made(look(now, cron)) == ([job_name(NAME, at(wanted))] if wanted else [])


@pytest.mark.parametrize("permanent", [False, True])
def test_a_job_that_is_refused_is_told_of(permanent: bool) -> None:
    refusal = Blocker(Reason.QUOTA_EXCEEDED, "exceeded quota: q", permanent)
    decision = look("10:10:01", a_cron(status=recorded("10:00")), refusal=refusal)
    assert len(made(decision)) == 1, "it is tried again"
    assert condition(decision, ConditionType.READY) == ("False", "FailedCreate")
    assert condition(decision, ConditionType.STALLED) == (("True", "FailedCreate") if permanent else None)
    assert decision.status.conditions[0].message == "a job could not be made: QuotaExceeded: exceeded quota: q"


def test_a_condition_keeps_its_time_while_it_stays() -> None:
    first = look("10:05", a_cron())
    second = look("10:06", a_cron(status=first.status, suspend=True))
    assert [each.last_transition_time for each in second.status.conditions] == ["2026-05-20T10:05:00Z"]
    third = look("10:07", a_cron("0 0 31 2 *", status=second.status))
    assert {each.last_transition_time for each in third.status.conditions} == {"2026-05-20T10:07:00Z"}
