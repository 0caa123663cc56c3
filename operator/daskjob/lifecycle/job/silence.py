"""Pending pods whose status gives no reason; Kubernetes' events may give one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from daskjob.api.constants import Reason
from daskjob.lifecycle.blocker import Blocker
from daskjob.lifecycle.job.observation import Observation
from daskjob.lifecycle.pods import Pod, Termination

#: How long a pod may stay pending without a reason in its status before the operator reads Kubernetes' events about it.
SILENCE = timedelta(seconds=5)
#: The operator looks for the events of so many pods of a job; they mostly have the same cause.
MOST_PODS = 3


def silent_pods(observation: Observation) -> list[str]:
    """Names of pods that are pending for `SILENCE` while nothing in their status says why; at most three."""
    return [pod.name for pod in observation.attempt.pods if is_silent(pod, observation.now)][:MOST_PODS]


def is_silent(pod: Pod, now: datetime) -> bool:
    """Whether a pod has been pending for `SILENCE` and says nothing."""
    return _is_mute(pod) and pod.created is not None and now - pod.created >= SILENCE


def killed_pods(observation: Observation) -> list[str]:
    """Names of pods whose main container was ended from outside; at most three. A probe that fails has the kubelet do
    so, and only Kubernetes' events say it."""
    pods = [each for each in observation.attempt.pods if each.acting or each.component == "runner"]
    return [pod.name for pod in pods if not pod.deleting and any(map(_is_from_outside, pod.terminations[:1]))][
        :MOST_PODS
    ]


def _is_from_outside(end: Termination) -> bool:
    # A runner that is told to stop reports it, and ends by itself.
    stopped = (
        end.report is not None and end.report.failure is not None and end.report.failure.reason == Reason.CANCELLED
    )
    return stopped or not (end.own_doing or end.lost)


def next_silence(observation: Observation) -> datetime | None:
    """When a pass next looks at the pods that say nothing: after `SILENCE`, and later after as long again as the pod
    has been there. None: all pods say something."""
    found = [
        _next_look(pod.created, observation.now) for pod in observation.attempt.pods if _is_mute(pod) and pod.created
    ]
    return min(found, default=None)


def _next_look(created: datetime, now: datetime) -> datetime:
    age, due = now - created, SILENCE
    while due <= age:
        due *= 2
    return created + due


def _is_mute(pod: Pod) -> bool:
    """Whether a pod runs nothing, and does not say why."""
    if pod.phase != "Pending" or pod.deleting or pod.unschedulable is not None:
        return False
    begun = [each for each in pod.containers if each.running_since is not None or each.terminations]
    waits = all(each.waiting is not None and not each.waiting[1] for each in pod.containers if each not in begun)
    # A sidecar that is not ready keeps the others from starting, and only its events say so.
    alone = all(each.sidecar and not each.ready for each in begun)
    return waits and alone


def next_question(first: datetime, last: datetime) -> datetime:
    """When Kubernetes' events about a silent pod are read again, which were read `first` and `last` then: after
    `SILENCE`, and later after as long again as they have been read."""
    return last + max(SILENCE, last - first)


#: What a warning event's reason means for the pod.
MEANINGS: Mapping[str, Reason] = {
    "FailedMount": Reason.VOLUME_MOUNT_FAILED,
    "FailedAttachVolume": Reason.VOLUME_MOUNT_FAILED,
    "FailedMapVolume": Reason.VOLUME_MOUNT_FAILED,
    "FailedToRetrieveImagePullSecret": Reason.IMAGE_PULL_FAILED,
    "FailedCreatePodSandBox": Reason.KUBERNETES_FAILED,
    "NetworkNotReady": Reason.KUBERNETES_FAILED,
    "Unhealthy": Reason.CONTAINER_START_FAILED,
}
#: How an event names the container that it is about: `spec.initContainers{proxy}`.
_CONTAINER = re.compile(r"[cC]ontainers\{([^}]*)\}")
#: How the kubelet's words on a probe begin that has it end a container.
DEADLY = ("Liveness probe failed", "Startup probe failed")
#: The reason of its word on a hook (`lifecycle.postStart`) that has it do so.
HOOK = "FailedPostStartHook"
#: What kubelet and container runtimes (containerd, CRI-O, cri-dockerd; runc) say of a sandbox that they cannot create
#: because of what the pod asks for: a runtime class whose handler the node lacks, user namespaces, kernel settings,
#: security profiles, a name that is too long, a network of Multus, a memory limit in which not even the sandbox fits.
_ASKED_FOR = re.compile(
    r"no runtime for \S+ is configured|RuntimeHandler \S+ not supported|find runtime handler|get RuntimeClass"
    r"|hostUsers|not support user namespaces|sysctl|/proc/sys/"
    r"|seccomp profile|apparmor|selinux|supplementalGroupsPolicy"
    r"|FQDN \S+ is too long|network-attachment-definition"
    r"|OOM-killed|memory limit too low|init-p: (connection reset|broken pipe)|memory\.(max|limit_in_bytes)"
    r"|minimum memory limit",
    re.IGNORECASE,
)


def explanation(pod: str, events: Iterable[Mapping[str, Any]]) -> str | None:
    """The last warning that explains why a pod does not start (mostly a volume that cannot be mounted), with the
    event's reason; None if there is none. `events`: the warning events about the pod, as the API server's JSON."""
    reasons = [(str(each.get("reason", "")), each) for each in events]
    failures = [each for reason, each in reasons if reason in MEANINGS or reason.startswith("Failed")]
    if not failures:
        return None
    last = max(failures, key=lambda each: str(each.get("lastTimestamp") or each.get("eventTime") or ""))
    where = _CONTAINER.search(str((last.get("involvedObject") or {}).get("fieldPath")))
    return f"pod {pod}: {last.get('reason')}: {last.get('message')}{f' (container {where[1]})' if where else ''}"


def failed_probe(pod: str, events: Iterable[Mapping[str, Any]]) -> str | None:
    """The last warning of a probe or a hook by which the kubelet ends a container, as `explanation` gives it."""
    deadly = [each for each in events if each.get("reason") == HOOK or str(each.get("message")).startswith(DEADLY)]
    return explanation(pod, deadly)


#: What the kubelet says of a Secret that is not there, for the operator's volume of that name.
_NO_PAYLOAD = re.compile(r'volume "payload" ?: secret "(\S+-payload-[0-9a-f]{10})" not found')


def read_warning(warning: str) -> Blocker:
    """The blocker that a warning means, which `explanation` gave."""
    pod, event, words = warning.split(": ", 2)
    reason = MEANINGS.get(event, Reason.CONTAINER_START_FAILED)
    # The words may name the pod, whose name is the user's.
    if reason is Reason.KUBERNETES_FAILED and _ASKED_FOR.search(words.replace(pod.removeprefix("pod "), "")):
        reason = Reason.CONTAINER_START_FAILED
    missing = _NO_PAYLOAD.search(words) if reason is Reason.VOLUME_MOUNT_FAILED else None
    if missing is not None:
        return Blocker(
            Reason.PAYLOAD_MISSING,
            f"spec.graph.source.payload: there is no Secret {missing[1]!r}: the Python client that created the job was "
            "stopped before it had sent the payload, or somebody deleted it; submit the function again",
        )
    return Blocker(reason, warning)
