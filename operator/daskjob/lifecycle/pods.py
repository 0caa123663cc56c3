"""A pod as the rules use it, read from the API server's JSON."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from daskjob.api.cluster_spec import DEFAULT_GROUP
from daskjob.api.constants import ATTEMPT_LABEL, COMPONENT_LABEL, DASK_API_VERSION, DASK_COMPONENT_LABEL, Reason
from daskjob.api.runner_report import RunnerReport, read_termination_message
from daskjob.api.times import from_text
from daskjob.wire import FETCH_REASONS

#: Characters of a container's last words that a message has room for.
MOST_WORDS = 800
#: The least number of seconds that Kubernetes takes for how long a pod may run.
LEAST_DEADLINE = 1
#: What the kubelet calls the end of a container whose command it could not start.
NOT_STARTED = frozenset({"StartError", "ContainerCannotRun"})
#: Why a pod is not on a node, as its condition `PodScheduled` says: no node fits, or somebody still has to open a gate.
NOT_PLACED = frozenset({"Unschedulable", "SchedulingGated"})
#: Fields of which most pods have one of these values: who places them, and how they find names, those of Services among
#: them. Only others are kept and read.
USUAL = {"schedulerName": ("default-scheduler",), "dnsPolicy": ("ClusterFirst", "ClusterFirstWithHostNet")}
#: Exit codes of a process that SIGKILL or SIGTERM ended: somebody else ended it, if not its memory limit. But a process
#: may choose them, and user code may kill it.
FROM_OUTSIDE = frozenset({128 + 9, 128 + 15})
#: What a process may say at its start that holds for each further start of it.
FINAL_REASONS = (Reason.FILES_CHANGED, Reason.PRELOAD_FAILED, Reason.DASK_CUDA_MISSING, Reason.WRONG_GPU_COUNT)
#: What kubelet and container runtime call the end of a container that they lost, as in a restart of its node.
LOST = frozenset({"ContainerStatusUnknown", "Unknown"})
#: What the kubelet calls the end of a pod for what its own spec asks for, or for what its own containers use.
OWN_ENDS = frozenset(
    {
        "AppArmor",
        "DeadlineExceeded",
        "Evicted",
        "InitContainerRestartPolicyForbidden",
        "PodFeatureUnsupported",
        "PodLevelResourcesNotSupported",
        "PodOSNotSupported",
        "PodOSSelectorNodeLabelDoesNotMatch",
        "SupplementalGroupsPolicyNotSupported",
        "SysctlForbidden",
    }
)


@dataclass(frozen=True)
class Termination:
    exit_code: int
    reason: str
    message: str
    signal: int | None = None
    started: datetime | None = None
    finished: datetime | None = None

    @property
    def out_of_memory(self) -> bool:
        """Whether it exceeded its memory limit."""
        return self.reason == "OOMKilled"

    @property
    def not_started(self) -> bool:
        """Whether its command could not be started; the message is the kubelet's then."""
        return self.reason in NOT_STARTED

    @property
    def own_doing(self) -> bool:
        """Whether the process ended by itself, and not because somebody or something else ended it."""
        return self.out_of_memory or not (self.exit_code in FROM_OUTSIDE or self.lost)

    @property
    def lost(self) -> bool:
        """Whether its node lost it: nothing that runs in a pod makes kubelet or runtime say so."""
        return self.reason in LOST

    @property
    def how(self) -> str:
        """`exit code 139 (SIGSEGV)`."""
        number = self.signal or (self.exit_code - 128 if self.exit_code > 128 else 0)
        name = next((each.name for each in signal.Signals if each == number), "")
        plain = self.reason in ("", "Error")
        return f"exit code {self.exit_code} ({name if name and plain else self.reason or 'no reason given'})"

    @property
    def words(self) -> str:
        """`: ` and its last words; empty if it left none."""
        failure = self.report.failure if self.report is not None else None
        text = ((failure.message if failure is not None else None) or self.message).strip()
        if len(text) > MOST_WORDS:
            # From the beginning of a line, if one begins there.
            _, _, lines = text[-MOST_WORDS:].partition("\n")
            text = lines.strip() or text[-MOST_WORDS:]
        return f": {text}" if text else ""

    @property
    def own_reason(self) -> Reason | None:
        """What its process says at its start that is final: what it mounts is not what its pod's spec has digests of,
        a preload failed, its image lacks dask-cuda, or its pod has more or fewer GPUs than processes. Anything that
        runs in a container may say so."""
        failure = self.report.failure if self.report is not None else None
        return next((each for each in FINAL_REASONS if failure is not None and failure.reason == each), None)

    @property
    def fetch_failure(self) -> tuple[Reason, str] | None:
        """Why the code could not be fetched, as the container that fetches it says; None: it says nothing of it."""
        failure = self.report.failure if self.report is not None else None
        if failure is None or failure.reason not in FETCH_REASONS:
            return None
        return Reason(failure.reason), failure.message or failure.reason

    @property
    def report(self) -> RunnerReport | None:
        """The outcome that a runner wrote into its termination message; None if it wrote none."""
        return read_termination_message(self.message)


