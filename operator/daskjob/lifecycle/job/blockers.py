"""What keeps an attempt from starting, with the message of the component that refused: kubelet, scheduler, API
server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from daskjob.api.constants import Reason
from daskjob.lifecycle.blocker import Blocker
from daskjob.lifecycle.job.observation import Observation
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
#: Waiting does not help: the kubelet gives the same answer at every try.
PERMANENT_IMAGE_REASONS = frozenset({"InvalidImageName", "ErrImageNeverPull"})
START_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"})


def find_blocker(observation: Observation) -> Blocker | None:
    """The blocker of the attempt that explains most; None if nothing keeps it from starting."""
    return next(_blockers(observation), None)


def _blockers(observation: Observation) -> Iterator[Blocker]:
    attempt = observation.attempt
    for reference in observation.missing_references:
        yield Blocker(reference.reason, reference.missing_in(observation.job.namespace))
    if attempt.refusal is not None:
        yield attempt.refusal
    if attempt.scheduler_refusal is not None and not attempt.schedulers:
        yield _about("scheduler", attempt.scheduler_refusal)
    for group in attempt.groups.values():
        # What was refused earlier does not count when all workers are there.
        if group.refusal is not None and sum(each.acting for each in attempt.workers) < group.replicas:
            yield _about("worker", group.refusal)
    for pod in attempt.pods:
        yield from (blocker for each in pod.containers if (blocker := _container_blocker(pod, each)))
    for pod in attempt.pods:
        if pod.unschedulable is not None:
            yield Blocker(Reason.UNSCHEDULABLE, f"pod {pod.name} ({pod.component}): {pod.unschedulable}")
    for warning in attempt.warnings:
        yield Blocker(Reason.VOLUME_MOUNT_FAILED, warning)


def _about(component: str, refusal: Blocker) -> Blocker:
    return replace(refusal, message=f"{component}: {refusal.message}")


def _container_blocker(pod: Pod, container: Container) -> Blocker | None:
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
