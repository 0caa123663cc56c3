"""What kopf remembers of an object."""

from __future__ import annotations

import json
from typing import Any

import kopf
import pytest

from daskjob.dask_controller import essence as essences
from daskjob.dask_controller.essence import HandledFields

#: What the kept handlers of a DaskCluster name.
FIELDS = [("status", "phase"), ("spec", "worker", "replicas")]
KEY = "kopf.zalando.org/last-handled-configuration"


def body(phase: str | None = None, replicas: int = 2, **metadata: Any) -> kopf.Body:
    return kopf.Body(
        {
            "metadata": {"name": "a", "labels": {"x": "y"}, **metadata},
            "spec": {"worker": {"replicas": replicas, "spec": {"containers": []}}, "scheduler": {"spec": {}}},
            "status": {"phase": phase} if phase else {},
        }
    )


def stored(patch: kopf.Patch) -> Any:
    return json.loads(patch["metadata"]["annotations"][KEY])


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
    assert HandledFields().build(body=body(phase), extra_fields=FIELDS) == essence


def test_labels_annotations_and_the_rest_of_the_spec_are_no_change() -> None:
    storage = HandledFields()
    before = storage.build(body=body(), extra_fields=FIELDS)
    assert storage.build(body=body(labels={"x": "z"}, annotations={"a": "b"}), extra_fields=FIELDS) == before
    assert storage.build(body=body(replicas=3), extra_fields=FIELDS) != before


def test_absent_fields_are_absent() -> None:
    assert HandledFields().build(body=kopf.Body({"spec": {}}), extra_fields=FIELDS) == {}
    assert HandledFields().build(body=kopf.Body({"spec": {"worker": 1}}), extra_fields=None) == {}


def test_what_is_remembered_is_what_the_object_will_be() -> None:
    """Else the components' own `Pending` would be a change, to be recorded by one more patch."""
    storage = HandledFields()
    created = body("Created")
    patch = kopf.Patch({"status": {"phase": "Pending"}})
    storage.store(body=created, patch=patch, essence=storage.build(body=created, extra_fields=FIELDS))
    assert stored(patch) == storage.build(body=body("Pending"), extra_fields=FIELDS)


def test_created_is_not_remembered_before_it_was_handled() -> None:
    """The create handler sets it; the next look must still see it as a change."""
    storage = HandledFields()
    new = body()
    patch = kopf.Patch({"status": {"phase": "Created"}})
    storage.store(body=new, patch=patch, essence=storage.build(body=new, extra_fields=FIELDS))
    assert stored(patch) != storage.build(body=body("Created"), extra_fields=FIELDS)


def test_round_trip_through_the_annotation() -> None:
    storage = HandledFields()
    patch = kopf.Patch({})
    storage.store(body=body(), patch=patch, essence={"spec": {"worker": {"replicas": 2}}})
    again = body(annotations=dict(patch["metadata"]["annotations"]))
    assert storage.fetch(body=again) == {"spec": {"worker": {"replicas": 2}}}


def group(uid: str = "uid-group", **metadata: Any) -> kopf.Body:
    return kopf.Body({"kind": "DaskWorkerGroup", "metadata": {"name": "a-default", "uid": uid, **metadata}})


def test_what_was_handled_of_a_worker_group_costs_no_patch() -> None:
    storage, patch = HandledFields(), kopf.Patch({})
    assert storage.fetch(body=group()) is None
    storage.store(body=group(), patch=patch, essence={"spec": {"worker": {"replicas": 2}}})
    assert not patch
    assert storage.fetch(body=group()) == {"spec": {"worker": {"replicas": 2}}}
    assert storage.fetch(body=group("uid-of-another")) is None


def test_a_process_that_starts_handles_each_worker_group() -> None:
    """Also one of an earlier release, which kept on the API server what it had handled."""
    old = group(annotations={KEY: '{"spec":{"worker":{"replicas":2}}}'})
    assert HandledFields().fetch(body=old) is None


def test_of_too_many_worker_groups_the_eldest_is_handled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(essences, "MOST_GROUPS", 2)
    storage = HandledFields()
    for uid in ("1", "2", "1", "3"):
        storage.store(body=group(uid), patch=kopf.Patch({}), essence={})
    assert [storage.fetch(body=group(uid)) for uid in "123"] == [{}, None, {}]