@dataclass(frozen=True)
class Container:
    name: str
    #: Whether it is an init container: the next one starts when it has ended well or, if it is a sidecar, has started.
    initial: bool = False
    #: Whether it is one of Kubernetes' own sidecars: an init container that goes on beside the others.
    sidecar: bool = False
    ready: bool = False
    restarts: int = 0
    running_since: datetime | None = None
    #: Why it does not run yet: reason and message of the kubelet.
    waiting: tuple[str, str] | None = None
    terminated: Termination | None = None
    #: How it ended before its last restart.
    last_terminated: Termination | None = None

    @property
    def kind(self) -> str:
        """What a message calls it."""
        return "sidecar" if self.sidecar else "init container" if self.initial else "container"

    @property
    def terminations(self) -> tuple[Termination, ...]:
        return tuple(each for each in (self.terminated, self.last_terminated) if each is not None)

    @property
    def ends(self) -> int:
        """How often it has ended."""
        return self.restarts + (1 if self.running_since is None and self.terminations else 0)


@dataclass(frozen=True)
class Pod:
    name: str
    uid: str
    component: str
    attempt: int
    phase: str
    #: Of a worker: the key of its group.
    group: str = DEFAULT_GROUP
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
    #: The scheduler of Kubernetes that is to place it, if that is not the usual one; else empty.
    scheduler: str = ""
    #: How it finds names, if that is not the cluster's way, which knows Services; else empty.
    dns_policy: str = ""
    #: The node that it is on; empty: none yet.
    node: str = ""
    #: Whether its node has given it an address.
    has_address: bool = False
    #: The resource claims of the namespace that it names.
    claims: tuple[str, ...] = ()
    #: The init containers first, in the order in which they start.
    containers: tuple[Container, ...] = ()
    #: How long Kubernetes lets it run at most, in seconds; None: for any time.
    active_deadline: int | None = None
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
        """Whether it has ended: a runner's pod has as soon as the runner's own container has, which never starts again,
        whatever others go on beside it. So has the pod that finds a commit."""
        main = self.main if self.component in ("runner", "source") else None
        return self.all_ended or (main is not None and bool(main.terminated))

    @property
    def all_ended(self) -> bool:
        """Whether all its containers have ended for good."""
        return self.phase in ("Succeeded", "Failed")

    @property
    def outlived(self) -> bool:
        """Whether it has ended, and containers beside its main one run for as long as the pod may. (The kubelet itself
        ends Kubernetes' own sidecars, and takes a moment to give a pod its last phase.)"""
        others = any(each.running_since is not None for each in self.containers if not each.initial)
        return self.ended and not self.all_ended and others

    @property
    def goes_on(self) -> bool:
        """Whether it is outlived, and nobody has told the others to end (`actions.EndSidecars`)."""
        return self.outlived and not self.deleting and self.active_deadline != LEAST_DEADLINE

    @property
    def acting(self) -> bool:
        """Whether it has not ended and is not being deleted."""
        return not self.deleting and not self.ended

    @property
    def main(self) -> Container | None:
        """The container that the operator defines, which has the name of the component. Only this one decides whether
        a scheduler, worker or runner lives: a template or a webhook may put others before and beside it."""
        return next((each for each in self.containers if each.name == self.component and not each.initial), None)

    @property
    def running_since(self) -> datetime | None:
        return self.main.running_since if self.main is not None else None

    @property
    def begun(self) -> bool:
        """Whether Kubernetes has done its part: the main container has started, or waits for another one."""
        return self.started or self.awaited is not None

    @property
    def awaited(self) -> Container | None:
        """The container for which the main one waits: an init container that runs, or a sidecar that is not ready."""
        before = [each for each in self.containers if each.initial and not (each.sidecar and each.ready)]
        return None if self.started else next((each for each in before if each.running_since is not None), None)

    @property
    def there(self) -> bool:
        """Whether Kubernetes has done its part, and the pod is not gone since."""
        return self.acting and self.begun and not self.unreachable

    @property
    def own_end(self) -> str:
        """Why its node ended it, or did not take it, if the pod's own spec or use is the cause; empty: it is not. An
        eviction for want of room on the node is a disruption."""
        return f"{self.reason}: {self.message}" if self.reason in OWN_ENDS and not self.disrupted else ""

    @property
    def started(self) -> bool:
        """Whether its main container runs, or ran."""
        return self.main is not None and (self.main.running_since is not None or bool(self.main.terminations))

    @property
    def ready(self) -> bool:
        return not self.deleting and self.main is not None and self.main.ready

    @property
    def oom_killed(self) -> bool:
        """Whether its main container exceeded its memory limit."""
        return any(end.out_of_memory for end in self.terminations)

    @property
    def terminations(self) -> tuple[Termination, ...]:
        """How its main container ended, the last time first."""
        return self.main.terminations if self.main is not None else ()

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
    spec = body.get("spec") or {}
    first, beside = spec.get("initContainers") or (), spec.get("containers") or ()
    sidecars = [each["name"] for each in first if each.get("restartPolicy") == "Always"]
    kinds = ("initContainerStatuses", "containerStatuses")
    states = {each.get("name"): each for kind in kinds for each in status.get(kind) or ()}
    lasting = [*sidecars, *(each["name"] for each in beside)]
    ready = not spec.get("readinessGates") and all((states.get(name) or {}).get("ready") for name in lasting)
    containers = [
        replace(_read_container(states[name]), initial=index < len(first), sidecar=name in sidecars)
        for index, name in enumerate(each["name"] for each in (*first, *beside))
        if name in states
    ]
    unusual = {key: spec.get(key) for key, usual in USUAL.items() if spec.get(key) not in usual}
    return Pod(
        name=metadata["name"],
        uid=metadata["uid"],
        component=labels.get(COMPONENT_LABEL) or labels.get(DASK_COMPONENT_LABEL) or "",
        attempt=read_attempt(labels),
        phase=status.get("phase") or "Pending",
        created=from_text(metadata.get("creationTimestamp")),
        deleting=bool(metadata.get("deletionTimestamp")),
        deletion_deadline=from_text(metadata.get("deletionTimestamp")),
        unschedulable=scheduled.get("message", "") if scheduled.get("reason") in NOT_PLACED else None,
        unreachable=bool(lasting) and ready and (conditions.get("Ready") or {}).get("status") in ("False", "Unknown"),
        disrupted=(conditions.get("DisruptionTarget") or {}).get("status") == "True",
        reason=status.get("reason") or "",
        message=status.get("message") or "",
        scheduler=unusual.get("schedulerName") or "",
        dns_policy=unusual.get("dnsPolicy") or "",
        node=spec.get("nodeName") or "",
        has_address=bool(status.get("podIP")),
        claims=tuple(
            each["resourceClaimName"] for each in spec.get("resourceClaims") or () if each.get("resourceClaimName")
        ),
        containers=tuple(containers),
        active_deadline=spec.get("activeDeadlineSeconds"),
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
        started=from_text(state.get("startedAt")),
        finished=from_text(state.get("finishedAt")),
    )
