"""Pending pods whose status gives no reason; Kubernetes' events may give one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from daskjob.lifecycle.job.deadlines import SILENCE
from daskjob.lifecycle.job.observation import Observation

#: The operator reads the events of so many silent pods; they mostly have the same cause.
MOST_PODS = 3


def silent_pods(observation: Observation) -> list[str]:
    """Names of pods on a node that are pending for `SILENCE` while their containers give no message; at most three."""
    silent = [
        pod.name
        for pod in observation.attempt.pods
        if pod.phase == "Pending"
        and pod.unschedulable is None
        and pod.created is not None
        and observation.now - pod.created >= SILENCE
        and all(each.waiting is not None and not each.waiting[1] for each in pod.containers)
    ]
    return silent[:MOST_PODS]


def next_question(first: datetime, last: datetime) -> datetime:
    """When Kubernetes' events about a silent pod are read again, which were read `first` and `last` then: after
    `SILENCE`, and later after as long again as they have been read."""
    return last + max(SILENCE, last - first)


def explanation(pod: str, events: Iterable[Mapping[str, Any]]) -> str | None:
    """The last warning that explains why a pod does not start (mostly a volume that cannot be mounted); None if there
    is none. `events`: the warning events about the pod, as the API server's JSON."""
    failures = [each for each in events if str(each.get("reason", "")).startswith("Failed")]
    if not failures:
        return None
    last = max(failures, key=lambda each: str(each.get("lastTimestamp") or each.get("eventTime") or ""))
    return f"pod {pod}: {last.get('reason')}: {last.get('message')}"
