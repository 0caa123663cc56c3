"""What keeps a job from starting, in the words of whoever refused: kubelet, scheduler, API server."""

from __future__ import annotations

import re
from collections.abc import Iterator

from daskjob.api.constants import Reason
from daskjob.lifecycle.job.observation import Blocker, Observation
from daskjob.lifecycle.pods import Container, Pod

IMAGE_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
#: The kubelet's answer will be the same however long one waits.
PERMANENT_IMAGE_REASONS = frozenset({"InvalidImageName", "ErrImageNeverPull"})
START_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"})


def find_blocker(observation: Observation) -> Blocker | None:
    """The first thing that keeps the job from starting, the most telling first; None if all goes well."""
    return next(_problems(observation), None)


def _problems(observation: Observation) -> Iterator[Blocker]:
    spec = observation.job.spec
    if observation.source_found is False and spec.graph.source and spec.graph.source.config_map:
        name = spec.graph.source.config_map.name
        yield Blocker(
            Reason.CONFIG_MAP_NOT_FOUND,
            f"spec.graph.source.configMap.name: there is no ConfigMap {name!r} in namespace "
            f"{observation.job.namespace!r}; create it, or correct the name",
        )
    if observation.refusal is not None:
        yield observation.refusal
    for deployment in observation.deployments:
        if deployment.refusal:
            yield read_refusal(f"{deployment.component or 'pod'}: {deployment.refusal}")
    runner = (observation.runner,) if observation.runner is not None else ()
    pods = (*observation.schedulers, *runner, *observation.workers)
    for pod in pods:
        yield from (problem for each in pod.containers if (problem := _container_problem(pod, each)))
    for pod in pods:
        if pod.unschedulable is not None:
            yield Blocker(Reason.UNSCHEDULABLE, f"pod {pod.name} ({pod.component}): {pod.unschedulable}")
    for warning in observation.warnings:
        yield Blocker(Reason.VOLUME_MOUNT_FAILED, warning)


def _container_problem(pod: Pod, container: Container) -> Blocker | None:
    where = f"pod {pod.name} ({pod.component})"
    reason, message = container.waiting or ("", "")
    if reason in IMAGE_REASONS:
        words = f"{where}: {reason}: {message}" if message else f"{where}: {reason}"
        return Blocker(Reason.IMAGE_PULL_FAILED, words, permanent=reason in PERMANENT_IMAGE_REASONS)
    if reason in START_REASONS:
        return Blocker(Reason.CONTAINER_START_FAILED, f"{where}: {reason}: {message}")
    if reason == "CrashLoopBackOff" and container.last_terminated is not None:
        end = container.last_terminated
        last_words = f": {end.message.strip()[-800:]}" if end.message.strip() else ""
        return Blocker(
            Reason.CONTAINER_START_FAILED,
            f"{where}: its container keeps ending, the last time with exit code {end.exit_code} "
            f"({end.reason or 'no reason given'}){last_words}",
        )
    return None


def read_refusal(message: str) -> Blocker:
    """What it means that pods, or an object of ours, may not be made, from the API server's words."""
    if "exceeded quota" in message:
        return Blocker(Reason.QUOTA_EXCEEDED, message)
    if re.search(r"violates PodSecurity|admission webhook|LimitRange|(minimum|maximum) .* usage per", message):
        return Blocker(Reason.POD_REJECTED, message, permanent="violates PodSecurity" in message)
    if "cannot" in message and "is forbidden: User" in message:
        return Blocker(Reason.OPERATOR_FORBIDDEN, message)
    return Blocker(Reason.POD_REJECTED, message)
