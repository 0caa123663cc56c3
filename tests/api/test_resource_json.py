"""Dataclasses to JSON and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.api.constants import ConditionType, FailureClass, Phase
from daskjob.api.live_status import Progress
from daskjob.api.resource_json import camel, fields_of, from_dict, to_dict
from daskjob.api.spec import DaskJobSpec, parse_spec
from daskjob.api.status import Condition, DaskJobStatus, Failure, Result

texts = st.text(max_size=20)
st.register_type_strategy(Result, st.builds(Result, type=texts, types=st.dictionaries(texts, texts, max_size=3)))
statuses = st.from_type(DaskJobStatus)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def names(cls: type) -> list[str]:
    return [json for _, json, _ in fields_of(cls)]


@pytest.mark.parametrize(("name", "expected"), [("a", "a"), ("backoff_limit", "backoffLimit"), ("a_b_c", "aBC")])
def test_camel(name: str, expected: str) -> None:
    assert camel(name) == expected


def test_what_is_absent_is_left_out() -> None:
    assert to_dict(DaskJobStatus()) == {}
    assert to_dict(DaskJobStatus(progress=Progress())) == {
        "progress": {"total": 0, "done": 0, "processing": 0, "erred": 0, "percent": 0, "summary": ""}
    }


def test_names_that_python_does_not_allow() -> None:
    assert to_dict(Failure(reason="R"))["class"] == "Application"
    assert from_dict(Failure, {"class": "Infrastructure"}).failure_class is FailureClass.INFRASTRUCTURE


@given(statuses)
def test_a_status_survives_being_written_and_read(status: DaskJobStatus) -> None:
    written = to_dict(status)
    read = from_dict(DaskJobStatus, json.loads(json.dumps(written)))
    assert to_dict(read) == written
    assert from_dict(DaskJobStatus, to_dict(read)) == read


@given(st.dictionaries(st.sampled_from([*names(DaskJobStatus), "later"]), json_values) | json_values)
def test_anything_can_be_read(data: Any) -> None:
    to_dict(from_dict(DaskJobStatus, data))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "graph": st.dictionaries(st.sampled_from(["entrypoint", "args", "kwargs", "keys", "source"]), json_values),
            "cluster": st.dictionaries(st.sampled_from(["image", "env", "scheduler", "workers"]), json_values),
            "runner": json_values,
            "startupDeadlineSeconds": json_values,
        },
    )
)
def test_any_spec_can_be_read(data: Any) -> None:
    spec = parse_spec(data)
    assert isinstance(spec.startup_deadline_seconds, int)
    assert spec.cluster.workers.initial is not None


WRONG = [
    ({"attempt": True}, "attempt", None),
    ({"attempt": "1"}, "attempt", None),
    ({"phase": "Dreaming"}, "phase", None),
    ({"phase": "Retrying"}, "phase", Phase.RETRYING),
    ({"conditions": "none"}, "conditions", ()),
    ({"conditions": [7, {"type": "Complete"}]}, "conditions", (Condition("Complete"),)),
    ({"result": {"type": "int", "value": 7}}, "result", Result("int")),
    ({"summary": None}, "summary", None),
]


@pytest.mark.parametrize(("data", "field", "expected"), WRONG)
def test_what_does_not_fit_is_passed_over(data: dict[str, Any], field: str, expected: object) -> None:
    assert getattr(from_dict(DaskJobStatus, data), field) == expected


def test_a_spec_and_its_defaults() -> None:
    assert parse_spec({"graph": {"entrypoint": "m.n:f"}}).graph.module == "m.n"
    assert parse_spec(None) == DaskJobSpec()
    workers = [
        ({}, 1),
        ({"replicas": 3}, 3),
        ({"adaptive": {"maximum": 4}}, 1),
        ({"adaptive": {"minimum": 2, "maximum": 4}}, 2),
    ]
    assert [parse_spec({"cluster": {"workers": each}}).cluster.workers.initial for each, _ in workers] == [
        number for _, number in workers
    ]


# Conditions.


def test_a_condition_changes_its_time_with_its_status_only() -> None:
    status = DaskJobStatus().with_condition(ConditionType.CLUSTER_READY, False, "Waiting", "…", "t1", 1)
    status = status.with_condition(ConditionType.CLUSTER_READY, False, "Unschedulable", "no node", "t2", 2)
    condition = status.condition(ConditionType.CLUSTER_READY)
    assert condition == Condition("ClusterReady", "False", "Unschedulable", "no node", "t1", 2)
    status = status.with_condition(ConditionType.CLUSTER_READY, True, "WorkersReady", "", "t3", 2)
    assert status.condition(ConditionType.CLUSTER_READY) == Condition(
        "ClusterReady", "True", "WorkersReady", "", "t3", 2
    )


def test_conditions_have_one_order_and_others_stay() -> None:
    status = DaskJobStatus(conditions=(Condition("Theirs", "True"),))
    status = status.with_condition(ConditionType.FAILED, True, "R", "", "t", 1)
    status = status.with_condition(ConditionType.CLUSTER_READY, False, "R", "", "t", 1)
    assert [each.type for each in status.conditions] == ["ClusterReady", "Failed", "Theirs"]


@pytest.mark.parametrize(
    ("kind", "value", "finished"),
    [
        (ConditionType.COMPLETE, True, True),
        (ConditionType.FAILED, True, True),
        (ConditionType.FAILED, False, False),
        (ConditionType.CLUSTER_READY, True, False),
    ],
)
def test_finished(kind: ConditionType, value: bool, finished: bool) -> None:
    assert DaskJobStatus().with_condition(kind, value, "R", "", "t", 1).finished is finished
