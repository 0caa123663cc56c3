"""Cron jobs and their jobs for tests of the decision, at times of one day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from daskjob.api.constants import ConditionType
from daskjob.api.cron_job import ActiveJob, DaskCronJobSpec, DaskCronJobStatus, JobTemplate
from daskjob.api.times import to_seconds_text
from daskjob.lifecycle.cron.decide import CronDecision, decide_cron, job_name
from daskjob.lifecycle.cron.observation import Child, CreateJob, CronJob, CronObservation, DeleteJob

UID = "11111111-0000-4000-8000-daskcronjob0"
NAME = "nightly"


def at(text: str) -> datetime:
    """`10:30`, `10:30:05` of 2026-05-20 (a Wednesday), or any time in full; in UTC."""
    full = text if "-" in text else f"2026-05-20T{text}"
    moment = datetime.fromisoformat(full)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def a_cron(
    schedule: str = "*/10 * * * *", created: str = "10:00:30", status: DaskCronJobStatus | None = None, **spec: Any
) -> CronJob:
    run_now = spec.pop("run_now", None)
    deleting = spec.pop("deleting", False)
    template = JobTemplate(spec={"graph": {"entrypoint": "a:b"}})
    wanted = DaskCronJobSpec(schedule=schedule, job_template=template, **spec)
    known = status or DaskCronJobStatus(observed_generation=-1)
    return CronJob("team", NAME, UID, 1, at(created), deleting, wanted, known, run_now)


def recorded(last: str | None = None, **fields: Any) -> DaskCronJobStatus:
    """A status in which the run of that time is the last that was recorded."""
    return DaskCronJobStatus(
        observed_generation=1,
        timetable=fields.pop("timetable", "*/10 * * * *"),
        last_schedule_time=to_seconds_text(at(last)) if last else None,
        **fields,
    )


def a_job(scheduled: str, ended: ConditionType | None = None, ended_at: str | None = None, **fields: Any) -> Child:
    """The job of that time; it ends a minute after it was made, if it does."""
    moment = at(scheduled)
    name = fields.pop("name", job_name(NAME, moment))
    end = at(ended_at) if ended_at else moment + timedelta(minutes=1)
    return replace(
        Child(name, f"uid-of-{name}", "7", moment, moment, ended, end if ended is not None else None), **fields
    )


def active(*jobs: Child) -> tuple[ActiveJob, ...]:
    return tuple(ActiveJob(job.name, job.uid) for job in jobs)


def look(now: str, cron: CronJob, *jobs: Child, **fields: Any) -> CronDecision:
    return decide_cron(CronObservation(at(now), cron, jobs, **{"met": True, **fields}))


def made(decision: CronDecision) -> list[str]:
    """Names of the jobs to be made."""
    return [each.name for each in decision.actions if isinstance(each, CreateJob)]


def deleted(decision: CronDecision) -> list[str]:
    return [each.job.name for each in decision.actions if isinstance(each, DeleteJob)]


def told(decision: CronDecision) -> list[str]:
    """Reasons of its events."""
    return [str(each.reason) for each in decision.events]


def condition(decision: CronDecision, kind: ConditionType) -> tuple[str, str] | None:
    """Status and reason of that condition."""
    found = next((each for each in decision.status.conditions if each.type == kind), None)
    return (found.status, found.reason) if found is not None else None
