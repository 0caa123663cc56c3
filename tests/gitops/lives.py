"""A DaskJob in every state of its life, as the API server has it, and what GitOps tools must make of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]

HOOK = {"finalizers": ["argocd.argoproj.io/hook-finalizer"]}
DELETED = {"deletionTimestamp": "2026-03-01T12:05:00Z"}
RERUN = "daskjob.io/rerun"
#: The status that the CRD gives to a job that no operator has seen.
UNSEEN = {"observedGeneration": -1}


@dataclass(frozen=True)
class Moment:
    """A document, and Argo CD's health and kstatus of it; `words` must be in what Argo CD shows."""

    name: str
    document: Document
    argo: str
    kstatus: str
    words: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        return self.name


def condition(kind: str, status: str, reason: str, message: str = "") -> Document:
    time = "2026-03-01T12:00:00Z"
    words = {"type": kind, "status": status, "reason": reason, "message": message}
    return {**words, "lastTransitionTime": time, "observedGeneration": 1}


def job(status: Any = None, spec: Document | None = None, generation: int = 1, **metadata: Any) -> Document:
    """A DaskJob; without a status if that is None."""
    document = {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskJob",
        "metadata": {"name": "sum", "namespace": "team", "uid": "u", "generation": generation, **metadata},
        "spec": {"graph": {"entrypoint": "m:f"}, "cluster": {"image": "i"}, **(spec or {})},
    }
    return document if status is None else {**document, "status": status}


def on_its_way(phase: str, reason: str = "", message: str = "", *others: Document, **fields: Any) -> Document:
    """The status of a job that has not ended. Reason and message are those of Ready; by default the phase's."""
    reason, message = reason or phase, message or f"attempt 1: {phase.lower()}"
    ready = [condition("Ready", "False", reason, message), condition("Reconciling", "True", reason, message)]
    return {"phase": phase, "observedGeneration": 1, "run": 1, "conditions": [*others, *ready], **fields}


def succeeded(*others: Document, **fields: Any) -> Document:
    words = ("Succeeded", "the graph was computed")
    ended = [condition("Complete", "True", *words), *others, condition("Ready", "True", *words)]
    return {"phase": "Succeeded", "observedGeneration": 1, "run": 1, "conditions": ended, **fields}


def failed(reason: str, message: str, *others: Document, **fields: Any) -> Document:
    ended = [condition("Failed", "True", reason, message), *others]
    ended += [condition("Ready", "False", reason, message), condition("Stalled", "True", reason, message)]
    return {"phase": "Failed", "observedGeneration": 1, "run": 1, "conditions": ended, **fields}


ATTEMPT = {"attempt": 1, "startTime": "2026-03-01T12:00:00Z"}
WAITING = condition("ClusterReady", "False", "Waiting", "no worker yet")
READY = condition("ClusterReady", "True", "WorkersReady", "2 of 2 workers")
CLEANING = condition("ClusterReady", "False", "CleaningUp", "the job has ended")
CLEAN = condition("CleanedUp", "True", "CleanedUp", "no pod of the cluster is left")
SUSPENDED = condition("Suspended", "True", "JobSuspended", "spec.suspend is true")
SUSPENDED_STATUS = {
    "phase": "Suspended",
    "observedGeneration": 1,
    "run": 1,
    "conditions": [SUSPENDED, condition("Ready", "False", "JobSuspended", "spec.suspend is true")],
}
RUNNING = on_its_way(
    "Running",
    "",
    "",
    READY,
    **ATTEMPT,
    progress={"total": 500, "done": 120, "processing": 4, "erred": 0, "percent": 24, "summary": "120/500"},
    cluster={"name": "sum-u-1", "workers": {"wanted": 4, "ready": 3}, "summary": "3/4"},
)
TASK_FAILED = failed("TaskFailed", "ValueError: negative", CLEANING, **ATTEMPT)
PLACE = "place 3 of those that wait in namespace team: 2 of its jobs run, and 2 may"
AGAIN = "attempt 1 failed (WorkerOOMKilled); the next one starts at 2026-03-01T12:03:00Z"

