"""The handler of the request for other workers, beside those of dask-kubernetes."""

from __future__ import annotations

from typing import Any

import kopf
import pytest

from daskjob.dask_controller.behaviour import WATCHED
from daskjob.dask_controller.replacement import HANDLER, REPLACE_ANNOTATION, replace_when_asked

FIELD = ("metadata", "annotations", REPLACE_ANNOTATION)


class Dask:
    """dask-kubernetes' module, as far as it is called here."""

    __name__ = "controller"

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    async def daskworkergroup_replica_update(self, **arguments: Any) -> None:
        self.calls.append(arguments)


@pytest.fixture
def dask() -> Dask:
    return Dask()


@pytest.fixture
def registry(dask: Dask) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()
    replace_when_asked(dask, registry)
    return registry


@pytest.fixture
def handler(registry: kopf.OperatorRegistry) -> Any:
    [handler] = registry._changing.get_all_handlers()
    return handler


async def test_it_counts_the_workers_as_after_a_change_of_their_number(dask: Dask, handler: Any) -> None:
    group = {"name": "a-default", "namespace": "n", "body": {}, "old": None}
    await handler.fn(spec={"cluster": "a", "worker": {"replicas": 3}}, new="2026-03-01T12:00:00Z", **group)
    assert dask.calls == [{"spec": {"cluster": "a", "worker": {"replicas": 3}}, "new": 3, **group}]


def test_what_kopf_remembers_of_a_group_has_the_request(registry: kopf.OperatorRegistry) -> None:
    """Or a change of it alone would be no change."""
    from kopf._cogs.structs.references import Resource

    fields = {
        plural: set(registry._changing.get_extra_fields(Resource("kubernetes.dask.org", "v1", plural, singular=name)))
        for plural, name in zip(WATCHED, ("daskcluster", "daskworkergroup"), strict=True)
    }
    assert fields == {"daskclusters": set(), "daskworkergroups": {FIELD}}


@pytest.mark.parametrize(("reason", "called"), [("update", True), ("create", False), ("resume", False)])
def test_a_group_that_is_new_is_left_to_the_handler_of_its_creation(handler: Any, reason: str, called: bool) -> None:
    """Which counts its workers: after a restart of the process, too."""
    assert handler.when(reason=kopf.Reason(reason)) is called


def test_a_dask_kubernetes_that_cannot_be_asked() -> None:
    empty = type("Empty", (), {})
    with pytest.raises(RuntimeError, match=f"has no {HANDLER}: install the dask-kubernetes of pyproject"):
        replace_when_asked(empty, kopf.OperatorRegistry())


def test_the_real_one_can() -> None:
    from dask_kubernetes.operator.controller import controller

    replace_when_asked(controller, kopf.OperatorRegistry())
