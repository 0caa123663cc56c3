"""How an open attempt ends: ordered rules, of which the first that applies decides."""

from __future__ import annotations

from daskjob.api.constants import Reason
from daskjob.api.times import from_text
from daskjob.lifecycle.job import claims, deadlines, pinning, report_saved, teardown
from daskjob.lifecycle.job.attempt_end import AttemptEnd, Undecided, failed, infrastructure
from daskjob.lifecycle.job.observation import Observation
from daskjob.lifecycle.job.progress import markers_of
from daskjob.lifecycle.job.scheduler_end import scheduler_died, scheduler_replaced
from daskjob.lifecycle.rules import first_hit


def find_end(observation: Observation) -> tuple[str, AttemptEnd | Undecided] | None:
    """How the open attempt ended, with the name of the rule or deadline that says so; None while it has not."""
    return first_hit(ENDINGS, observation) or deadlines.overdue(observation)


def stopped_at_deadline(observation: Observation) -> AttemptEnd | None:
    """A deadline is over, and the runner has stopped as it was asked to, so that it could save the report first."""
    attempt, late = observation.attempt, report_saved.overdue(observation)
    if late is None:
        return None
    found = [attempt.report.content] if attempt.report is not None and attempt.report.sealed else []
    runner = attempt.runner
    found += [each.report for each in runner.terminations] if runner is not None and runner.ended else []
    claims_made = [each.failure for each in found if each is not None and each.failure is not None]
    return AttemptEnd(late) if claims_made and claims_made[0].reason == Reason.CANCELLED else None


def saves_at_deadline(observation: Observation) -> AttemptEnd | Undecided | None:
    """A deadline is over, and the runner that was asked to save the report has 70 s for it."""
    late, asked = report_saved.overdue(observation), from_text(markers_of(observation.job.status).cancel_requested)
    if late is None:
        return None
    until = (asked or observation.now) + report_saved.runner_grace(observation.job.spec)
    return Undecided(until - observation.now) if observation.now < until else AttemptEnd(late)


def sealed_report(observation: Observation) -> AttemptEnd | Undecided | None:
    """The runner has reported an outcome; what it claims, pods may have to confirm."""
    report = observation.attempt.report
    if report is None or report.content is None or not report.sealed:
        return None
    # The time at which the operator observed the change is better than the runner's clock, if there is one.
    reported_at = observation.last_report_at or report.content.heartbeat_time
    return claims.judge_claim(observation, report.content, reported_at)


def runner_exited(observation: Observation) -> AttemptEnd | Undecided | None:
    """The runner's pod has ended without an outcome in its report: the termination message and exit code decide."""
    runner = observation.attempt.runner
    return claims.judge_exit(observation, runner) if runner is not None and runner.ended else None


def runner_fenced(observation: Observation) -> AttemptEnd | None:
    """The runner's pod is being deleted and does not end: its node does not answer."""
    runner = observation.attempt.runner
    if runner is None or not teardown.is_fenced(runner.deletion_deadline, observation.now):
        return None
    lost = f"runner pod {runner.name} was deleted and does not end: its node does not answer"
    return infrastructure(Reason.RUNNER_LOST, lost)


def runner_deleted(observation: Observation) -> AttemptEnd | None:
    """The runner's pod was there and is gone, or another pod has its name."""
    report, runner = observation.attempt.report, observation.attempt.runner
    recorded = observation.open_attempt.runner_uid or markers_of(observation.job.status).runner_started
    started = report is not None or recorded is not None
    if started and (runner is None or (report is not None and runner.uid != report.runner_uid)):
        return infrastructure(Reason.RUNNER_LOST, "the runner's pod was deleted before it reported an outcome")
    return None


def cluster_deleted(observation: Observation) -> AttemptEnd | None:
    """The DaskCluster was there and is gone, or is being deleted."""
    attempt, cluster = observation.attempt, observation.attempt.cluster
    # The runner is created after the cluster, and has the digest of its certificate: another cluster has another one.
    if attempt.begun and (cluster is None or cluster.deleting):
        return infrastructure(Reason.CLUSTER_LOST, "the job's DaskCluster was deleted while the job ran")
    return None


def name_taken(observation: Observation) -> AttemptEnd | None:
    """The runner exists, and an object that the attempt still needs cannot be created: somebody else's has its name."""
    attempt = observation.attempt
    refusal, of_cluster = attempt.refusal, attempt.scheduler_refusal
    taken = refusal is not None and refusal.attempt == observation.open_attempt.name
    if refusal is not None and taken and attempt.runner is not None and attempt.report is None:
        return infrastructure(Reason.NAME_CONFLICT, refusal.message)
    lacks = not attempt.schedulers or not attempt.groups
    if of_cluster is not None and of_cluster.reason == Reason.NAME_CONFLICT and lacks:
        return infrastructure(Reason.NAME_CONFLICT, of_cluster.message)
    return None


def cancelled(observation: Observation) -> AttemptEnd | None:
    """`spec.cancel` is true, and the runner has not begun or does not stop within 30 s (70 s if it saves a report)."""
    if not observation.job.spec.cancel:
        return None
    if not observation.attempt.reporting:
        return failed(Reason.CANCELLED, "spec.cancel was set before the graph ran")
    asked = from_text(markers_of(observation.job.status).cancel_requested)
    grace = report_saved.runner_grace(observation.job.spec)
    if asked is None or observation.now < asked + grace:
        return None
    seconds = grace.total_seconds()
    return failed(Reason.CANCELLED, f"spec.cancel was set; the runner did not stop within {seconds:g} s")


def commit_not_found(observation: Observation) -> AttemptEnd | None:
    """The pod that finds the commit of the code has ended without one."""
    return pinning.commit_not_found(observation)


#: Ordered. If none of these applies, the deadlines (`deadlines.DEADLINES`) decide.
ENDINGS = (
    # The sealed report decides first: a computed graph is a success, whatever died afterwards.
    stopped_at_deadline,
    sealed_report,
    runner_exited,
    runner_fenced,
    runner_deleted,
    cluster_deleted,
    name_taken,
    commit_not_found,
    cancelled,
    scheduler_died,
    scheduler_replaced,
    saves_at_deadline,
)
