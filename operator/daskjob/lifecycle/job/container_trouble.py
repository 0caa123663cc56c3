"""What a pod's containers say about why its scheduler, worker or runner does not run."""

from __future__ import annotations

from daskjob.api.cluster_spec import path_of_group
from daskjob.api.constants import FETCHING, Reason
from daskjob.fetch.fetch_problem import FINAL
from daskjob.lifecycle.blocker import Blocker
from daskjob.lifecycle.pods import Container, Pod, Termination

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
START_REASONS = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "StartError",
        "PreCreateHookError",
        "PreStartHookError",
        "PostStartHookError",
    }
)
#: A container that has ended so often by its own doing ends so every time. The kubelet starts it again at once after
#: the first time, after the second ten seconds later.
REPEATED = 3
OUT_OF_MEMORY = {"scheduler": Reason.SCHEDULER_OOM_KILLED, "worker": Reason.WORKER_OOM_KILLED}
#: The field of the memory limit, by component.
LIMITS = {
    "source": "spec.runner.resources.limits.memory",
    "scheduler": "spec.cluster.scheduler.resources.limits.memory",
    "runner": "spec.runner.resources.limits.memory",
}


def trouble_of(pod: Pod, joined: bool = False) -> Blocker | None:
    """What keeps the pod's main container from running, or made it end; None: nothing that its containers show.

    An init container counts while the main one has not started. A container beside it never does, and neither does a
    pod that starts nothing any more: `endings` has a rule for each. `joined`: the component has been reached, so that
    what it ended by before it runs again is overcome.
    """
    main = pod.main
    if not pod.acting:
        return None
    if main is not None and (found := _trouble(pod, main)) is not None:
        return found if main.running_since is None or not joined else None
    if pod.started:
        return None
    initial = (_trouble(pod, each) for each in pod.containers if each.initial)
    return next((each for each in initial if each is not None), None)


def failed_before(pod: Pod) -> Blocker | None:
    """Which init container ended a pod that starts no container again; None: none did."""
    initial = [each for each in pod.containers if each.initial and not each.sidecar]
    ends = [(each, each.terminated) for each in initial if each.terminated is not None]
    return next((_ended(pod, each, end) for each, end in ends if _counts(each, end)), None)


def _trouble(pod: Pod, container: Container) -> Blocker | None:
    where = _where(pod, container)
    reason, message = container.waiting or ("", "")
    if reason in IMAGE_REASONS:
        words = f"{where}: {reason}: {message}" if message else f"{where}: {reason}"
        return Blocker(Reason.IMAGE_PULL_FAILED, words, permanent=reason in PERMANENT_IMAGE_REASONS)
    end = next(iter(container.terminations), None)
    if reason in START_REASONS:
        # The kubelet creates a container anew for each try to start it, and so counts those that did not start.
        hopeless = end is not None and end.not_started and container.ends >= REPEATED
        return Blocker(Reason.CONTAINER_START_FAILED, f"{where}: {reason}: {message}", permanent=hopeless)
    return _ended(pod, container, end) if end is not None and _counts(container, end) else None


def _counts(container: Container, end: Termination) -> bool:
    """Whether an end is trouble of the container's own: an init container is meant to end well, any other to go on.
    What looks like an end from outside is one of a main container, and once: a process may take any exit code."""
    own = end.own_doing or container.initial or container.ends >= REPEATED
    return own and (end.exit_code != 0 or not container.initial or container.sidecar)


def _ended(pod: Pod, container: Container, end: Termination) -> Blocker:
    where = _where(pod, container)
    reason = Reason.INIT_CONTAINER_FAILED if container.initial else Reason.CONTAINER_START_FAILED
    if end.not_started:
        message = f"{where}: {end.reason}: {end.message}"
        reason = Reason.CONTAINER_START_FAILED
    elif end.out_of_memory:
        limit = "its memory limit" if container.initial else f"its memory limit; raise {_limit_of(pod)}"
        message = f"{where} was killed for exceeding {limit}"
        reason = reason if container.initial else OUT_OF_MEMORY.get(pod.component, reason)
    elif end.own_reason is not None and not container.initial:
        # Whatever was changed stays so: this attempt's objects are created once. A module fails as it did.
        words = end.words.removeprefix(": ")
        return Blocker(end.own_reason, f"{where}: {words}", permanent=True)
    elif container.initial and container.name in FETCHING and end.fetch_failure is not None:
        reason, words = end.fetch_failure
        return Blocker(reason, f"{where}: {words}", permanent=reason in FINAL or container.ends >= REPEATED)
    else:
        how = f"keeps ending, the last time with {end.how}" if container.ends > 1 else f"ended with {end.how}"
        message = f"{where} {how}{end.words}" if container.initial else f"{where}: its container {how}{end.words}"
    return Blocker(reason, message, permanent=container.ends >= REPEATED)


def _limit_of(pod: Pod) -> str:
    return LIMITS.get(pod.component) or f"{path_of_group(pod.group)}.resources.limits.memory"


def _where(pod: Pod, container: Container) -> str:
    name = f"pod {pod.name} ({pod.component})"
    if not container.initial:
        return name
    return f"{name}, {container.kind} {container.name}"
