"""What the operator removes of an attempt that has ended, and in which order."""

from __future__ import annotations

from dataclasses import replace

from daskjob.lifecycle.job.actions import Action, Delete, DeleteAll
from daskjob.lifecycle.pods import ReplicaSet

from .builders import a_job, ended, running


def test_a_worker_group_goes_whether_it_got_its_owner_or_not() -> None:
    """dask-kubernetes makes a group first, and gives it its owner after; a cluster can end in between."""
    left = a_job().started().finished().runner(ended("runner")).sees(cluster=None, schedulers=(), workers=())
    (action,) = left.group(1).decide().actions
    assert isinstance(action, Delete)
    assert (action.target.kind, action.target.uid) == ("DaskWorkerGroup", "uid-group")


def test_a_cluster_goes_in_an_order_in_which_nothing_comes_back() -> None:
    sets = [ReplicaSet(f"set-{each}", f"uid-set-{each}") for each in range(2)]
    scheduler = replace(running("scheduler"), replica_set=sets[0])
    workers = [replace(running("worker"), name=f"worker-{each}", replica_set=sets[1]) for each in range(2)]
    scene = a_job().started().finished().runner(ended("runner")).cluster().group(2)
    scene = scene.deployments("w-0").sees(schedulers=(scheduler,), workers=tuple(workers))
    actions = scene.decide().actions
    assert [(type(each), kind(each)) for each in actions] == [
        (Delete, "Deployment"),
        (DeleteAll, "ReplicaSet"),
        (DeleteAll, "Pod"),
        (Delete, "DaskWorkerGroup"),
        (Delete, "DaskCluster"),
    ]
    _, of_sets, of_pods, *_ = actions
    assert isinstance(of_sets, DeleteAll)
    assert isinstance(of_pods, DeleteAll)
    assert [each.uid for each in of_sets.targets] == ["uid-set-0", "uid-set-1"]
    assert len(of_pods.targets) == 3
    assert of_sets.cluster == of_pods.cluster == scene.status.current.name
    going = scene.sees(
        schedulers=(replace(scheduler, deleting=True),), workers=(), deployments=(), groups={}, cluster=None
    )
    assert going.decide().actions == (), "what is going is not deleted again"


def test_beside_a_pod_of_nobody_each_is_deleted_by_its_uid() -> None:
    """The labels of the cluster would find that pod, too."""
    workers = [replace(running("worker"), name=f"w-{each}", replica_set=ReplicaSet(f"set-{each}", "")) for each in "ab"]
    scene = a_job().started().finished().runner(ended("runner")).cluster().sees(workers=tuple(workers))
    assert DeleteAll in {type(each) for each in scene.sees(schedulers=()).decide().actions}
    beside = scene.sees(schedulers=(running("scheduler"),)).decide().actions
    assert {type(each) for each in beside} == {Delete}


def kind(action: Action) -> str:
    assert isinstance(action, Delete | DeleteAll)
    return action.target.kind if isinstance(action, Delete) else action.kind


def test_a_pod_of_nobody_is_left_to_its_owner() -> None:
    """A pod that no ReplicaSet made goes with the cluster."""
    scene = a_job().started().finished().runner(ended("runner")).sees(cluster=None, schedulers=(running("scheduler"),))
    assert scene.decide().actions == ()
