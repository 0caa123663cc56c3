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
    FAILED_CREATE = "FailedCreate"

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
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class JobTemplate:
    """What each job is made of. `spec` stays as it was stored: the DaskJob that it becomes reads it."""

    metadata: TemplateMetadata = field(default_factory=TemplateMetadata)
    spec: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DaskCronJobSpec:
    schedule: str = ""
    time_zone: str | None = None
    concurrency_policy: ConcurrencyPolicy = ConcurrencyPolicy.ALLOW
    starting_deadline_seconds: int | None = None
    suspend: bool = False
    successful_jobs_history_limit: int = 3
    failed_jobs_history_limit: int = 1
    job_template: JobTemplate = field(default_factory=JobTemplate)

    @property
    def timetable(self) -> str:
        """Schedule and time zone in one text."""
        return f"{self.schedule} {self.time_zone}" if self.time_zone else self.schedule


@dataclass(frozen=True)
class ActiveJob:
    name: str = ""
    uid: str = ""


@dataclass(frozen=True)
class DaskCronJobStatus:
    observed_generation: int | None = None
    conditions: tuple[Condition, ...] = ()
    active: tuple[ActiveJob, ...] = ()
    active_count: int | None = None
    last_schedule_time: str | None = None
    last_successful_time: str | None = None
    next_schedule_time: str | None = None
    #: The text of the annotation that was last acted upon, and how many were.
    run_now: str | None = None
    run_now_count: int | None = None
    #: `spec.timetable` as last seen, and when that was if it had been another one before.
    timetable: str | None = None
    timetable_change_time: str | None = None
