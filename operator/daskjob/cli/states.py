"""A job of a cluster in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from daskjob.cli.columns import duration
from daskjob.cli.live import obstacle_of
from daskjob.cli.output import ADVICE, explain
from daskjob.client.job_end import End, conditions, end_of, is_run_due, is_true, status_of

Body = Mapping[str, Any]

#: What to do, on a cluster, where that is something else than on this machine.
CLUSTER_ADVICE = {
    **ADVICE,
    "Stalled": "find the task that waits (daskjob dashboard {name} shows it), or raise spec.stallTimeoutSeconds",
    "StartupDeadlineExceeded": "daskjob events {name} and daskjob logs {name} --component scheduler say more",
    "SchedulerLost": "daskjob events {name} says what became of its pod",
    "SchedulerUnreachable": "daskjob events {name} says what became of its pod",
    "NoWorkers": "daskjob events {name} says what became of their pods",
    "ModuleNotFound": "put the module into spec.graph.source, or install it in the image",
}
_USUAL = ("Waiting", "WorkersReady", "CleaningUp")


def where(job: Body) -> str:
    """Where a job is and what it waits for, in a few words."""
    status, found = status_of(job), conditions(job)
    end = end_of(job)
    if end is End.SUCCEEDED:
        return "succeeded"
    if end is End.CANCELLED:
        return "cancelled"
    if end is End.FAILED:
        return f"failed: {found['Failed'].get('reason')}"
    if is_run_due(job):
        return "waiting for another run, which was asked for"
    cancelling = bool((job.get("spec") or {}).get("cancel"))
    if not status.get("phase"):
        return "waiting for the operator, which has not looked at it yet"
    if cancelling:
        return "being cancelled"
    if is_true(found, "Suspended"):
        return f"suspended; daskjob resume {job['metadata']['name']} lets it go on"
    if is_true(found, "Queued"):
        place = f", place {status['queuePosition']}" if status.get("queuePosition") else ""
        return f"queued{place}: {found['Queued'].get('message')}"
    obstacle = obstacle_of(status)
    cluster = found.get("ClusterReady", {})
    if not obstacle and cluster.get("status") == "False" and cluster.get("reason") not in _USUAL:
        obstacle = f"{cluster.get('reason')}: {cluster.get('message')}"
    phase = str(status["phase"]).lower()
    if obstacle:
        return f"{phase}, but waiting: {obstacle}"
    if phase == "retrying":
        last = (status.get("attempts") or [{}])[-1]
        due = f"; the next attempt starts at {status['nextAttemptTime']}" if status.get("nextAttemptTime") else ""
        return f"retrying: attempt {last.get('number')} failed ({last.get('reason')}){due}"
    progress = status.get("progress") or {}
    return f"{phase}, {progress['summary']} tasks" if progress.get("total") else phase


def describe(job: Body, now: datetime) -> str:
    """All that a person wants to know of a job, in lines."""
    metadata, status = job["metadata"], status_of(job)
    lines = [f"{metadata['namespace']}/{metadata['name']}: {where(job)}"]
    progress = status.get("progress") or {}
    if progress.get("total"):
        erred = f", {progress['erred']} erred" if progress.get("erred") else ""
        lines.append(f"  progress:  {progress.get('summary')} tasks ({progress.get('percent')} %){erred}")
    cluster = status.get("cluster") or {}
    if cluster.get("summary") and end_of(job) is None:
        groups = [
            f"{each['name']} {each.get('ready', 0)}/{each.get('wanted', 0)}" for each in cluster.get("groups", ())
        ]
        by_group = f" ({', '.join(groups)})" if groups else ""
        lines.append(f"  workers:   {cluster['summary']} ready{by_group}")
    if status.get("startTime"):
        ended = f", ended {duration(status['completionTime'], now)} ago" if status.get("completionTime") else ""
        lines.append(f"  started:   {duration(status['startTime'], now)} ago{ended}")
    for attempt in status.get("attempts") or ():
        lines.append(f"  attempt {attempt.get('number')}: {attempt_words(attempt)}")
        report = attempt.get("report") or {}
        if report:
            place = f"at {report['location']}" if report.get("location") else "not saved"
            words = f" ({report['message']})" if report.get("message") else ""
            lines.append(f"    report:  {place}{words}")
    result = status.get("result") or {}
    if result and end_of(job) is End.SUCCEEDED:
        place = f", at {result['location']}" if result.get("location") else ""
        words = f"({result.get('type')}, {result.get('size')} bytes{place})"
        lines.append(f"  result:    {status.get('summary', '')} {words}")
    if cluster.get("dashboard") and end_of(job) is None:
        lines.append(f"  dashboard: {cluster['dashboard']}")
    return "\n".join(lines) + "\n" + why(job)


def why(job: Body) -> str:
    """Why a job failed and what to do; empty if it did not."""
    if end_of(job) is not End.FAILED:
        return ""
    name = str(job["metadata"]["name"])
    return explain(job, {reason: text.format(name=name) for reason, text in CLUSTER_ADVICE.items()})


def ending(name: str, end: End, job: Body) -> str:
    """`square-sum  succeeded  41541750`."""
    summary = status_of(job).get("summary", "") if end in (End.SUCCEEDED, End.FAILED) else ""
    return f"{name}  {end.value}  {summary}".rstrip()


def attempt_words(attempt: Mapping[str, Any]) -> str:
    if not attempt.get("outcome"):
        return "runs" if not attempt.get("completionTime") else "ended"
    words = str(attempt["outcome"]).lower()
    reason = str(attempt.get("reason") or "")
    if reason and reason.lower() != words:
        words += f" ({', '.join(filter(None, (reason, attempt.get('class'))))})"
    message = str(attempt.get("message") or "").strip().splitlines()
    return f"{words}: {message[0]}" if message else words
