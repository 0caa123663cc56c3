"""Which pods are silent, and what Kubernetes' events say about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from daskjob.api.constants import FailureClass, Reason
from daskjob.lifecycle.job.blockers import find_blocker
from daskjob.lifecycle.job.silence import explanation, next_question, next_silence, read_warning, silent_pods
from daskjob.lifecycle.pods import Container, Pod, Termination

from .builders import NOW, a_job, a_pod, ago, running, waiting

CREATING = Container("runner", waiting=("ContainerCreating", ""))
INIT, ENDED = Container("init", initial=True), Termination(0, "Completed", "")
MESH = Container("mesh", initial=True, sidecar=True, running_since=ago(9))
PODS = {
    "no word about its container": (a_pod("runner"), True),
    "its container is being created": (a_pod("runner", containers=(CREATING,)), True),
    "young": (a_pod("runner", created=ago(4)), False),
    "of unknown age": (a_pod("runner", created=None), False),
    "unschedulable says why": (a_pod("runner", unschedulable="0/3 nodes"), False),
    "an image says why": (waiting("runner", "ErrImagePull", "no such image"), False),
    "runs": (running("runner"), False),
    "is going": (a_pod("runner", deleting=True), False),
    "an init container runs": (a_pod("runner", containers=(replace(INIT, running_since=ago(9)), CREATING)), False),
    "an init container waits": (
        a_pod("runner", containers=(replace(INIT, waiting=("PodInitializing", "")), CREATING)),
        True,
    ),
    "an init container has ended": (a_pod("runner", containers=(replace(INIT, terminated=ENDED), CREATING)), False),
    "a native sidecar is not ready": (a_pod("runner", containers=(MESH, CREATING)), True),
    "a native sidecar is ready": (a_pod("runner", containers=(replace(MESH, ready=True), CREATING)), False),
}


@pytest.mark.parametrize(("pod", "silent"), PODS.values(), ids=PODS)
def test_who_is_silent(pod: Pod, silent: bool) -> None:
    observation = a_job().accepted().cluster().runner(pod).observe()
    assert silent_pods(observation) == ([pod.name] if silent else [])


def test_the_first_three_are_asked_about() -> None:
    pods = tuple(a_pod("worker", number) for number in range(1, 6))
    observation = a_job().accepted().cluster().schedulers(a_pod("scheduler")).workers(*pods).observe()
    assert len(silent_pods(observation)) == 3
    assert silent_pods(observation)[0].endswith("-scheduler")


@pytest.mark.parametrize(("since", "pause"), [(0, 5), (5, 5), (10, 10), (300, 300)])
def test_the_longer_a_pod_is_silent_the_seldomer_it_is_asked_about(since: int, pause: int) -> None:
    assert next_question(ago(since), NOW) == NOW + timedelta(seconds=pause)


@pytest.mark.parametrize(("age", "due"), [(0, 5), (4, 5), (5, 10), (9, 10), (10, 20), (79, 80), (80, 160)])
def test_a_pass_looks_at_a_silent_pod_when_its_age_has_doubled(age: int, due: int) -> None:
    quiet = a_pod("worker", created=ago(age))
    scene = a_job().started().workers(running("worker", 1), quiet)
    assert next_silence(scene.observe()) == NOW + timedelta(seconds=due - age)
    assert (scene.decide().requeue_after or timedelta.max) <= timedelta(seconds=due - age), "also while the graph runs"
    assert next_silence(a_job().started().observe()) is None


def event(reason: str, at: str, field: str = "lastTimestamp") -> dict[str, Any]:
    return {"reason": reason, "message": f"at {at}", field: at}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], None),
        ([event("BackOff", "1")], None),
        ([event("FailedMount", "1")], "pod p: FailedMount: at 1"),
        (
            [event("FailedMount", "1"), event("FailedAttachVolume", "2"), event("BackOff", "3")],
            "pod p: FailedAttachVolume: at 2",
        ),
        ([event("FailedMount", "2", "eventTime"), event("FailedMount", "1")], "pod p: FailedMount: at 2"),
        ([{"reason": None}], None),
    ],
)
def test_the_last_failure_explains(events: list[dict[str, Any]], expected: str | None) -> None:
    assert explanation("p", events) == expected


RPC = "Failed to create pod sandbox: rpc error: code = Unknown desc ="
#: What kubelet and container runtimes say of sandboxes that they cannot create; whether the pod's spec is the cause.
SANDBOXES = {
    "containerd's runtime class": (f'{RPC} failed to get sandbox runtime: no runtime for "gvisor" is configured', True),
    "CRI-O's": (f"{RPC} failed to find runtime handler gvisor from runtime list map", True),
    "cri-dockerd's": (f'{RPC} RuntimeHandler "sysbox-runc" not supported', True),
    "a runtime class that is gone": (
        'Failed to create pod sandbox: failed to get RuntimeClass "x": runtimeclass.node.k8s.io "x" not found',
        True,
    ),
    "user namespaces": (
        "Failed to create pod sandbox: can't set `spec.hostUsers: false`, runtime does not support user namespaces",
        True,
    ),
    "a kernel setting": (
        f"{RPC} failed to start sandbox: runc create failed: open /proc/sys/net/ipv4/odd: no such file or directory",
        True,
    ),
    "a seccomp profile": (
        f'{RPC} failed to load seccomp profile "/var/lib/kubelet/seccomp/x.json": no such file',
        True,
    ),
    "an AppArmor profile": (f"{RPC} apparmor profile not found k8s-x", True),
    "a name": (
        "Failed to create pod sandbox: failed to construct FQDN from pod hostname and cluster domain, FQDN a.b.svc is "
        "too long (64 characters is the max, 70 characters requested)",
        True,
    ),
    "a network that is not there": (f"{RPC} plugin multus: cannot find a network-attachment-definition (x)", True),
    "too little memory": (f"{RPC} runc create failed: container init was OOM-killed (memory limit too low?)", True),
    "too little memory, by an older runc": (f"{RPC} read init-p: connection reset by peer: unknown", True),
    "no address": (
        f'{RPC} failed to setup network for sandbox: plugin type="bridge": no IP addresses available',
        False,
    ),
    "a network plugin that is down": (f"{RPC} plugin calico: Get https://10.0.0.1: connect: connection refused", False),
    "no runtime": (f"{RPC} connection error: dial unix /run/containerd/containerd.sock: connection refused", False),
    "an image of the sandbox": (f'{RPC} failed to get sandbox image "pause:3.10": failed to pull', False),
    "no room": (f"{RPC} failed to reserve sandbox name: write meta.db: no space left on device", False),
    "a deadline": ("Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = context deadline", False),
    "a pod with an odd name": (f'{RPC} network for pod "sysctl-seccomp profile-OOM-killed": timeout', False),
}


@pytest.mark.parametrize(("words", "asked_for"), SANDBOXES.values(), ids=SANDBOXES)
def test_a_sandbox_that_the_template_makes_impossible_is_no_fault_of_the_infrastructure(
    words: str, asked_for: bool
) -> None:
    warning = f"pod sysctl-seccomp profile-OOM-killed: FailedCreatePodSandBox: {words}"
    blocker = read_warning(warning)
    assert blocker.message == warning
    assert not blocker.permanent, "another node may be able to"
    expected = (
        (Reason.CONTAINER_START_FAILED, FailureClass.APPLICATION)
        if asked_for
        else (Reason.KUBERNETES_FAILED, FailureClass.INFRASTRUCTURE)
    )
    assert (blocker.reason, blocker.failure_class) == expected


@pytest.mark.parametrize(
    ("changes", "told"),
    [({}, True), ({"created": ago(4)}, False), ({"node": "n"}, False), ({"claims": ()}, False)],
    ids=["for a minute", "just created", "it has a node", "without claims"],
)
def test_a_pod_that_waits_for_a_claim_that_there_is_not(changes: dict[str, Any], told: bool) -> None:
    """Kubernetes' scheduler says nothing of it."""
    pod = a_pod("worker", **{"claims": ("mine",), **changes})
    problem = find_blocker(a_job().accepted().cluster().workers(pod).observe())
    assert (problem is not None) == told
    if problem is not None:
        assert problem.reason == Reason.UNSCHEDULABLE
        words = "waits for its resource claims: mine. See whether they exist (kubectl get resourceclaims)"
        assert problem.message.endswith(words)
