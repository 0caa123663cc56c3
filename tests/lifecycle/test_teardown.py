"""What the operator removes of an attempt that has ended, and in which order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from daskjob.api.constants import ConditionType
from daskjob.lifecycle.job.actions import Action, Delete, DeleteAll, EndSidecars
from daskjob.lifecycle.job.observation import Observation, Owned
from daskjob.lifecycle.job.teardown import is_clean, is_over
from daskjob.lifecycle.pods import Container, Pod, Termination

from .builders import a_job, a_pod, ago, ended, running


def test_a_worker_group_goes_whether_it_got_its_owner_or_not() -> None:
    """dask-kubernetes makes a group first, and gives it its owner after; a cluster can end in between."""
    left = a_job().started().finished().runner(ended("runner")).sees(cluster=None, schedulers=(), workers=())
    (action,) = left.group(1).decide().actions
    assert isinstance(action, Delete)
    assert (action.target.kind, action.target.uid) == ("DaskWorkerGroup", "uid-group")


def test_a_finalizer_of_somebody_on_a_worker_group_holds_up_nobody() -> None:
    left = a_job().started().finished().runner(ended("runner")).sees(cluster=None, schedulers=(), workers=())
    assert not is_clean(left.group(1).observe())
    going = left.group(1, deleting=True)
    assert is_clean(going.observe())
    assert going.decide().actions == ()
    earlier = Owned("DaskWorkerGroup", "sum-1-default", "uid-earlier", 0)
    assert not is_clean(going.sees(stale_objects=(earlier,)).observe())
    assert is_clean(going.sees(stale_objects=(replace(earlier, deleting=True),)).observe())


@pytest.mark.parametrize("component", ["scheduler", "worker"])
def test_one_on_a_pod_that_has_ended_holds_up_no_attempt_and_a_job_for_a_minute(component: str) -> None:
    def left(phase: str, seconds: int) -> Observation:
        pod = a_pod(component, phase=phase, deleting=True, deletion_deadline=ago(seconds))
        scene = a_job().started().finished(seconds_ago=seconds).runner(ended("runner")).sees(cluster=None, groups={})
        return scene.sees(**{"schedulers": (), "workers": (), f"{component}s": (pod,)}).observe()

    assert (is_over(left("Failed", 1)), is_clean(left("Failed", 1))) == (True, False)
    assert is_clean(left("Failed", 61))
    assert (is_over(left("Running", 1)), is_clean(left("Running", 61))) == (False, False)


def test_a_cluster_goes_in_an_order_in_which_nothing_comes_back() -> None:
    scheduler = running("scheduler", of_cluster=True)
    workers = [running("worker", each, of_cluster=True) for each in (1, 2)]
    scene = a_job().started().finished().runner(ended("runner")).cluster().group(2)
    scene = scene.sees(schedulers=(scheduler,), workers=tuple(workers))
    actions = scene.decide().actions
    assert [(type(each), kind(each)) for each in actions] == [
        (DeleteAll, "Pod"),
        (Delete, "DaskWorkerGroup"),
        (Delete, "DaskCluster"),
    ]
    of_pods = actions[0]
    assert isinstance(of_pods, DeleteAll)
    assert [each.uid for each in of_pods.targets] == ["uid-scheduler-0", "uid-worker-1", "uid-worker-2"]
    assert of_pods.cluster == scene.status.current.name
    going = scene.sees(schedulers=(replace(scheduler, deleting=True),), workers=(), groups={}, cluster=None)
    assert going.decide().actions == (), "what is going is not deleted again"


def test_beside_a_pod_of_nobody_each_is_deleted_by_its_uid() -> None:
    """The labels of the cluster would find that pod, too."""
    workers = [running("worker", each, of_cluster=True) for each in (1, 2)]
    scene = a_job().started().finished().runner(ended("runner")).cluster().sees(workers=tuple(workers))
    assert DeleteAll in {type(each) for each in scene.sees(schedulers=()).decide().actions}
    beside = scene.sees(schedulers=(running("scheduler"),)).decide().actions
    assert {type(each) for each in beside} == {Delete}


def kind(action: Action) -> str:
    assert isinstance(action, Delete | DeleteAll)
    return action.target.kind if isinstance(action, Delete) else action.kind


def test_a_pod_of_nobody_is_left_to_its_owner() -> None:
    """A pod that the Dask controller did not make."""
    scene = a_job().started().finished().runner(ended("runner")).sees(cluster=None, schedulers=(running("scheduler"),))
    assert scene.decide().actions == ()


MESH = Container("mesh", ready=True, running_since=ago(50))


def with_mesh(**fields: Any) -> Pod:
    """A runner that has ended beside a sidecar that goes on."""
    own = Container("runner", terminated=Termination(0, "Completed", ""))
    return a_pod("runner", phase="Running", containers=(MESH, own), **fields)


def test_a_sidecar_that_outlives_the_runner_is_ended_and_the_pod_stays() -> None:
    scene = a_job().started().finished(seconds_ago=1).sees(cluster=None, schedulers=(), workers=()).live()
    assert scene.runner(with_mesh()).decide().actions == (EndSidecars("sum-3f2a9-1-runner", "uid-runner-0"),)
    assert not scene.runner(with_mesh()).decide().status.is_true(ConditionType.CLEANED_UP), "it is asked for first"
    asked = scene.runner(with_mesh(active_deadline=1)).decide()
    assert (asked.actions, asked.status.is_true(ConditionType.CLEANED_UP)) == ((), True)


def test_the_next_attempt_waits_until_the_sidecar_has_ended() -> None:
    scene = a_job().started().retrying(due_in=-1).gone().live()
    assert [type(each) for each in scene.runner(with_mesh()).decide().actions] == [EndSidecars]
    for pod in (with_mesh(), with_mesh(active_deadline=1)):
        assert scene.runner(pod).decide().status.attempt == 1
    assert scene.runner(replace(with_mesh(active_deadline=1), phase="Failed")).decide().status.attempt == 2


def test_a_pod_without_a_last_phase_is_waited_for() -> None:
    """The kubelet says a moment earlier that the container has ended."""
    done = Container("runner", terminated=Termination(0, "Completed", ""))
    pod = a_pod("runner", phase="Running", containers=(done,))
    scene = a_job().started().finished(seconds_ago=1).sees(cluster=None, schedulers=(), workers=()).live()
    assert not scene.runner(pod).decide().status.is_true(ConditionType.CLEANED_UP)
    assert scene.runner(pod).decide().actions == ()
    assert a_job().started().retrying(due_in=-1).gone().live().runner(pod).decide().status.attempt == 1


def test_a_finalizer_on_a_runner_that_has_ended_does_not_hold_up_its_job() -> None:
    done = Container("runner", terminated=Termination(0, "Completed", ""))
    pod = a_pod("runner", phase="Running", containers=(done,), deleting=True)
    scene = a_job().started().finished(seconds_ago=1).sees(cluster=None, schedulers=(), workers=()).live()
    assert scene.runner(pod).decide().status.is_true(ConditionType.CLEANED_UP)


def test_a_job_that_is_deleted_takes_the_sidecar_with_it() -> None:
    scene = a_job().started().that_is(deleting=True).runner(with_mesh())
    targets = [each.target.name for each in scene.decide().actions if isinstance(each, Delete)]
    assert "sum-3f2a9-1-runner" in targets
