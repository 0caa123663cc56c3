"""The results of a job that are to be deleted with it: a finalizer holds the job until a pod has deleted them.

Only jobs that ask for it have the finalizer, from their first attempt on. When such a job is deleted, and nothing of it
can write any more, the operator records the name of a pod, creates it, and lets the job go when the pod has ended. The
pod deletes the folder with the job's name and UID, which no status names. All of it is bounded: after `LIMIT` from the
deletion, or `MOST_PODS` pods that failed, the job goes all the same, and an event says what is left.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from daskjob.api.attempt_names import attempt_name, remover_name
from daskjob.api.constants import EventReason, Retention
from daskjob.api.status import DaskJobStatus, Removal
from daskjob.lifecycle.event import Event
from daskjob.lifecycle.job import teardown
from daskjob.lifecycle.job.actions import Action, CreateRemover, Delete, Hold, LetGo
from daskjob.lifecycle.job.decision import Decision
from daskjob.lifecycle.job.observation import Job, Observation, Owned
from daskjob.lifecycle.pods import Pod

#: How long a deletion may be held up, and by how many pods.
LIMIT = timedelta(minutes=10)
MOST_PODS = 3
#: How long a pod works, in seconds, and how long it may exist.
WORK_SECONDS, POD_SECONDS = 120, 180
#: How soon the next pass looks, if no watch event brings it earlier.
LOOK_AGAIN = timedelta(seconds=10)


def wanted(job: Job) -> bool:
    """Whether the job's results go with it."""
    return job.spec.result.retention is Retention.DELETE_WITH_JOB


def hold(job: Job, status: DaskJobStatus) -> tuple[Action, ...]:
    """Sets the finalizer of a job before its first attempt writes anything, or takes it off one that no longer asks
    for it. `status`: what this pass records."""
    if wanted(job) and not job.held and status.attempt:
        return (Hold(),)
    return (LetGo(),) if job.held and not wanted(job) else ()


def remove_results(observation: Observation) -> Decision:
    """The decision about a job that is being deleted and has the finalizer."""
    job, now = observation.job, observation.now
    actions = tuple(teardown.remove_all(observation))
    if not wanted(job) or not job.status.attempt:
        # Without an attempt, nothing was written: somebody else set the finalizer, or took it over from another job.
        return _let_go(observation, actions)
    if not observation.served:
        return _let_go(observation, actions, "no pods are created in its namespace (excludeNamespaces of the chart)")
    left = (job.deleted or now) + LIMIT - now
    if left <= timedelta(0):
        return _let_go(observation, actions, f"it took longer than {LIMIT.seconds // 60} minutes")
    if observation.namespace_going:
        return _let_go(observation, actions, "its namespace is being deleted, where no pod can be created")
    refusal = observation.attempt.refusal
    if refusal is not None and refusal.permanent:
        return _let_go(observation, actions, refusal.message)
    waits = min(left, LOOK_AGAIN)
    if not teardown.is_over(observation):
        # Whatever still runs may write.
        return Decision(job.status, actions, requeue_after=waits)
    pod, removal = observation.attempt.remover, job.status.removal
    if pod is not None and not pod.ended:
        return Decision(job.status, actions, requeue_after=waits)
    if pod is not None and _has_removed(pod):
        return _let_go(observation, actions)
    if pod is None and removal is not None and removal.token_digest == observation.draw.source_digest:
        return Decision(job.status, (*actions, CreateRemover(removal)), requeue_after=waits)
    if pod is None and not observation.live:
        # Another operator's pod may be there.
        return Decision(job.status, needs_live_read=True)
    number = removal.number + 1 if removal is not None else 1
    if number > MOST_PODS:
        return _let_go(observation, actions, _words(pod) if pod is not None else f"{MOST_PODS} pods were lost")
    before = (_delete(pod),) if pod is not None else ()
    removal = _next(observation, number)
    status = replace(job.status, removal=removal)
    return Decision(status, (*actions, *before, CreateRemover(removal)), requeue_after=waits)


def _next(observation: Observation, number: int) -> Removal:
    job, draw = observation.job, observation.draw
    name = remover_name(attempt_name(job.name, job.uid, job.status.attempt or 0, draw.nonce), number)
    return Removal(number, name, draw.source_digest)


def _let_go(observation: Observation, actions: tuple[Action, ...], why: str = "") -> Decision:
    """The job goes, and its pod before it: the pod has no owner. `why`: why results are left; empty: none are."""
    job, pod = observation.job, observation.attempt.remover
    store = job.spec.result.store
    # That of the installation has a URL that only its administrators know.
    where = f"{store.url.rstrip('/') + '/' if store is not None else ''}{job.namespace}/{job.name}/{job.uid}"
    words = f"results of the job may be left in its store, at {where}: {why}; delete them there"
    events = (Event(EventReason.RESULTS_LEFT, words, warning=True),) if why else ()
    before = (_delete(pod),) if pod is not None else ()
    return Decision(job.status, (*actions, *before, LetGo()), events, requeue_after=LOOK_AGAIN)


def _has_removed(pod: Pod) -> bool:
    end = next(iter(pod.terminations), None)
    return end is not None and end.exit_code == 0


def _words(pod: Pod) -> str:
    """Why a pod has not deleted what it should."""
    end = next(iter(pod.terminations), None)
    report = end.report if end is not None else None
    if report is not None and report.failure is not None:
        return f"{report.failure.reason}: {report.failure.message}"
    return pod.message or pod.reason or (f"its pod ended with {end.how}{end.words}" if end is not None else pod.phase)


def _delete(pod: Pod) -> Delete:
    return Delete(Owned("Pod", pod.name, pod.uid, pod.attempt), "it has deleted the job's results, or failed to")
