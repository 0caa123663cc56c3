"""When a job runs anew: an annotation or an edit of its spec asks for another run."""

from __future__ import annotations

from dataclasses import replace

from daskjob.api.constants import EventReason, Outcome, RunPolicy
from daskjob.api.status import DaskJobStatus
from daskjob.lifecycle.event import Event
from daskjob.lifecycle.job import record
from daskjob.lifecycle.job.decision import Advance
from daskjob.lifecycle.job.observation import Job, Observation


def wants_run(job: Job) -> bool:
    """Whether an ended job is to run anew; never while `spec.cancel` is true."""
    if job.spec.cancel:
        return False
    return (job.rerun is not None and job.rerun != job.status.rerun) or is_edited(job)


def is_edited(job: Job) -> bool:
    """Whether the spec asks for another run than the recorded one."""
    known = job.status.spec_digest
    return job.spec.run_policy is RunPolicy.ON_CHANGE and known is not None and job.digest != known


def start_anew(observation: Observation, ended: Outcome) -> Advance:
    """Moves the recorded run with that outcome into the history and begins the next one."""
    status = record.new_run(observation.job, ended, observation.now)
    run = status.run or 1
    event = Event(EventReason.NEW_RUN, f"run {run} begins; run {run - 1} is in status.history")
    return Advance(with_status(observation, status), (event,))


def with_status(observation: Observation, status: DaskJobStatus) -> Observation:
    """The observation with that status of the job."""
    return replace(observation, job=replace(observation.job, status=status))
