"""The offline validator: what it accepts and refuses, in which words, and what it fills in."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from daskjob.schema import FieldError, apply_defaults, validate

from . import all_cases
from .cases import Refused, a_job


@pytest.mark.parametrize("manifest", all_cases.ACCEPTED.values(), ids=all_cases.ACCEPTED)
def test_accepted(manifest: dict[str, Any]) -> None:
    assert validate(manifest) == []


@pytest.mark.parametrize("case", all_cases.REFUSED, ids=str)
def test_refused(case: Refused) -> None:
    found = validate(case.manifest)
    assert [each.path for each in found] == [case.field], found
    assert case.words in found[0].message


def test_every_problem_is_told_at_once_in_order() -> None:
    manifest = a_job("{graph: {entrypoint: x, source: {}}, cluster: {workers: {replica: 1, threads: 0}}}", name="X")
    assert [each.path for each in validate(manifest)] == [
        "metadata.name",
        "spec.cluster.workers.replica",
        "spec.cluster.workers.threads",
        "spec.graph.entrypoint",
        "spec.graph.source",
    ]


@pytest.mark.parametrize(
    ("manifest", "path", "words"),
    [
        (None, "", "a manifest is a mapping"),
        ([1], "", "a manifest is a mapping"),
        ({}, "kind", "must be DaskCronJob or DaskJob, not null"),
        ({"kind": ["DaskJob"]}, "kind", "must be DaskCronJob or DaskJob"),
        (a_job() | {"kind": "Job"}, "kind", 'not "Job"'),
        (a_job() | {"apiVersion": "kubernetes.dask.org/v1"}, "apiVersion", "must be daskjob.io/v1alpha1"),
        (a_job() | {"metadata": {}}, "metadata.name", "is missing: write a name such as square-sum"),
        (a_job() | {"metadata": None}, "metadata.name", "is missing"),
        (a_job() | {"metadata": 3}, "metadata", "must be a mapping, not the number 3"),
        (a_job(name=5), "metadata.name", 'put it in quotes, "5"'),
        (a_job(labels={"a": 1}), "metadata.labels.a", 'put it in quotes, "1"'),
        (a_job() | {"spec": None}, "spec", "is missing"),
        (a_job() | {"spec": "x"}, "spec", "must be a mapping"),
        (a_job() | {"stauts": {}}, "stauts", "did you mean status?"),
    ],
)
def test_not_a_daskjob(manifest: Any, path: str, words: str) -> None:
    found = validate(manifest)
    assert [each.path for each in found] == [path], found
    assert words in found[0].message


def test_generated_name_is_judged_with_what_the_server_appends() -> None:
    def named(prefix: str) -> list[FieldError]:
        return validate(a_job() | {"metadata": {"generateName": prefix}})

    assert named("a" * 35) == []
    assert [each.path for each in named("a" * 36)] == ["metadata.generateName"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (2**63, f'beyond 64 bits, where Kubernetes would round it: write it as a string, "{2**63}"'),
        (float("nan"), 'nan is not JSON: write it as a string, "nan"'),
        (float("-inf"), "-inf is not JSON"),
        (datetime.date(2026, 1, 31), 'is read as a date: put it in quotes, "2026-01-31"'),
        (b"x", "is bytes, which is not JSON"),
        ({1}, "is set, which is not JSON"),
    ],
)
def test_values_that_yaml_knows_and_json_does_not(value: Any, words: str) -> None:
    (problem,) = validate(a_job({"graph": {"args": [{"deep": [value]}]}}))
    assert problem.path == "spec.graph.args[0].deep[0]"
    assert words in problem.message


def test_names_that_yaml_does_not_read_as_text() -> None:
    """`y: 1` is {True: 1} for PyYAML."""
    (problem,) = validate(a_job({"graph": {"kwargs": {True: 1}}}))
    assert problem == FieldError("spec.graph.kwargs", "the name true is not text: put it in quotes")


def test_a_problem_reads_as_path_and_message() -> None:
    assert str(FieldError("spec.image", "is wrong")) == "spec.image: is wrong"
    assert str(FieldError("", "is no manifest")) == "is no manifest"


WORKERS = {"threads": 1, "minWorkers": 1, "processes": 1, "command": "worker"}


def test_defaults_are_filled_in_and_the_manifest_is_left_alone() -> None:
    manifest = a_job("{graph: {args: [1.0, {a: 2.0}, 0.5]}, cluster: {image: null, env: [{name: A, value: null}]}}")
    before = repr(manifest)
    assert apply_defaults(manifest)["spec"] == {
        "graph": {"entrypoint": "square_sum:graph", "args": [1, {"a": 2}, 0.5]},
        "cluster": {"dashboard": True, "workers": WORKERS, "env": [{"name": "A"}]},
        "startupDeadlineSeconds": 600,
        "backoffLimit": 0,
        "infrastructureRetries": 3,
        "backoff": {"initialSeconds": 10, "maximumSeconds": 300},
        "suspend": False,
        "cancel": False,
        "cleanup": {"afterSuccessSeconds": 0, "afterFailureSeconds": 0},
        "runPolicy": "Once",
        "priority": 0,
        "managedBy": "daskjob.io/operator",
    }
    assert isinstance(apply_defaults(manifest)["spec"]["graph"]["args"][0], int)
    assert repr(manifest) == before


def test_defaults_do_not_leak_from_one_manifest_into_the_next() -> None:
    apply_defaults(a_job())["spec"]["cluster"]["workers"]["threads"] = 99
    assert apply_defaults(a_job())["spec"]["cluster"]["workers"]["threads"] == 1


def test_defaults_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="not a manifest of DaskCronJob or DaskJob"):
        apply_defaults({"kind": "Pod"})


def a_report(status: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskJobReport",
        "metadata": {"name": "a-12345-1"},
        "spec": {"job": "a", "jobUID": "u", "attempt": 1},
        "status": status,
    }


@pytest.mark.parametrize(
    ("status", "path", "words"),
    [
        ({"outcome": "succeeded"}, "status.outcome", "did you mean Succeeded?"),
        ({"heartbeatTime": "now"}, "status.heartbeatTime", "must be a time such as 2026-01-31T12:00:00Z"),
        ({"heartbeatTime": "2026-01-31T12:00:00"}, "status.heartbeatTime", "must be a time"),
        ({"seq": -1}, "status.seq", "must be at least 0"),
        ({"failure": {"message": "x"}}, "status.failure.reason", "is missing: reason in one word"),
        ({"failure": {"reason": "X", "exitCode": 2**31}}, "status.failure.exitCode", "must be at most"),
        ({"result": {"sha256": "xyz"}}, "status.result.sha256", "is malformed"),
        ({"progress": {"prefixes": [{"name": str(n)} for n in range(51)]}}, "status.progress.prefixes", "at most 50"),
    ],
)
def test_reports_too(status: dict[str, Any], path: str, words: str) -> None:
    (problem,) = validate(a_report(status))
    assert problem.path == path
    assert words in problem.message


def test_a_report_with_microseconds_is_valid() -> None:
    status = {"heartbeatTime": "2026-01-31T12:00:00.123456Z", "timings": {"connected": "2026-01-31T12:00:00+00:00"}}
    assert validate(a_report(status)) == []
