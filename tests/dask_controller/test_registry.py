"""Which handlers run, tried on what dask-kubernetes really registers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import kopf
import pytest

from daskjob.dask_controller import registry
from daskjob.dask_controller.registry import FAMILIES, KEPT, LEFT_OUT, UnexpectedRegistry, select


@pytest.fixture(scope="session")
def installed() -> kopf.OperatorRegistry:
    """kopf's default registry, filled by importing dask-kubernetes' controller as the launcher does."""
    import importlib

    from daskjob.dask_controller.__main__ import CONTROLLER

    importlib.import_module(CONTROLLER)
    return kopf.get_default_registry()


def copied(source: kopf.OperatorRegistry) -> kopf.OperatorRegistry:
    target = kopf.OperatorRegistry()
    for family in FAMILIES:
        for handler in getattr(source, family).get_all_handlers():
            getattr(target, family).append(handler)
    return target


@pytest.fixture
def source(installed: kopf.OperatorRegistry) -> kopf.OperatorRegistry:
    """A copy of it, to be changed."""
    return copied(installed)


def handlers(source: kopf.OperatorRegistry) -> Iterator[tuple[str, Any]]:
    for family in FAMILIES:
        for handler in getattr(source, family).get_all_handlers():
            yield family, handler


def names(source: kopf.OperatorRegistry) -> list[str]:
    return [str(handler.id).split("/")[0] for _, handler in handlers(source)]


def change(source: kopf.OperatorRegistry, name: str, **fields: Any) -> None:
    """Replaces fields of a handler; removes it if none is given."""
    for family, handler in handlers(source):
        if str(handler.id).split("/")[0] == name:
            inner = getattr(source, family)._handlers
            place = inner.index(handler)
            inner[place : place + 1] = [dataclasses.replace(handler, **fields)] if fields else []
            return
    raise AssertionError(f"no handler {name}")


def test_exactly_the_table_is_kept_in_their_order(source: kopf.OperatorRegistry) -> None:
    before = names(source)
    selection = select(source)
    assert names(selection.registry) == [name for name in before if name in KEPT]
    assert sorted(names(selection.registry)) == sorted(KEPT)
    assert names(source) == before, "the source is not changed"


def test_their_functions_are_kept_as_they_are(source: kopf.OperatorRegistry) -> None:
    from dask_kubernetes.operator.controller import controller

    for _, handler in handlers(select(source).registry):
        assert handler.fn is getattr(controller, str(handler.id).split("/")[0])


def test_nothing_kept_needs_a_finalizer_or_a_timer(source: kopf.OperatorRegistry) -> None:
    kept = select(source).registry
    assert not kept._spawning.get_all_handlers()
    assert not [handler.id for handler in kept._changing.get_all_handlers() if handler.requires_finalizer]


def test_only_their_own_resources_are_watched(source: kopf.OperatorRegistry) -> None:
    selectors = [handler.selector for _, handler in handlers(select(source).registry) if hasattr(handler, "selector")]
    assert {selector.group for selector in selectors} == {"kubernetes.dask.org"}
    assert {selector.any_name for selector in selectors} == {"daskcluster", "daskworkergroup"}


def test_everything_left_out_is_told(source: kopf.OperatorRegistry) -> None:
    selection = select(source)
    told = selection.kept + selection.left_out + selection.foreign
    assert sorted(entry.split(" ")[0] for entry in told) == sorted(names(source))
    assert sorted(entry.split(" ")[0] for entry in selection.left_out) == sorted(LEFT_OUT)
    assert "daskcluster_autoshutdown (spawning daskcluster)" in selection.left_out
    assert "daskcluster_create_components (changing daskcluster status.phase = Created)" in selection.kept


def test_a_new_groups_workers_are_made_by_its_create_handler_alone(source: kopf.OperatorRegistry) -> None:
    conditions = {
        str(handler.id).split("/")[0]: handler.when
        for _, handler in handlers(select(source).registry)
        if hasattr(handler, "when")
    }
    guard = conditions.pop("daskworkergroup_replica_update")
    assert guard(old=None, new={"spec": {}}, name="a") is False
    assert guard(old={}, new={"spec": {}}, name="a") is True
    assert set(conditions.values()) == {None}


@pytest.mark.parametrize("name", KEPT)
def test_a_missing_handler_is_an_error(source: kopf.OperatorRegistry, name: str) -> None:
    change(source, name)
    with pytest.raises(UnexpectedRegistry, match=rf"{name} \(.*\) is missing.*daskController\.enabled=false"):
        select(source)


def test_a_handler_that_is_not_known_is_an_error(source: kopf.OperatorRegistry) -> None:
    change(source, "daskcluster_autoshutdown", id="daskcluster_more")
    with pytest.raises(UnexpectedRegistry, match=r"daskcluster_more \(spawning daskcluster\) is not known"):
        select(source)


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("daskcluster_create_components", {"new": "Accepted"}, "not on 'changing daskcluster status.phase = Created'"),
        ("daskcluster_create_components", {"field": ("spec",)}, "runs on 'changing daskcluster spec = Created'"),
        ("daskworkergroup_create", {"reason": "update"}, "not on 'changing daskworkergroup create'"),
        ("daskjob_create", {"selector": None}, "runs on 'changing create'"),
    ],
)
def test_another_trigger_is_an_error(source: kopf.OperatorRegistry, name: str, fields: dict, said: str) -> None:
    change(source, name, **fields)
    with pytest.raises(UnexpectedRegistry) as caught:
        select(source)
    assert name in str(caught.value)
    assert said in str(caught.value)


def test_a_handler_registered_twice_is_an_error(source: kopf.OperatorRegistry) -> None:
    [handler] = [each for _, each in handlers(source) if each.id == "daskworkergroup_create"]
    source._changing.append(handler)
    with pytest.raises(UnexpectedRegistry, match="daskworkergroup_create is registered twice"):
        select(source)


def test_a_condition_of_their_own_would_be_lost_and_is_an_error(source: kopf.OperatorRegistry) -> None:
    change(source, "daskworkergroup_replica_update", when=lambda **_: True)
    with pytest.raises(UnexpectedRegistry, match="has a condition of its own"):
        select(source)


def test_handlers_of_others_are_left_out_without_an_error(source: kopf.OperatorRegistry) -> None:
    @kopf.on.create("pods", registry=source)
    async def plugin(**_: Any) -> None:
        raise AssertionError("not called")

    selection = select(source)
    assert any(name.endswith("plugin") for name in selection.foreign)
    assert sorted(names(selection.registry)) == sorted(KEPT)


def test_another_kopf_is_an_error(source: kopf.OperatorRegistry) -> None:
    source._more = None  # type: ignore[attr-defined]
    with pytest.raises(UnexpectedRegistry, match=r"_more.*install the kopf"):
        select(source)


def test_the_tables_do_not_overlap() -> None:
    assert not set(KEPT) & set(LEFT_OUT)
    assert registry.ON_CHANGE_ONLY in KEPT
