"""`DaskCronJob`, as crds/daskcronjobs.yaml describes it field by field. Times are RFC 3339 text, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from daskjob.api.status import Condition


class ConcurrencyPolicy(StrEnum):
    """What happens when a run is due while jobs of earlier ones are still active."""

    ALLOW = "Allow"
    FORBID = "Forbid"
    REPLACE = "Replace"


class CronReason(StrEnum):
    """Why a cron job is ready or not, and what its events are about. Kubernetes' CronJob has the same words."""

    SCHEDULED = "Scheduled"
    SUSPENDED = "Suspended"
    INVALID_SCHEDULE = "InvalidSchedule"
    UNKNOWN_TIME_ZONE = "UnknownTimeZone"
    INVALID_TEMPLATE = "InvalidTemplate"
    FAILED_CREATE = "FailedCreate"
    NAMESPACE_NOT_SERVED = "NamespaceNotServed"

    SUCCESSFUL_CREATE = "SuccessfulCreate"
    SUCCESSFUL_DELETE = "SuccessfulDelete"
    SAW_COMPLETED_JOB = "SawCompletedJob"
    UNEXPECTED_JOB = "UnexpectedJob"
    MISSING_JOB = "MissingJob"
    MISS_SCHEDULE = "MissSchedule"
    TOO_MANY_MISSED_TIMES = "TooManyMissedTimes"
    JOB_ALREADY_ACTIVE = "JobAlreadyActive"


@dataclass(frozen=True)
class TemplateMetadata:
    """Metadata for each job."""

    #: labels to give. daskjob.io/cron-job, the cron job's name, is added. Default none.
    labels: Mapping[str, str] = field(default_factory=dict)
    #: annotations to give. daskjob.io/scheduled-at, the time that the job is for, is added (or, when the job was asked
    #: for by daskjob.io/run-now, that with its text). Default none.
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class JobTemplate:
    """What each job is made of. `spec` stays as it was stored: the DaskJob that it becomes reads it."""

    #: metadata to give to the jobs.
    metadata: TemplateMetadata = field(default_factory=TemplateMetadata)
    #: spec is that of the jobs, with all its rules and defaults: see DaskJob. An edit of it concerns the jobs that are
    #: made afterwards.
    spec: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DaskCronJobSpec:
    """When jobs are made, and of what."""

    #: schedule in the manner of cron: minute, hour, day of month, month and day of week (0 or SUN is Sunday), separated
    #: by blanks, e.g. "30 2 * * MON-FRI". Each is * or ? (any), a number or name, a range (1-5), any of these with a
    #: step (*/15), or several with commas between. When both fields of days are restricted, either one will do. Or one
    #: of @hourly, @daily (@midnight), @weekly, @monthly and @yearly (@annually). A time that is skipped when clocks go
    #: forward does not run that day; one that comes twice when they go back runs twice.
    schedule: str = ""
    #: timeZone of the schedule, by its name in the IANA database, e.g. Europe/Berlin. Default UTC.
    time_zone: str | None = None
    #: concurrencyPolicy says what to do when a job is due while earlier ones have not ended. Allow makes it; Forbid
    #: does not, but makes the last one that was left out as soon as the earlier one ends, if startingDeadlineSeconds
    #: lets it; Replace deletes the earlier ones first. Default Allow.
    concurrency_policy: ConcurrencyPolicy = ConcurrencyPolicy.ALLOW
    #: startingDeadlineSeconds is how late, in seconds, a job may be made when its time was missed: because of
    #: concurrencyPolicy or suspend, or because no operator ran. Of several that were missed only the last one is made
    #: up for. Default: however late.
    starting_deadline_seconds: int | None = None
    #: suspend: true makes no jobs until it is false again; those that exist go on. The last time that was missed by
    #: then counts as missed (see startingDeadlineSeconds). Default false.
    suspend: bool = False
    #: successfulJobsHistoryLimit is how many jobs that succeeded are kept; those that ended first are deleted, with
    #: their results and logs. Default 3.
    successful_jobs_history_limit: int = 3
    #: failedJobsHistoryLimit is how many jobs that failed are kept; those that ended first are deleted. Default 1.
    failed_jobs_history_limit: int = 1
    #: jobTemplate is what the jobs are made of.
    job_template: JobTemplate = field(default_factory=JobTemplate)

    @property
    def timetable(self) -> str:
        """Schedule and time zone in one text."""
        return f"{self.schedule} {self.time_zone}" if self.time_zone else self.schedule


@dataclass(frozen=True)
class ActiveJob:
    """A job of the cron job that has not ended."""

    #: name of the DaskJob.
    name: str = ""
    #: uid of the DaskJob.
    uid: str = ""


@dataclass(frozen=True)
class DaskCronJobStatus:
    """What the operator observed of a cron job."""

    #: observedGeneration is the metadata.generation that this status is about; -1 until the operator has seen the cron
    #: job.
    observed_generation: int | None = None
    #: conditions of the cron job. Ready: jobs are made as the spec asks, suspended or not; if not, its reason says why.
    #: Stalled, there and True only when something in the spec has to be changed first: InvalidSchedule,
    #: UnknownTimeZone, InvalidTemplate, NamespaceNotServed, or FailedCreate for a job that the API server will never
    #: take.
    conditions: tuple[Condition, ...] = ()
    #: active are the cron job's jobs that have not ended, the oldest first.
    active: tuple[ActiveJob, ...] = ()
    #: activeCount is how many jobs are in active.
    active_count: int | None = None
    #: lastScheduleTime is the time for which the last job was made.
    last_schedule_time: str | None = None
    #: lastSuccessfulTime is when a job last succeeded.
    last_successful_time: str | None = None
    #: nextScheduleTime is when the next job is due. Absent while suspended, or while the schedule cannot be used.
    next_schedule_time: str | None = None
    #: runNow is the text of the annotation daskjob.io/run-now for which a job was last made (its sha256, if longer than
    #: this may be).
    run_now: str | None = None
    #: runNowCount is how many jobs were made for that annotation.
    run_now_count: int | None = None
    #: timetable is the schedule and time zone that the operator last used.
    timetable: str | None = None
    #: timetableChangeTime is when the operator last observed an edit of the timetable; times of the new one before it
    #: do not count as missed. Absent if there was no edit while an operator ran.
    timetable_change_time: str | None = None
