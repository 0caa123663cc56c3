"""A pod as the rules use it, read from the API server's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daskjob.api.constants import ATTEMPT_LABEL, COMPONENT_LABEL, DASK_API_VERSION, DASK_COMPONENT_LABEL
from daskjob.api.runner_report import RunnerReport, read_termination_message
from daskjob.api.times import from_text


@dataclass(frozen=True)
class Termination:
    exit_code: int
    reason: str
    message: str
    signal: int | None = None
    finished: datetime | None = None

    @property
    def report(self) -> RunnerReport | None:
        """The outcome that a runner wrote into its termination message; None if it wrote none."""
        return read_termination_message(self.message)


@dataclass(frozen=True)
class Container:
    name: str
    ready: bool = False
    restarts: int = 0
    running_since: datetime | None = None
    #: Why it does not run yet: reason and message of the kubelet.
    waiting: tuple[str, str] | None = None
    terminated: Termination | None = None
    #: How it ended before its last restart.
    last_terminated: Termination | None = None

    @property
    def terminations(self) -> tuple[Termination, ...]:
        return tuple(each for each in (self.terminated, self.last_terminated) if each is not None)


@dataclass(frozen=True)
class Pod:
    name: str
    uid: str
    component: str
    attempt: int
    phase: str
    created: datetime | None = None
    deleting: bool = False
    #: If the pod is being deleted: when it must be gone, grace period included (`metadata.deletionTimestamp`).
    deletion_deadline: datetime | None = None
    #: Why it is not on a node: the message of the Kubernetes scheduler.
    unschedulable: str | None = None
    #: The node does not answer: the pod's `Ready` condition is not True although the last report of the kubelet had all
    #: containers ready.
    unreachable: bool = False
    #: Kubernetes evicted, preempted or drained the pod: it did not end by itself.
    disrupted: bool = False
    reason: str = ""
    message: str = ""
    #: Whether its node has given it an address.
    has_address: bool = False
    containers: tuple[Container, ...] = ()
    #: Whether the Dask controller created it: its controlling owner is a cluster or a worker group.
    of_cluster: bool = False
    #: Where a person finds what it printed; empty: `kubectl logs` of the pod.
    log_place: str = ""

    @property
    def logs(self) -> str:
        """Where a person finds what it printed."""
        return self.log_place or f"kubectl logs {self.name}"

    @property
    def ended(self) -> bool:
        return self.phase in ("Succeeded", "Failed")

    @property
    def acting(self) -> bool:
        """Whether it has not ended and is not being deleted."""
        return not self.deleting and not self.ended

    @property
    def main(self) -> Container | None:
        """The container that the operator defines: the first."""
        return self.containers[0] if self.containers else None

    @property
    def running_since(self) -> datetime | None:
        return self.main.running_since if self.main is not None else None

    @property
    def started(self) -> bool:
        """Whether its main container runs, or ran."""
        return self.main is not None and (self.main.running_since is not None or bool(self.main.terminations))

    @property
    def ready(self) -> bool:
        return not self.deleting and self.main is not None and self.main.ready

    @property
    def oom_killed(self) -> bool:
        return any(end.reason == "OOMKilled" for each in self.containers for end in each.terminations)

    @property
    def restarts(self) -> int:
        return self.main.restarts if self.main is not None else 0


def read_pod(body: Mapping[str, Any]) -> Pod:
    """Reads a pod from the API server's JSON."""
    metadata = body["metadata"]
    labels = metadata.get("labels") or {}
    status = body.get("status") or {}
    conditions = {each.get("type"): each for each in status.get("conditions") or ()}
    scheduled = conditions.get("PodScheduled") or {}
    names = [each["name"] for each in (body.get("spec") or {}).get("containers") or ()]
    states = {each.get("name"): each for each in status.get("containerStatuses") or ()}
    gates = (body.get("spec") or {}).get("readinessGates")
    ready = bool(states) and not gates and all(each.get("ready") for each in states.values())
    return Pod(
        name=metadata["name"],
        uid=metadata["uid"],
        component=labels.get(COMPONENT_LABEL) or labels.get(DASK_COMPONENT_LABEL) or "",
        attempt=read_attempt(labels),
        phase=status.get("phase") or "Pending",
        created=from_text(metadata.get("creationTimestamp")),
        deleting=bool(metadata.get("deletionTimestamp")),
        deletion_deadline=from_text(metadata.get("deletionTimestamp")),
        unschedulable=scheduled.get("message", "") if scheduled.get("reason") == "Unschedulable" else None,
        unreachable=ready and (conditions.get("Ready") or {}).get("status") in ("False", "Unknown"),
        disrupted=(conditions.get("DisruptionTarget") or {}).get("status") == "True",
        reason=status.get("reason") or "",
        message=status.get("message") or "",
        has_address=bool(status.get("podIP")),
        containers=tuple(_read_container(states[name]) for name in names if name in states),
        of_cluster=_is_of_cluster(metadata),
    )


def _is_of_cluster(metadata: Mapping[str, Any]) -> bool:
    owners = (each for each in metadata.get("ownerReferences") or () if each.get("controller"))
    owner: Mapping[str, Any] = next(owners, {})
    return owner.get("apiVersion") == DASK_API_VERSION and owner.get("kind") in ("DaskCluster", "DaskWorkerGroup")


def read_attempt(labels: Mapping[str, Any]) -> int:
    """The number of the attempt that an object belongs to; 0 if its label has none."""
    text = str(labels.get(ATTEMPT_LABEL, ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _read_container(status: Mapping[str, Any]) -> Container:
    state = status.get("state") or {}
    waiting = state.get("waiting")
    return Container(
        name=status["name"],
        ready=bool(status.get("ready")),
        restarts=status.get("restartCount") or 0,
        running_since=from_text((state.get("running") or {}).get("startedAt")),
        waiting=(waiting.get("reason") or "", waiting.get("message") or "") if waiting else None,
        terminated=_read_termination(state.get("terminated")),
        last_terminated=_read_termination((status.get("lastState") or {}).get("terminated")),
    )


def _read_termination(state: Mapping[str, Any] | None) -> Termination | None:
    if state is None:
        return None
    return Termination(
        exit_code=state.get("exitCode") or 0,
        reason=state.get("reason") or "",
        message=state.get("message") or "",
        signal=state.get("signal"),
        finished=from_text(state.get("finishedAt")),
    )
