"""What a decision about a cron job may look at, and what it may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from daskjob.api.constants import ConditionType
from daskjob.api.cron_job import DaskCronJobSpec, DaskCronJobStatus
from daskjob.lifecycle.blocker import Blocker


@dataclass(frozen=True)
class CronJob:
    namespace: str
    name: str
    uid: str
    generation: int
    created: datetime
    deleting: bool
    spec: DaskCronJobSpec
    status: DaskCronJobStatus
    #: The text of the annotation that asks for a run, if there is one.
    run_now: str | None = None


@dataclass(frozen=True)
class Child:
    """A DaskJob that has the cron job for its controller."""

    name: str
    uid: str
    version: str
    created: datetime
    #: The time that it was made for, as its annotation says.
    scheduled_at: datetime | None = None
    #: Complete or Failed; None while it has not ended.
    ended: ConditionType | None = None
    ended_at: datetime | None = None
    deleting: bool = False


@dataclass(frozen=True)
class CronObservation:
    now: datetime
    cron: CronJob
    jobs: tuple[Child, ...] = ()
    #: Why the API server did not take a job when the operator last tried to make one.
    refusal: Blocker | None = None
    #: This process has looked at this cron job before: what has changed since has changed just now.
    met: bool = False


@dataclass(frozen=True)
class CreateJob:
    """A job of the template. `scheduled_at`: the time that it is for; None: it was asked for by annotation."""

    name: str
    scheduled_at: datetime | None = None


@dataclass(frozen=True)
class DeleteJob:
    """Deletes that job. `ended`: only if it is as it was seen, for one that has ended may be made to run anew."""

    job: Child
    why: str
    ended: bool


CronAction = CreateJob | DeleteJob
