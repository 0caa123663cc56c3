"""The decision about an open attempt: its end, its missing objects, its progress, and a request to cancel it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from daskjob.api.constants import ConditionType, Outcome, Reason
from daskjob.api.status import DaskJobStatus, Failure, Markers
from daskjob.api.times import from_text, to_text
from daskjob.lifecycle.event import Event
from daskjob.lifecycle.job import (
    conclusion,
    deadlines,
    endings,
    lost_workers,
    pacing,
    pinning,
    progress,
    record,
    renaming,
    report_saved,
    runs,
    teardown,
)
from daskjob.lifecycle.job.actions import (
    Action,
    Cancel,
    CreateAccount,
    CreateCluster,
    CreateReport,
    CreateResolver,
    CreateRunner,
    OpenService,
    SetDeadline,
)
from daskjob.lifecycle.job.adaptive import scale
from daskjob.lifecycle.job.attempt_end import AttemptEnd, Undecided
from daskjob.lifecycle.job.between_attempts import SUSPENDED
from daskjob.lifecycle.job.blockers import refused_dask_pods
from daskjob.lifecycle.job.decision import Advance, Decision
from daskjob.lifecycle.job.observation import Observation


def follow(observation: Observation) -> Decision | Advance:
    """The decision about the open attempt: it ends, is superseded or suspended, or goes on."""
    job, new = observation.job, observation.attempt.new
    hit = endings.find_end(observation)
    rule, end = hit if hit is not None else ("goes_on", None)
    late = None
    if isinstance(end, AttemptEnd) and deadlines.is_field(rule) and report_saved.is_to_save(observation):
        late, end = end.failure, Undecided(report_saved.runner_grace(job.spec))
    if isinstance(end, AttemptEnd):
        after = conclusion.conclude(observation, end)
        return replace(after, rules=(rule, *after.rules))
    # An edit or a suspension does not end an attempt that is being cancelled, nor one that has ended and waits only for
    # the reason.
    ends = job.spec.cancel or isinstance(end, Undecided)
    if not new and not ends:
        if runs.is_edited(job):
            return replace(runs.start_anew(observation, Outcome.SUPERSEDED), rules=("edited",))
        if job.spec.suspend:
            status = record.suspend(job, observation.now)
            return Advance(runs.with_status(observation, status), (SUSPENDED,), ("suspended",))
    missing = () if ends else _missing(observation)
    if missing and not new and not observation.live:
        # The cache may be late, and the object exist: create nothing before a live read.
        return Decision(job.status, needs_live_read=True, rules=("something_missing",))
    obstacle = renaming.why_not_under_this_name(observation) if missing else None
    if obstacle is not None:
        return replace(renaming.rename(observation, *obstacle), rules=("not_under_this_name",))
    return _go_on(observation, end, missing, rule, late)


def _go_on(
    observation: Observation, end: Undecided | None, missing: tuple[Action, ...], rule: str, late: Failure | None
) -> Decision:
    """`late`: the failure by a deadline that has just passed, before which the runner saves the report."""
    job, now = observation.job, observation.now
    status = progress.follow(observation, job.status, observation.open_attempt)
    moments = [moment - now for moment in deadlines.moments(observation)]
    if end is not None:
        moments.append(end.delay)
    runner = observation.attempt.runner
    deadline = runner.deletion_deadline if runner is not None else None
    if deadline is not None and not teardown.is_fenced(deadline, now):
        moments.append(deadline + teardown.NODE_PATIENCE - now)
    replaced, look_again = lost_workers.replace_lost(observation)
    if look_again is not None:
        moments.append(look_again - now)
    actions = [
        *teardown.delete_stale_objects(observation),
        *(() if pinning.is_awaited(observation) else teardown.remove_resolver(observation, "it has found the commit")),
        *(_account(observation) if end is None else ()),
        *missing,
        *scale(observation),
        *replaced,
        *_deadline(observation),
    ]
    if late is not None:
        markers = replace(status.markers or Markers(), overdue=late.reason, overdue_message=late.message)
        status = _with_markers(status, markers)
    status, cancel = _cancel(observation, status)
    actions += [*cancel, *_open_service(observation)]
    asked = from_text(status.markers.cancel_requested) if status.markers is not None else None
    if asked is not None:
        moments.append(asked + report_saved.runner_grace(job.spec) - now)
    events: tuple[Event, ...] = ()
    if pacing.is_minor(job.status, status):
        pause = pacing.pause(observation)
        if pause is not None:
            moments.append(pause)
            status = job.status
    else:
        events = _warnings(observation, status)
    again = max(min(moments), timedelta(0)) if moments else None
    return Decision(status, tuple(actions), events, requeue_after=again, rules=(rule,))


def _cancel(observation: Observation, status: DaskJobStatus) -> tuple[DaskJobStatus, list[Action]]:
    """Asks the runner, through its report, to cancel its graph: the user wants it, or a deadline is over. The runner's
    grace counts from the first request; if the user takes the request back, it no longer counts."""
    markers = status.markers or Markers()
    if not observation.job.spec.cancel and markers.overdue is None:
        if markers.cancel_requested is None:
            return status, []
        return _with_markers(status, replace(markers, cancel_requested=None)), []
    report = observation.attempt.report
    markers = replace(markers, cancel_requested=markers.cancel_requested or to_text(observation.now))
    wanted = report is not None and not report.cancel
    return _with_markers(status, markers), [Cancel(report.name)] if report is not None and wanted else []


def _deadline(observation: Observation) -> list[Action]:
    """Gives the runner the deadline of the spec, if its report has another one."""
    report, wanted = observation.attempt.report, deadlines.runner_deadline(observation.job)
    if report is None or report.sealed or report.deadline == wanted:
        return []
    return [SetDeadline(report.name, wanted)]


def _open_service(observation: Observation) -> list[Action]:
    """Opens the scheduler's Service as soon as the scheduler's pod has an address, until the runner has connected.

    The Service is created without a selector, so that it has no endpoints before. Empty endpoints are a change that
    kube-proxy writes rules for, and then it writes none for a second: the address would come in the middle of it.
    """
    attempt = observation.attempt
    if attempt.cluster is None or attempt.report is None or attempt.runner_report.timings.connected is not None:
        return []
    waits = any(pod.has_address and not pod.deleting and not pod.ended for pod in attempt.schedulers)
    return [OpenService(attempt.cluster.uid)] if waits else []


def _with_markers(status: DaskJobStatus, markers: Markers) -> DaskJobStatus:
    return replace(status, markers=markers if markers != Markers() else None)


def _account(observation: Observation) -> tuple[Action, ...]:
    """Creates the pods' service account again if a pod was refused because it is gone. The operator may not read
    accounts, so a refusal is the first that it hears of that."""
    attempt = observation.attempt
    refusals = [attempt.refusal, *(refusal for _, refusal in refused_dask_pods(attempt))]
    return (CreateAccount(),) if any(each is not None and each.needs_runner_account for each in refusals) else ()


def _missing(observation: Observation) -> tuple[Action, ...]:
    """Actions that create what the attempt still needs. The report comes last: if it exists, all else was created."""
    attempt, number = observation.attempt, observation.open_attempt.number
    if attempt.report is not None or observation.missing_references:
        return ()
    if pinning.is_awaited(observation):
        return (CreateResolver(number),) if attempt.resolver is None else ()
    deadline = deadlines.runner_deadline(observation.job)
    if attempt.runner is None:
        return (CreateCluster(number, deadline), CreateRunner(number, deadline))
    # Create only what is missing: a used-up quota refuses the creation even of a pod that exists. The cluster is there,
    # or the attempt would have ended.
    return (CreateReport(attempt.runner.uid, deadline),)


def _warnings(observation: Observation, status: DaskJobStatus) -> tuple[Event, ...]:
    """A warning event if another reason than before keeps the attempt from going on; no warning if it has its value."""
    before = observation.job.status.condition(ConditionType.CLUSTER_READY)
    after = status.condition(ConditionType.CLUSTER_READY)
    quiet = (Reason.WAITING, Reason.WORKERS_READY)
    if after is None or after.reason in quiet or (before is not None and before.reason == after.reason):
        return ()
    warning = after.reason != Reason.FIRE_AND_FORGET
    return (Event(after.reason, after.message[: conclusion.EVENT_MESSAGE], warning=warning),)
