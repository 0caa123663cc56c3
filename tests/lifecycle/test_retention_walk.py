"""A job whose results go with it, on the model, from its deletion to its end, whatever befalls a request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from daskjob.api import constants as c
from daskjob.api.resource_json import to_dict
from daskjob.kube.client import Body
from daskjob.lifecycle.job.queueing import RunLimits

from .builders import a_job
from .operators import Operator
from .world import World, labels_of

KEY = ("team", "sum")
SPEC = {
    "graph": {"entrypoint": "m:f"},
    "result": {"store": {"url": "s3://results"}, "retention": "DeleteWithJob"},
    "ttlSecondsAfterFinished": None,
}
#: So many requests the removal takes at most, with one that fails.
REQUESTS = 16


class Walk:
    """The world with one operator, and a deleted job that ended before."""

    def __init__(self, loop: asyncio.Runner, **metadata: Any) -> None:
        self.world = World(0)
        self.operator = Operator(self.world, loop, RunLimits())
        self.created: set[str] = set()
        finished = a_job().with_spec(**SPEC).accepted().finished().gone()
        self.world.server.create("DaskJob", {"metadata": {"name": "sum"}, "spec": SPEC}, self.world.text())
        job = self.world.server.update("DaskJob", "sum", status=to_dict(finished.status))
        whole = {**job["metadata"], "deletionTimestamp": self.world.text(), "finalizers": [c.RESULTS_FINALIZER]}
        self.world.server.update("DaskJob", "sum", metadata={**whole, **metadata})
        self.operator.deliver_all()

    @property
    def job(self) -> Body | None:
        return self.world.server.find("DaskJob", "sum")

    @property
    def pods(self) -> list[Body]:
        return [each for each in self.world.all("Pod") if labels_of(each).get(c.COMPONENT_LABEL) == "remove"]

    def step(self, *plan: str, exit_code: int = 0) -> None:
        """One pass; then the kubelet does what there is to do."""
        self.operator.look(KEY, plan)
        for pod in self.pods:
            self.created.add(pod["metadata"]["name"])
            if "deletionTimestamp" not in pod["metadata"] and not pod.get("status", {}).get("containerStatuses"):
                self.world.start(pod)
                self.world.end(self.world.server.objects["Pod", pod["metadata"]["name"]], exit_code, "Completed")
        self.world.remove_pods()
        self.operator.deliver_all()

    def go_on(self, exit_code: int = 0) -> None:
        for _ in range(20):
            if self.job is None:
                break
            self.step(exit_code=exit_code)
        assert self.job is None
        # The pods have no owner: the operator removes them.
        assert self.pods == []


@pytest.fixture
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def test_one_pod_deletes_the_results_and_the_job_goes(loop: asyncio.Runner) -> None:
    walk = Walk(loop)
    walk.step()
    assert walk.job is not None
    (pod,) = walk.pods
    assert json.loads(pod["spec"]["containers"][0]["command"][-1])["folder"] == [*KEY, walk.job["metadata"]["uid"]]
    walk.go_on()
    assert len(walk.created) == 1


@pytest.mark.parametrize("fate", ["crash", "timeout", "transient", "conflict", "forbidden"])
def test_whatever_befalls_one_request_the_job_goes(loop: asyncio.Runner, fate: str) -> None:
    for after in range(REQUESTS):
        walk = Walk(loop)
        for _ in range(2):
            walk.step(*["ok"] * after, fate)
        walk.go_on()
        # An operator that begins anew between record and pod draws another name.
        assert 1 <= len(walk.created) <= 2, (fate, after)


def test_pods_that_fail_are_three_and_the_job_goes(loop: asyncio.Runner) -> None:
    walk = Walk(loop)
    walk.go_on(exit_code=1)
    assert sorted(name[-1] for name in walk.created) == ["1", "2", "3"]
    assert [each["reason"] for each in walk.world.server.all("Event")] == ["ResultsLeft"]


def test_finalizers_of_others_stay(loop: asyncio.Runner) -> None:
    walk = Walk(loop, finalizers=["a.example/b", c.RESULTS_FINALIZER])
    for _ in range(5):
        walk.step()
    assert walk.job is not None
    assert walk.job["metadata"]["finalizers"] == ["a.example/b"]
    assert walk.pods == []


def test_the_finalizer_comes_with_the_first_attempt(loop: asyncio.Runner) -> None:
    world = World(0)
    operator = Operator(world, loop, RunLimits())
    world.server.create("DaskJob", {"metadata": {"name": "new", "finalizers": ["a/b"]}, "spec": SPEC}, world.text())
    operator.deliver_all()
    operator.look(("team", "new"), ["ok"] * 6)
    job = world.server.find("DaskJob", "new")
    assert job is not None
    assert job["metadata"]["finalizers"] == ["a/b", c.RESULTS_FINALIZER]
    assert job["status"]["attempt"] == 1
