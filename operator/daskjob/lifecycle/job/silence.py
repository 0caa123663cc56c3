"""Pods that do not start and do not say why in their status; Kubernetes' events may."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from daskjob.lifecycle.job.deadlines import SILENCE
from daskjob.lifecycle.job.observation import Observation

#: Of how many silent pods the operator asks for events: they mostly have the same cause.
MOST_PODS = 3


def silent_pods(observation: Observation) -> list[str]:
    """Names of pods on a node whose containers have not started for a while, without a word why; three at most."""
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


def explanation(pod: str, events: Iterable[Mapping[str, Any]]) -> str | None:
    """The last warning that tells why a pod does not start (a volume that cannot be mounted, mostly); None: none does.
    `events`: the warnings about the pod, as the API server has them."""
    failures = [each for each in events if str(each.get("reason", "")).startswith("Failed")]
    if not failures:
        return None
    last = max(failures, key=lambda each: str(each.get("lastTimestamp") or each.get("eventTime") or ""))
    return f"pod {pod}: {last.get('reason')}: {last.get('message')}"