LIFE = [
    Moment("unseen", job(UNSEEN), "Progressing", "InProgress", ("Waiting for the operator to see the job",)),
    Moment("new", job(on_its_way("Pending", **ATTEMPT)), "Progressing", "InProgress", ("Pending",)),
    Moment(
        "queued",
        job(on_its_way("Queued", "NamespaceLimit", PLACE, queuePosition=3)),
        "Progressing",
        "InProgress",
        ("Queued", "NamespaceLimit", PLACE),
    ),
    Moment("starting", job(on_its_way("Starting", "", "", WAITING, **ATTEMPT)), "Progressing", "InProgress"),
    Moment(
        "starting-and-held-up",
        job(on_its_way("Starting", "ImagePullFailed", "no such image: i", **ATTEMPT)),
        "Progressing",
        "InProgress",
        ("Starting", "ImagePullFailed: no such image: i"),
    ),
    Moment("running", job(RUNNING), "Progressing", "InProgress", ("Running: 120/500 tasks, 3/4 workers",)),
    Moment(
        "retrying",
        job(on_its_way("Retrying", "BackingOff", AGAIN, **ATTEMPT, nextAttemptTime="2026-03-01T12:03:00Z")),
        "Progressing",
        "InProgress",
        ("Retrying", "BackingOff", AGAIN),
    ),
    Moment(
        "running-again",
        job({**RUNNING, "attempt": 2}),
        "Progressing",
        "InProgress",
        ("Running (attempt 2): 120/500 tasks, 3/4 workers",),
    ),
    Moment("suspended", job(SUSPENDED_STATUS, {"suspend": True}), "Suspended", "InProgress", ("spec.suspend is true",)),
    Moment(
        "resumed",
        job(on_its_way("Starting", "", "", condition("Suspended", "False", "JobResumed", "spec.suspend is false"))),
        "Progressing",
        "InProgress",
        ("Starting",),
    ),
    Moment("cleaning-up", job(succeeded(CLEANING)), "Healthy", "Current", ("the graph was computed",)),
    Moment("succeeded", job(succeeded(CLEANING, CLEAN)), "Healthy", "Current", ("the graph was computed",)),
    Moment(
        "succeeded-without-a-report",
        job(succeeded(condition("ReportingDegraded", "True", "ReportMissing", "no sealed report"), CLEAN)),
        "Healthy",
        "Current",
    ),
    Moment("failed", job(TASK_FAILED), "Degraded", "Failed", ("TaskFailed: ValueError: negative",)),
    Moment(
        "failed-and-kept",
        job(failed("TaskFailed", "no", condition("ClusterReady", "False", "Kept", "kept until …"), **ATTEMPT)),
        "Degraded",
        "Failed",
    ),
    Moment("failed-and-clean", job(failed("TaskFailed", "no", CLEANING, CLEAN)), "Degraded", "Failed"),
    Moment("refused", job(failed("InvalidSpec", "image: give one")), "Degraded", "Failed", ("image: give one",)),
    Moment("cancelled", job(failed("Cancelled", "spec.cancel was set")), "Degraded", "Failed", ("Cancelled",)),
]

