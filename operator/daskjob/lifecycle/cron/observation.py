"""What a decision about a cron job may look at, and the actions that it may return."""

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
    #: The text of the annotation that asks for a run at once; None if there is no annotation.
    run_now: str | None = None


@dataclass(frozen=True)
class Child:
    """A DaskJob whose controlling owner is the cron job."""

    name: str
    uid: str
    version: str
    created: datetime
    #: The scheduled time that it was created for, from its annotation; None if that has none.
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
    #: Why the API server refused the last job that the operator tried to create; None if it accepted it.
    refusal: Blocker | None = None
    #: Whether an earlier pass of this process observed this cron job: then a change since that pass happened just now.
    met: bool = False
    #: Why each job of the template fails, with the template's field; None: none need fail.
    template_problem: str | None = None
    #: Why no job may be created in the namespace; None: they may.
    not_served: str | None = None


@dataclass(frozen=True)
class CreateJob:
    """Creates a job from the template. `scheduled_at`: the scheduled time that it is for; None: the annotation asked
    for it."""

    name: str
    scheduled_at: datetime | None = None


@dataclass(frozen=True)
class DeleteJob:
    """Deletes that job. `ended`: delete it only if its version is still the observed one, because a user can ask an
    ended job to run anew."""

    job: Child
    why: str
    ended: bool


CronAction = CreateJob | DeleteJob
