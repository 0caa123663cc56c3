"""A worker group gets its owner when it is built, and nobody asks for what it says."""

from __future__ import annotations

import types
from typing import Any

import pytest

from daskjob.dask_controller import adoption

OWNER = {"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskCluster", "name": "sum-1", "uid": "uid-cluster"}


class Object:
    """As much of a kr8s object as the module and the handlers read."""

    def __init__(self, raw: dict[str, Any], namespace: str | None = None) -> None:
        self.metadata = types.SimpleNamespace(**raw["metadata"], get=raw["metadata"].get)
        self.spec = types.SimpleNamespace(**raw.get("spec", {}))
        self.labels = raw["metadata"].get("labels", {})
        self.namespace = namespace or raw["metadata"].get("namespace")
        self.adopted: list[Object] = []

    def __await__(self) -> Any:
        yield from ()
        return self


@pytest.fixture
def controller(monkeypatch: pytest.MonkeyPatch) -> Any:
    """dask-kubernetes' module after the change, with classes that send no request."""

    class DaskCluster(Object):
        async def adopt(self, child: Object) -> None:
            self.adopted.append(child)

    class DaskWorkerGroup(Object):
        async def cluster(self) -> Any:
            return "asked for"

    def build(name: str) -> dict[str, Any]:
        return {"metadata": {"name": f"{name}-default"}, "spec": {"cluster": name}}

    def adopt(body: dict[str, Any]) -> None:
        body["metadata"]["ownerReferences"] = [OWNER]

    objects = types.SimpleNamespace(DaskCluster=DaskCluster, DaskWorkerGroup=DaskWorkerGroup)
    module = types.SimpleNamespace(__name__="controller", **{adoption.BUILDER: build}, objects=objects)
    monkeypatch.setattr(adoption.importlib, "import_module", lambda _: objects)
    monkeypatch.setattr(adoption.kopf, "adopt", adopt)
    adoption.adopt_from_the_start(module, {"uid-cluster"})
    return module


async def test_a_group_that_is_built_has_its_cluster_for_owner(controller: Any) -> None:
    body = getattr(controller, adoption.BUILDER)("sum-1")
    body["metadata"]["labels"] = {"a": "b"}
    group = controller.objects.DaskWorkerGroup(body, namespace="team")
    cluster = await group.cluster()
    assert (cluster.metadata.name, cluster.metadata.uid, cluster.namespace) == ("sum-1", "uid-cluster", "team")
    assert cluster.labels == {"a": "b"}
    await cluster.adopt(group)
    assert cluster.adopted == [], "it has its owner"


@pytest.mark.parametrize(
    "owners", [[], [{**OWNER, "kind": "DaskJob"}], [{**OWNER, "name": "another"}]], ids=["none", "a job", "another"]
)
async def test_a_group_of_an_earlier_release_is_adopted_as_ever(controller: Any, owners: list[Any]) -> None:
    group = controller.objects.DaskWorkerGroup(
        {"metadata": {"name": "g", "ownerReferences": owners}, "spec": {"cluster": "sum-1"}}
    )
    assert await group.cluster() == "asked for"
    cluster = controller.objects.DaskCluster({"metadata": {"name": "sum-1", "uid": "uid-cluster"}})
    await cluster.adopt(group)
    assert cluster.adopted == [group]


async def test_a_group_of_an_earlier_cluster_of_that_name_gets_the_new_owner(controller: Any) -> None:
    group = controller.objects.DaskWorkerGroup(getattr(controller, adoption.BUILDER)("sum-1"))
    cluster = controller.objects.DaskCluster({"metadata": {"name": "sum-1", "uid": "uid-later"}})
    await cluster.adopt(group)
    assert cluster.adopted == [group]


async def test_a_cluster_that_is_gone_is_asked_for(controller: Any) -> None:
    body = getattr(controller, adoption.BUILDER)("sum-1")
    body["metadata"]["ownerReferences"] = [{**OWNER, "uid": "uid-gone"}]
    assert await controller.objects.DaskWorkerGroup(body).cluster() == "asked for"


def test_another_dask_kubernetes_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="install the dask-kubernetes of pyproject"):
        adoption.adopt_from_the_start(types.SimpleNamespace(__name__="controller"), set())
