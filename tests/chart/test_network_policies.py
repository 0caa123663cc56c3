"""The chart's NetworkPolicies: what reaches operator and Dask controller, and what these and jobs' pods reach."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Rendering

OPERATOR = "daskjob-operator"
JOBS = {"app.kubernetes.io/managed-by": "daskjob-operator"}
RUNNERS = {**JOBS, "daskjob.io/component": "runner"}
API_SERVER = [{"ipBlock": {"cidr": "192.0.2.10/32"}}]
RESOLVERS = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}]
DATABASE = {"to": [{"ipBlock": {"cidr": "192.0.2.20/32"}}], "ports": [{"port": 5432, "protocol": "TCP"}]}
NAMES = [{"port": port, "protocol": protocol} for port in (53, 5353) for protocol in ("UDP", "TCP")]
API = [{"port": port, "protocol": "TCP"} for port in (443, 6443, 8443, 16443)]


def policy(rendering: Rendering, name: str = OPERATOR, namespace: str | None = None) -> dict[str, Any]:
    return dict(rendering.one("NetworkPolicy", name, namespace)["spec"])


def test_who_reaches_operator_and_dask_controller(render, default: Rendering) -> None:
    health, metrics = ({"ports": [{"port": name, "protocol": "TCP"}]} for name in ("health", "metrics"))
    assert policy(default)["ingress"] == [health, metrics]
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]

    def ingress(**values: Any) -> Any:
        return policy(render({"networkPolicy": values}))["ingress"]

    assert ingress(**{"from": peers}) == [{**health, "from": peers}, metrics]
    assert ingress(metricsFrom=peers) == [health, {**metrics, "from": peers}]
    assert not render({"networkPolicy": {"enabled": False}}).all("NetworkPolicy")


def test_they_reach_name_servers_and_the_api_server(render, default: Rendering) -> None:
    assert policy(default)["policyTypes"] == ["Ingress", "Egress"]
    assert policy(default)["egress"] == [{"ports": NAMES}, {"ports": API}]
    narrow = {"apiServer": API_SERVER, "apiServerPorts": [6443], "dns": RESOLVERS, "dnsPorts": [53], "more": [DATABASE]}
    assert policy(render({"networkPolicy": {"egress": narrow}}))["egress"] == [
        {"ports": NAMES[:2], "to": RESOLVERS},
        {"ports": [{"port": 6443, "protocol": "TCP"}], "to": API_SERVER},
        DATABASE,
    ]
    free = policy(render({"networkPolicy": {"egress": {"enabled": False}}}))
    assert free["policyTypes"] == ["Ingress"]
    assert "egress" not in free


def test_what_jobs_reach_in_each_of_the_namespaces(render) -> None:
    values = {
        "watchNamespaces": ["team-a", "team-b"],
        "job": {"networkPolicy": {"restrictEgress": True, "egress": [DATABASE]}},
        "networkPolicy": {"egress": {"apiServer": API_SERVER}},
    }
    rendering = render(values)
    for namespace in values["watchNamespaces"]:
        pods, runners = (policy(rendering, f"{OPERATOR}-{name}", namespace) for name in ("jobs", "runners"))
        assert pods["podSelector"]["matchLabels"] == JOBS
        assert runners["podSelector"]["matchLabels"] == RUNNERS
        assert pods["policyTypes"] == runners["policyTypes"] == ["Egress"]
        own = {"to": [{"podSelector": {"matchLabels": JOBS}}]}
        assert pods["egress"] == [own, {"ports": NAMES}, DATABASE]
        assert runners["egress"] == [{"ports": API, "to": API_SERVER}]


def test_nothing_limits_what_jobs_reach_by_default(render, default: Rendering) -> None:
    assert default.names("NetworkPolicy") == {OPERATOR}
    assert render({"watchNamespaces": ["team-a"]}).names("NetworkPolicy") == {OPERATOR}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"networkPolicy": {"egress": {"apiServer": API_SERVER}}}, "watchNamespaces, which is empty"),
        ({"watchNamespaces": ["team-a"]}, "into networkPolicy.egress.apiServer"),
    ],
)
def test_what_cannot_be_limited_is_told(refused, values: dict[str, Any], words: str) -> None:
    message = refused({**values, "job": {"networkPolicy": {"restrictEgress": True}}})
    assert "job.networkPolicy.restrictEgress: " in message
    assert words in message


@pytest.mark.parametrize(
    "values",
    [
        {"job": {"networkPolicy": {"ingress": [{"to": API_SERVER}]}}},
        {"job": {"networkPolicy": {"egress": [{"from": API_SERVER}]}}},
        {"networkPolicy": {"egress": {"apiServer": ["192.0.2.10"]}}},
        {"networkPolicy": {"egress": {"apiServerPorts": []}}},
        {"networkPolicy": {"from": [{"cidr": "192.0.2.0/24"}]}},
    ],
)
def test_rules_of_another_shape_are_refused(refused, values: dict[str, Any]) -> None:
    assert "values don't meet the specifications of the schema" in refused(values)
