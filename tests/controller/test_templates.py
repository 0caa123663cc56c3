"""Fields of pod templates that the operator does not know: the cluster is asked, and nobody else is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daskjob.api.resource import Resource
from daskjob.errors import ApiError
from daskjob.kube.client import Body
from daskjob.kube.refusal import classify, unknown_fields
from daskjob.manifests.context import Defaults

from .test_reconcile import Setting

ODD = {"brandNew": 1, "containers": [{"name": "worker", "resuorces": {}}]}


class Asked(Setting):
    """A cluster that knows all fields but those of `unknown`; the installation leaves such fields to it."""

    def __init__(self, template: Any, part: str = "workers") -> None:
        where = {"runner": {"template": {"spec": template}}}
        if part != "runner":
            where = {"cluster": {part: {"template": {"spec": template}}}}
        defaults = Defaults(image="localhost/i", allowed=("unknownFields",))
        super().__init__({"graph": {"entrypoint": "m:f"}, **where}, defaults=defaults)
        self.unknown: list[str] | ApiError = []
        self.asked: list[Body] = []
        self.client.unknown_fields = self.answer

    async def answer(self, resource: Resource, body: Body) -> list[str]:
        assert resource.kind == "Pod"
        self.asked.append(body)
        if isinstance(self.unknown, ApiError):
            raise self.unknown
        return self.unknown

    def made(self) -> set[str]:
        return {kind for verb, kind in self.client.requests if verb == "create"} - {"Event"}


async def test_what_the_cluster_does_not_know_ends_the_job_before_anything_is_made() -> None:
    setting = Asked(ODD)
    setting.unknown = ["spec.brandNew"]
    await setting.look()
    failure = setting.status()["failure"]
    assert failure["reason"] == "InvalidSpec"
    assert failure["message"] == (
        "spec.cluster.workers.template.spec.brandNew: unknown field of a pod in Kubernetes: remove it"
    )
    assert setting.made() == set()


@pytest.mark.parametrize(("part", "path"), [("scheduler", "cluster.scheduler"), ("runner", "runner")])
async def test_the_nearest_field_is_named_in_each_template(part: str, path: str) -> None:
    setting = Asked({"nodeSelectors": {"a": "b"}}, part)
    setting.unknown = ["spec.nodeSelectors"]
    await setting.look()
    where = f"spec.{path}.template.spec"
    assert setting.status()["failure"]["message"] == (
        f"{where}.nodeSelectors: unknown field: did you mean {where}.nodeSelector?"
    )


async def test_a_field_of_a_newer_cluster_is_taken_over_however_near_to_another() -> None:
    setting = Asked(ODD)
    await setting.look()
    assert {"DaskCluster", "Pod"} <= setting.made()
    [cluster] = setting.server.all("DaskCluster")
    worker = cluster["spec"]["worker"]["spec"]
    assert worker["brandNew"] == 1
    assert worker["containers"][0]["resuorces"] == {}
    [asked] = setting.asked
    assert asked["spec"] == worker, "the pod as it will be"


async def test_nobody_is_asked_about_what_is_known() -> None:
    setting = Asked({"hostUsers": False, "nodeSelector": {"a": "b"}})
    setting.unknown = ["spec.hostUsers"]
    await setting.look()
    assert setting.asked == []
    assert "Pod" in setting.made()


async def test_while_the_cluster_cannot_say_it_nothing_is_made_and_nothing_is_over() -> None:
    setting = Asked(ODD)
    setting.unknown = classify(503, "etcd is away")
    with pytest.raises(ApiError):
        await setting.look()
    assert setting.made() == set()
    setting.unknown = []
    await setting.look()
    assert "Pod" in setting.made()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.a", '
            'unknown field "spec.containers[0].b"',
            ["spec.a", "spec.containers[0].b"],
        ),
        ('strict decoding error: unknown field "spec.a\\"b"', ['spec.a\\"b']),
        ('Pod "x" is invalid: spec.a: Invalid value: "unknown field "b""', []),
        ("", []),
    ],
)
def test_the_servers_words(message: str, expected: list[str]) -> None:
    error = classify(400, json.dumps({"kind": "Status", "message": message}))
    assert unknown_fields(error.message) == expected
