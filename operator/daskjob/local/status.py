"""`DaskJob.status` of a local run, in the shape that it has on a cluster. Pure: facts in, JSON out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

#: Failures that are not the doing of the job's author.
INFRASTRUCTURE = frozenset(
    {"NoWorkers", "SchedulerUnreachable", "SchedulerLost", "StartupDeadlineExceeded", "RunnerLost"}
)
SHORT = 60


@dataclass
class Facts:
    """What is known of a run. `report`: the runner's words, as in DaskJobReport.status. Times are RFC 3339 text."""

    attempt: str
    generation: int
    wanted: int
    accepted: str
    created: str | None = None
    scheduler_started: str | None = None
    finished: str | None = None
    cleaned_up: str | None = None
    dashboard: str | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    #: Set: the run's end was decided here, not by the runner.
    failure: Mapping[str, Any] | None = None


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def failure(reason: str, message: str, **details: Any) -> dict[str, Any]:
    """As in status.failure; details that are None are left out."""
    kind = "Infrastructure" if reason in INFRASTRUCTURE else "Application"
    given = {name: value for name, value in details.items() if value is not None}
    return {"reason": reason, "class": kind, "message": message, **given}


def build_status(facts: Facts) -> dict[str, Any]:
    """The whole status. Once `facts.finished` is set it says Succeeded or Failed."""
    said = facts.report
    status: dict[str, Any] = {
        "phase": _phase(facts),
        "observedGeneration": facts.generation,
        "run": 1,
        "startTime": _seconds(facts.accepted),
    }
    attempt = {"number": 1, "name": facts.attempt, "run": 1, "startTime": _seconds(facts.accepted)}
    failed = _failure(facts)
    conditions = [_readiness(facts)]
    if facts.finished is not None:
        reason, message = (failed["reason"], failed["message"]) if failed else ("Succeeded", "the graph was computed")
        status["completionTime"] = _seconds(facts.finished)
        status["summary"] = reason if failed else short(said.get("result") or {})
        conditions.append(_condition("Failed" if failed else "Complete", reason, message, facts.finished, facts))
        attempt |= {"completionTime": status["completionTime"], "outcome": status["phase"], "reason": reason}
        attempt |= {"message": message[:1024]} | ({"class": failed["class"]} if failed else {})
    if facts.cleaned_up is not None:
        message = "no process of the job is left"
        conditions.append(_condition("CleanedUp", "CleanedUp", message, facts.cleaned_up, facts))
    conditions += _kstatus(facts, failed)
    status |= {"conditions": conditions, "attempt": 1, "attempts": [attempt]}
    if said.get("progress"):
        status["progress"] = _progress(said["progress"])
    status["cluster"] = _cluster(facts)
    if facts.finished is not None and said.get("result"):
        status["result"] = dict(said["result"])
    if facts.finished is not None and failed:
        status["failure"] = failed
    status["timings"] = _timings(facts)
    return status


def short(result: Mapping[str, Any]) -> str:
    """The result in a line, as `kubectl get` shows it."""
    value = result.get("value")
    if value is None:
        return str(result.get("type", ""))
    return value if len(value) <= SHORT else f"{value[: SHORT - 3]}..."


def _phase(facts: Facts) -> str:
    if facts.finished is not None:
        return "Failed" if _failure(facts) else "Succeeded"
    if facts.report.get("stage") in ("Running", "Finished"):
        return "Running"
    return "Starting" if facts.created is not None else "Pending"


def _failure(facts: Facts) -> dict[str, Any] | None:
    if facts.failure is not None:
        return dict(facts.failure)
    if facts.report.get("outcome") == "Succeeded":
        return None
    said = facts.report.get("failure") or {}
    details = {name: value for name, value in said.items() if name not in ("reason", "message", "class")}
    return failure(said.get("reason") or "RunnerLost", said.get("message") or "", **details)


def _connected(facts: Facts) -> int:
    return int((facts.report.get("workers") or {}).get("connected") or 0)


def _cluster(facts: Facts) -> dict[str, Any]:
    ready = _connected(facts)
    cluster: dict[str, Any] = {"name": facts.attempt, "workers": {"wanted": facts.wanted, "ready": ready}}
    cluster["summary"] = f"{ready}/{facts.wanted}"
    if facts.dashboard is not None:
        cluster["dashboard"] = facts.dashboard
    return cluster


def _readiness(facts: Facts) -> dict[str, Any]:
    ready = _connected(facts)
    if facts.finished is not None:
        return _condition("ClusterReady", "CleaningUp", "the job has ended", facts.finished, facts, status="False")
    if facts.wanted and ready >= facts.wanted:
        since = (facts.report.get("timings") or {}).get("firstWorker") or facts.accepted
        return _condition("ClusterReady", "WorkersReady", f"all {facts.wanted} workers are connected", since, facts)
    message = f"waiting for {facts.wanted} workers: {ready} connected"
    return _condition("ClusterReady", "Waiting", message, facts.accepted, facts, status="False")


def _kstatus(facts: Facts, failed: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """For tools that know nothing of jobs."""
    if facts.finished is None:
        reason = _phase(facts)
        message = f"attempt 1: {reason.lower()}"
        return [
            _condition("Ready", reason, message, facts.accepted, facts, status="False"),
            _condition("Reconciling", reason, message, facts.accepted, facts),
        ]
    if failed is None:
        return [_condition("Ready", "Succeeded", "the graph was computed", facts.finished, facts)]
    reason, message = failed["reason"], failed["message"]
    return [
        _condition("Ready", reason, message, facts.accepted, facts, status="False"),
        _condition("Stalled", reason, message, facts.finished, facts),
    ]


def _condition(
    kind: str, reason: str, message: str, since: str, facts: Facts, *, status: str = "True"
) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": _seconds(since),
        "observedGeneration": facts.generation,
    }


def _progress(said: Mapping[str, Any]) -> dict[str, Any]:
    total = said.get("total") or 0
    done = min(said.get("done") or 0, total)
    progress: dict[str, Any] = {"total": total, "done": done}
    progress |= {name: said.get(name) or 0 for name in ("processing", "erred")}
    progress |= {"percent": 100 * done // total if total else 0, "summary": f"{done}/{total}"}
    if said.get("prefixes"):
        progress["prefixes"] = [dict(prefix) for prefix in said["prefixes"]]
    return progress


def _timings(facts: Facts) -> dict[str, str]:
    said = facts.report.get("timings") or {}
    stages = ("runnerStarted", "connected", "firstWorker", "graphStarted", "graphFinished")
    times = {
        "accepted": facts.accepted,
        "created": facts.created,
        "schedulerStarted": facts.scheduler_started,
        **{stage: said.get(stage) for stage in stages},
        "finished": facts.finished,
        "cleanedUp": facts.cleaned_up,
    }
    return {stage: time for stage, time in times.items() if time}


def _seconds(time: str) -> str:
    """Without the fraction: what Kubernetes' own times look like."""
    return f"{time[:19]}Z"
