"""The NetworkPolicy of an attempt lets in its own pods, whom the installation names, and nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from daskjob.manifests.attempt import AttemptObjects
from daskjob.manifests.network_policy import network_policy

from .builders import DEFAULTS, context, job, pod_labels

MONITORING = {"from": [{"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}], "ports": [{"port": 15020}]}


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert selector.keys() == {"matchLabels"}
    assert selector["matchLabels"], "an empty selector selects every pod"
    return bool(selector["matchLabels"].items() <= labels.items())


def policy_of(**defaults: Any) -> dict[str, Any]:
    found = network_policy(context(job(), replace(DEFAULTS, **defaults)), "cluster-uid")
    assert found is not None
    return found


@pytest.mark.parametrize("component", ["cluster", "runner"])
def test_it_is_about_the_pods_of_one_attempt(component: str) -> None:
    spec = policy_of()["spec"]
    [own] = spec["ingress"]
    [peer] = own["from"]
    assert peer.keys() == {"podSelector"}, "pods of the same namespace"
    for selector in (spec["podSelector"], peer["podSelector"]):
        assert selects(selector, pod_labels(context(job()), component))
        assert not selects(selector, pod_labels(context(job(), number=2), component)), "another attempt"
        assert not selects(selector, pod_labels(context(replace(job(), uid="another")), component)), "another job"
        assert not selects(selector, {"app.kubernetes.io/managed-by": "daskjob-operator"})
    assert "ports" not in own, "workers listen at random ports"


def test_whom_else_the_installation_lets_in() -> None:
    spec = policy_of(ingress=(MONITORING,))["spec"]
    assert spec["ingress"] == [*policy_of()["spec"]["ingress"], MONITORING]
    assert spec["policyTypes"] == ["Ingress"]


def test_it_goes_with_the_cluster() -> None:
    metadata = policy_of()["metadata"]
    [owner] = metadata["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("DaskCluster", "cluster-uid")
    assert metadata["name"] == context(job()).attempt.name
    assert metadata["namespace"] == job().namespace


@pytest.mark.parametrize("ingress", [(), None])
def test_it_comes_before_what_the_pods_need_to_start(ingress: Any) -> None:
    built = AttemptObjects.build(
        context(job(), replace(DEFAULTS, ingress=ingress)), b"program", (b"certificate", b"key")
    )
    kinds = [each["kind"] for each in built.beside_cluster("cluster-uid")]
    assert kinds == [*([] if ingress is None else ["NetworkPolicy"]), "Service", "Secret"]


@pytest.mark.parametrize("component", ["cluster", "runner"])
def test_the_labels_by_which_the_charts_policies_select(component: str) -> None:
    labels = pod_labels(context(job()), component)
    assert labels["app.kubernetes.io/managed-by"] == "daskjob-operator"
    assert (labels.get("daskjob.io/component") == "runner") == (component == "runner")
