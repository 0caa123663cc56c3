"""What kopf remembers of an object."""

from __future__ import annotations

from typing import Any

import kopf
import pytest

from daskjob.dask_controller import essence as essences
from daskjob.dask_controller import registry
from daskjob.dask_controller.essence import HandledFields

#: What the kept handlers of a DaskCluster name.
FIELDS = [("status", "phase"), ("spec", "worker", "replicas")]


def body(phase: str | None = None, replicas: int = 2, **metadata: Any) -> kopf.Body:
    return kopf.Body(
        {
            "kind": "DaskCluster",
            "metadata": {"name": "a", "uid": "uid-cluster", "labels": {"x": "y"}, **metadata},
            "spec": {"worker": {"replicas": replicas, "spec": {"containers": []}}, "scheduler": {"spec": {}}},
            "status": {"phase": phase} if phase else {},
        }
    )


def group(**metadata: Any) -> kopf.Body:
    return kopf.Body({"kind": "DaskWorkerGroup", "metadata": {"name": "a-default", "uid": "uid-group", **metadata}})


def storage_of(*complete: str) -> HandledFields:
    """The storage of a process that starts; `complete`: UIDs of the clusters whose group exists."""
    return HandledFields(lambda: complete)


@pytest.mark.parametrize(
    ("phase", "essence"),
    [
        (None, {"spec": {"worker": {"replicas": 2}}}),
        ("Created", {"spec": {"worker": {"replicas": 2}}, "status": {"phase": "Created"}}),
        ("Pending", {"spec": {"worker": {"replicas": 2}}}),
        ("Running", {"spec": {"worker": {"replicas": 2}}}),
    ],
)
def test_only_what_handlers_wait_for(phase: str | None, essence: dict[str, Any]) -> None:
    assert storage_of().build(body=body(phase), extra_fields=FIELDS) == essence


def test_labels_annotations_and_the_rest_of_the_spec_are_no_change() -> None:
    storage = storage_of()
    before = storage.build(body=body(), extra_fields=FIELDS)
    assert storage.build(body=body(labels={"x": "z"}, annotations={"a": "b"}), extra_fields=FIELDS) == before
    assert storage.build(body=body(replicas=3), extra_fields=FIELDS) != before


def test_absent_fields_are_absent() -> None:
    assert storage_of().build(body=kopf.Body({"spec": {}}), extra_fields=FIELDS) == {}
    assert storage_of().build(body=kopf.Body({"spec": {"worker": 1}}), extra_fields=None) == {}


def test_that_a_cluster_was_made_costs_no_patch() -> None:
    storage, created = storage_of(), body("Created")
    patch = kopf.Patch({"status": {"phase": "Pending"}})
    storage.store(body=created, patch=patch, essence=storage.build(body=created, extra_fields=FIELDS))
    assert not patch
    assert storage.fetch(body=created) == storage.build(body=body("Created"), extra_fields=FIELDS)


def test_created_is_not_remembered_before_it_was_handled() -> None:
    """The create handler sets it; the next look must still see it as a change."""
    storage, new = storage_of(), body()
    patch = kopf.Patch({"status": {"phase": "Created"}})
    storage.store(body=new, patch=patch, essence=storage.build(body=new, extra_fields=FIELDS))
    assert patch == {"status": {"phase": "Created"}}
    assert storage.fetch(body=new) != storage.build(body=body("Created"), extra_fields=FIELDS)


@pytest.mark.parametrize("status", [{"phase": "Error"}, {"phase": "Pending", "more": 1}])
def test_what_somebody_may_wait_for_is_written(status: dict[str, Any]) -> None:
    patch = kopf.Patch({"status": status})
    storage_of().store(body=body(), patch=patch, essence={})
    assert patch["status"] in ({"phase": "Error"}, {"more": 1})


def test_each_object_has_its_own_memory() -> None:
    storage, patch = storage_of(), kopf.Patch({})
    storage.store(body=group(), patch=patch, essence={"spec": {"worker": {"replicas": 2}}})
    assert not patch
    assert storage.fetch(body=group()) == {"spec": {"worker": {"replicas": 2}}}
    assert storage.fetch(body=group(uid="uid-of-another")) is None


def test_a_process_that_starts_handles_clusters_without_a_group_and_each_group() -> None:
    """Also those of an earlier release, which kept on the API server what it had handled."""
    record = {"kopf.zalando.org/last-handled-configuration": '{"spec":{"worker":{"replicas":2}}}'}
    storage = storage_of("uid-complete", "uid-group")
    assert storage.fetch(body=body(annotations=record)) is None
    assert storage.fetch(body=group(annotations=record)) is None
    complete = body("Created", replicas=3, uid="uid-complete")
    assert storage.fetch(body=complete) == storage.build(body=complete, extra_fields=FIELDS)


def test_after_a_start_a_change_of_a_complete_cluster_is_one() -> None:
    storage = storage_of("uid-complete")
    storage.fetch(body=body(replicas=3, uid="uid-complete"))
    assert storage.fetch(body=body(replicas=4, uid="uid-complete")) == {"spec": {"worker": {"replicas": 3}}}


def test_these_fields_are_those_that_handlers_name() -> None:
    named = {each.field for each in registry.KEPT.values() if each.field}
    assert {".".join(field) for field in essences.FIELDS} == named


def test_of_too_many_objects_the_eldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(essences, "MOST_OBJECTS", 2)
    storage = storage_of()
    for uid in ("1", "2", "1", "3"):
        storage.store(body=group(uid=uid), patch=kopf.Patch({}), essence={})
    assert [storage.fetch(body=group(uid=uid)) for uid in "123"] == [{}, None, {}]