EDITED = [
    Moment("edited-while-running", job(RUNNING, generation=2), "Progressing", "InProgress", ("the change",)),
    Moment("edited-after-success", job(succeeded(CLEAN), generation=2), "Progressing", "InProgress", ("the change",)),
    Moment("edited-after-failure", job(TASK_FAILED, generation=2), "Progressing", "InProgress", ("the change",)),
    Moment("suspended-unseen", job(RUNNING, {"suspend": True}, 2), "Progressing", "InProgress", ("the change",)),
    Moment("resumed-unseen", job(SUSPENDED_STATUS, generation=2), "Progressing", "InProgress", ("the change",)),
    Moment(
        "second-run",
        job(on_its_way("Pending", run=2, history=[{"run": 1, "outcome": "Succeeded"}])),
        "Progressing",
        "InProgress",
        ("Pending",),
    ),
    # A generation that kstatus does not see change: the annotation is none of the spec's.
    Moment(
        "rerun-asked-for",
        job(succeeded(CLEAN), annotations={RERUN: "monday"}),
        "Progressing",
        "Current",
        ("run the job again",),
    ),
    Moment(
        "rerun-asked-for-once-more",
        job(failed("TaskFailed", "no", rerun="monday"), annotations={RERUN: "tuesday"}),
        "Progressing",
        "Failed",
        ("run the job again",),
    ),
    Moment(
        "rerun-asked-for-while-running",
        job(RUNNING, annotations={RERUN: "monday"}),
        "Progressing",
        "InProgress",
        ("Running: 120/500",),
    ),
    Moment("rerun-done", job(succeeded(rerun="monday"), annotations={RERUN: "monday"}), "Healthy", "Current"),
    Moment("rerun-not-asked-for", job(succeeded(rerun="monday"), annotations={RERUN: ""}), "Healthy", "Current"),
    Moment(
        "rerun-in-many-words", job(succeeded(rerun="m" * 4096), annotations={RERUN: "m" * 4097}), "Healthy", "Current"
    ),
    Moment(
        "rerun-of-another-controllers-job",
        job(succeeded(), {"managedBy": "kueue.x-k8s.io/multikueue"}, annotations={RERUN: "monday"}),
        "Healthy",
        "Current",
    ),
]

GOING = [
    Moment("deleted-unseen", job(UNSEEN, **DELETED), "Progressing", "Terminating", ("Pending deletion",)),
    Moment("deleted-while-running", job(RUNNING, **DELETED), "Progressing", "Terminating", ("Pending deletion",)),
    Moment("deleted-after-success", job(succeeded(), **DELETED), "Progressing", "Terminating", ("Pending deletion",)),
    Moment("deleted-after-failure", job(TASK_FAILED, **DELETED), "Progressing", "Terminating", ("Pending deletion",)),
    # Argo CD holds its hooks by a finalizer, to see how they ended.
    Moment("hook-running", job(RUNNING, **HOOK), "Progressing", "InProgress"),
    Moment("hook-deleted-after-success", job(succeeded(), **DELETED, **HOOK), "Healthy", "Terminating"),
    Moment("hook-deleted-after-failure", job(TASK_FAILED, **DELETED, **HOOK), "Degraded", "Terminating"),
    Moment(
        "hook-deleted-while-running",
        job(RUNNING, **DELETED, **HOOK),
        "Degraded",
        "Terminating",
        ("Deleted before its end", "120/500"),
    ),
]

#: What no API server with the CRD would give out, but a backup, a dry run or an older definition may.
ODD = [
    Moment("no-status", job(), "Progressing", "Current", ("Waiting for the operator to see the job",)),
    Moment("empty-status", job({}), "Progressing", "Current", ("Waiting for the operator to see the job",)),
    Moment("conditions-without-generation", job({"conditions": succeeded()["conditions"]}), "Progressing", "Current"),
    Moment("no-conditions", job({"observedGeneration": 1}), "Progressing", "Current", ("Pending",)),
    Moment("empty-conditions", job({"observedGeneration": 1, "conditions": []}), "Progressing", "Current"),
    Moment("phase-only", job({"observedGeneration": 1, "phase": "Succeeded"}), "Progressing", "Current"),
    Moment(
        "bare-condition", job({"observedGeneration": 1, "conditions": [{"type": "Failed"}]}), "Progressing", "Current"
    ),
    Moment(
        "condition-without-words",
        job({"observedGeneration": 1, "conditions": [{"type": "Failed", "status": "True"}]}),
        "Degraded",
        "Current",
        ("Failed",),
    ),
    Moment(
        "unknown-phase",
        job(on_its_way("Hibernating")),
        "Progressing",
        "InProgress",
        ("Hibernating",),
    ),
]

MOMENTS = [*LIFE, *EDITED, *GOING, *ODD]

#: Values of a wrong type in every place that the health check reads.
GARBAGE: list[Any] = [None, "", "text", 7, -1.5, True, [], [None], ["text"], [[]], {}, {"type": 3}, {"": {}}]
