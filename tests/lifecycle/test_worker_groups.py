"""Several worker groups: whose a pod is, their sizes, what they lack, and what the status says of them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from daskjob.api import constants as c
from daskjob.api.constants import Reason
from daskjob.api.live_status import GroupCounts
from daskjob.api.spec import parse_spec
from daskjob.api.tokens import follows_from
from daskjob.lifecycle.blocker import Blocker
from daskjob.lifecycle.job.actions import Delete, ReplaceWorkers, Scale
from daskjob.lifecycle.job.adaptive import scale
from daskjob.lifecycle.job.blockers import find_blocker
from daskjob.lifecycle.job.endings import find_end
from daskjob.lifecycle.job.lost_workers import replace_lost
from daskjob.lifecycle.job.observation import WorkerGroup
from daskjob.lifecycle.job.proof import Proof
from daskjob.lifecycle.job.queueing import RunLimits
from daskjob.lifecycle.job.retry import MISTAKES
from daskjob.lifecycle.job.spec_check import too_many_workers
from daskjob.lifecycle.job.teardown import remove_cluster
from daskjob.lifecycle.pods import Container, Pod, Termination

from .builders import ATTEMPT, NOW, Scene, a_job, ago, running
from .test_container_trouble import looping
from .test_proof import CLUSTER, GROUP, OF_CLUSTER, STATUS, TOKENS, body

GROUPS = [{"name": "gpu", "adaptive": {"maximum": 4}}, {"name": "big", "replicas": 2, "minWorkers": 1}]


def group(key: str, replicas: int) -> WorkerGroup:
    return WorkerGroup(f"{ATTEMPT}-{key}", f"uid-{key}", replicas, created=ago(60), key=key)


def of(key: str, *numbers: int):
    names = {number: f"{ATTEMPT}-{key}-worker-{number}" for number in numbers}
    return [replace(running("worker", number), name=name, uid=name, group=key) for number, name in names.items()]


def several(gpu: int = 1, big: int = 2, **workers: object) -> Scene:
    """A default worker, and so many of the groups `gpu` and `big` that run. `workers`: what the runner says of them."""
    scene = a_job().with_spec(cluster={"image": "i", "workerGroups": GROUPS}).started()
    pods = [*of("default", 1), *of("gpu", *range(gpu)), *of("big", *range(big))]
    groups = {"default": group("default", 1), "gpu": group("gpu", gpu), "big": group("big", 2)}
    scene = scene.sees(groups=groups).workers(*pods)
    return scene.says(workers=workers) if workers else scene


def test_the_groups_of_a_spec() -> None:
    cluster = parse_spec({"graph": {}, "cluster": {"workers": {"threads": 3}, "workerGroups": GROUPS}}).cluster
    assert {key: each.dask_resources for key, each in cluster.groups.items()} == {
        "default": {"default": 3},
        "gpu": {"gpu": 1},
        "big": {"big": 1},
    }
    assert (cluster.most_workers, cluster.least_workers) == (1 + 4 + 2, 1 + 0 + 1)
    given = parse_spec({"cluster": {"workerGroups": [{"name": "gpu", "daskResources": {"gpu": 7}}]}}).cluster
    assert given.groups["gpu"].dask_resources == {"gpu": 7}, "what the user says counts"
    assert parse_spec({"cluster": {"workers": {"threads": 3}}}).cluster.groups["default"].dask_resources == {}


PLEDGED = {
    **CLUSTER["metadata"]["annotations"],
    c.GROUPS_ANNOTATION: json.dumps({"gpu": follows_from(TOKENS.group("gpu"))}),
}
CLUSTER_OF_TWO = {**CLUSTER, "metadata": {**CLUSTER["metadata"], "annotations": PLEDGED}}
FURTHER = body("DaskWorkerGroup", "sum-2-gpu", "further", TOKENS.group("gpu"), OF_CLUSTER)
OF_FURTHER = ("DaskWorkerGroup", "sum-2-gpu", "further")


@pytest.mark.parametrize(
    ("part", "key"),
    [
        (FURTHER, "gpu"),
        (body("DaskWorkerGroup", "sum-2-gpu", "x", TOKENS.cluster, OF_CLUSTER), None),
        (body("DaskWorkerGroup", "sum-2-cpu", "x", TOKENS.group("gpu"), OF_CLUSTER), None),
        (body("DaskWorkerGroup", "sum-2-gpu", "x", TOKENS.group("gpu")), None),
        (body("DaskWorkerGroup", "sum-1-gpu", "x", owner=("DaskCluster", "sum-1", "cluster-1")), "gpu"),
        (body("Pod", "sum-2-gpu-worker-0", "x", owner=OF_FURTHER), "gpu"),
        (body("Pod", "sum-2-default-worker-0", "x", owner=OF_FURTHER), None),
        (body("Pod", "sum-1-gpu-worker-0", "x", owner=("DaskWorkerGroup", "sum-1-gpu", "gone")), "gpu"),
        (body("Pod", "x", "x", owner=("ReplicaSet", "r", "of-further")), "gpu"),
    ],
    ids=[
        "announced",
        "with the cluster's token",
        "with the token of another group",
        "without an owner",
        "whose cluster is gone",
        "its worker",
        "a worker of another group's name",
        "a worker whose group is gone",
        "a worker of a Deployment",
    ],
)
def test_a_group_is_one_that_its_cluster_announced(part: dict, key: str | None) -> None:
    proof = Proof(STATUS, [CLUSTER_OF_TWO, GROUP, FURTHER, part], {"of-further": "further"})
    assert {each.group for each in proof.objects if each.body is part} == ({key} if key is not None else set())


def test_only_its_own_group_is_scaled() -> None:
    said = [{"name": "gpu", "wanted": 3}, {"name": "default", "connected": 1}, {"name": "big"}]
    assert scale(several(groups=said).observe()) == [Scale(f"{ATTEMPT}-gpu", 3)]
    (retired, left) = scale(several(2, groups=[{"name": "gpu", "wanted": 1}], retired=[of("gpu", 1)[0].name]).observe())
    assert isinstance(retired, Delete)
    assert (retired.target.name, left) == (of("gpu", 1)[0].name, Scale(f"{ATTEMPT}-gpu", 1))
    assert scale(several(groups=[{"name": "big", "wanted": 9}]).observe()) == [], "its size is fixed"
    assert scale(several(wanted=9).observe()) == [], "a wish without a group is of no group's"


def test_a_group_may_go_down_to_none() -> None:
    pod = of("gpu", 0)[0].name
    actions = scale(several(groups=[{"name": "gpu", "wanted": 0}], retired=[pod]).observe())
    assert [type(each) for each in actions] == [Delete, Scale]
    assert actions[1] == Scale(f"{ATTEMPT}-gpu", 0)


def test_workers_of_one_group_stand_in_for_none_of_another() -> None:
    actions, _ = replace_lost(several(gpu=1, big=1).observe())
    assert actions == [ReplaceWorkers(f"{ATTEMPT}-big")]
    assert replace_lost(several().observe()) == ([], None)


def test_the_status_counts_by_group() -> None:
    status = several().decide().status
    assert status.cluster.groups == (
        GroupCounts("default", 1, 1),
        GroupCounts("gpu", 1, 1),
        GroupCounts("big", 2, 2),
    )
    assert (status.cluster.workers.wanted, status.cluster.summary.partition("/")[2]) == (4, "4")
    said = several(connected=2, groups=[{"name": "gpu", "connected": 0}]).decide().status.cluster
    assert (said.groups[1].ready, said.workers.ready, said.summary) == (0, 2, "2/4")
    assert a_job().started().decide().status.cluster.groups == ()


def test_a_group_that_cannot_start_keeps_the_job_from_it_only_if_the_job_needs_it() -> None:
    for key, permanent in (("gpu", False), ("big", True)):
        looped = [replace(looping("worker", number), name=f"{key}-{number}", group=key) for number in range(2)]
        scene = several().sees(now=NOW)
        others = [each for each in scene.observe().attempt.workers if each.group != key]
        report = scene.report(stage="Connected").workers(*others, *looped)
        blocker = find_blocker(report.observe())
        assert (blocker.reason, blocker.permanent) == (Reason.CONTAINER_START_FAILED, permanent)


WAITS = {"connected": 1, "groups": [{"name": "gpu", "wanted": 1, "connected": 0}]}


def without_cuda(number: int, restarts: int = 0, reason: str = "DaskCudaMissing") -> Pod:
    (pod,) = of("gpu", number)
    failure = {"reason": reason, "message": "no dask-cuda"}
    end = Termination(1, "Error", json.dumps({"protocol": 1, "outcome": "Failed", "failure": failure}))
    waiting = ("CrashLoopBackOff", "back-off")
    before = Container("worker", restarts=restarts, waiting=waiting, last_terminated=end)
    return replace(pod, containers=(before,))


def unplaced(number: int) -> Pod:
    return replace(of("gpu", number)[0], phase="Pending", node="", containers=(), unschedulable="0/1 nodes")


def bad_image(number: int) -> Pod:
    waiting = Container("worker", waiting=("InvalidImageName", "no such name"))
    return replace(of("gpu", number)[0], phase="Pending", containers=(waiting,))


@pytest.mark.parametrize(
    ("pods", "waits", "reason"),
    [
        ([without_cuda(0)], WAITS, Reason.DASK_CUDA_MISSING),
        ([without_cuda(0, 1), without_cuda(1)], WAITS, Reason.DASK_CUDA_MISSING),
        ([without_cuda(0, reason="WrongGpuCount")], WAITS, Reason.WRONG_GPU_COUNT),
        ([bad_image(0)], WAITS, Reason.IMAGE_PULL_FAILED),
        ([without_cuda(0)], {"groups": [{"name": "gpu", "wanted": 0, "connected": 0}]}, None),
        ([without_cuda(0)], {"groups": [{"name": "gpu", "wanted": 2, "connected": 1}]}, None),
        ([without_cuda(0)], {"connected": 1}, None),
        ([without_cuda(0), *of("gpu", 1)], WAITS, None),
        ([without_cuda(0), unplaced(1)], WAITS, None),
        ([unplaced(0)], WAITS, None),
        ([replace(looping("worker", 0), group="gpu")], WAITS, None),
        ([], WAITS, None),
    ],
    ids=[
        "an image without dask-cuda",
        "all its pods",
        "other GPUs than processes",
        "an image that is none",
        "nothing waits for it",
        "another worker is there",
        "the runner does not say",
        "one may yet start",
        "one waits for a node",
        "waiting may help",
        "it ends by what it does",
        "there are no pods yet",
    ],
)
def test_a_group_that_can_never_start_ends_the_graph_that_waits_for_it(
    pods: list[Pod], waits: dict, reason: Reason | None
) -> None:
    scene = several(gpu=len(pods)).workers(*of("default", 1), *of("big", 0, 1), *pods)
    found = find_end(scene.says(stage="Running", workers=waits).observe())
    assert (found[1].failure.reason if found else None) == reason
    if found:
        assert found[0] == "a permanent blocker of a group"
        assert reason in MISTAKES


def test_so_does_one_of_a_fixed_size_without_which_the_graph_starts() -> None:
    """`minWorkers: 0`: the runner says that tasks wait for it."""
    waits = [{"name": "big", "wanted": 1, "connected": 0}]
    pods = [replace(bad_image(number), group="big") for number in range(2)]
    scene = several(gpu=0).workers(*of("default", 1), *pods)
    found = find_end(scene.says(stage="Running", workers={"groups": waits}).observe())
    assert found is not None
    assert found[1].failure.reason == Reason.IMAGE_PULL_FAILED
    nobody = {"groups": [{"name": "big", "connected": 0}]}
    assert find_end(scene.says(stage="Running", workers=nobody).observe()) is None


def test_one_that_kubernetes_refuses_is_told_until_it_is_there() -> None:
    refusal = Blocker(Reason.QUOTA_EXCEEDED, 'daskworkergroups "a-default" is forbidden: exceeded quota: q')
    scene = a_job().accepted().cluster().schedulers(running("scheduler")).sees(group_refusal=refusal)
    problem = find_blocker(scene.observe())
    assert problem is not None
    assert (problem.reason, problem.message) == (Reason.QUOTA_EXCEEDED, f"workers: {refusal.message}")
    assert find_blocker(scene.group(1).workers(running("worker")).observe()) is None


def test_all_groups_go() -> None:
    targets = [each.target for each in remove_cluster(several().observe(), "why") if isinstance(each, Delete)]
    names = {each.name for each in targets if each.kind == "DaskWorkerGroup"}
    assert names == {f"{ATTEMPT}-default", f"{ATTEMPT}-gpu", f"{ATTEMPT}-big"}


def test_limits_count_all_groups_together() -> None:
    spec = several().observe().job.spec
    assert too_many_workers(spec, RunLimits(workers_per_job=7)) is None
    words = too_many_workers(spec, RunLimits(workers_per_job=6))
    assert words is not None
    assert words.startswith("spec.cluster.workerGroups: 7 workers, all groups together, are too many")
